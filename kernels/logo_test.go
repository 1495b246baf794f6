package kernels

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "draw the kernels' logos anew")

// TestLogo holds the committed logos to the code that drew them.
func TestLogo(t *testing.T) {
	for _, size := range []int{32, 64} {
		name := fmt.Sprintf("logo-%dx%d.png", size, size)
		want := logo(size)
		if *update {
			var buf bytes.Buffer
			if err := png.Encode(&buf, want); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, buf.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		data, err := logos.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		for y := range size {
			for x := range size {
				g, w := color.NRGBAModel.Convert(got.At(x, y)).(color.NRGBA), want.NRGBAAt(x, y)
				// One step of 255: math.Exp may round differently elsewhere.
				if max(diff(g.R, w.R), diff(g.G, w.G), diff(g.B, w.B), diff(g.A, w.A)) > 1 {
					t.Fatalf("%s: pixel %d,%d is %v, want %v; run with -update", name, x, y, g, w)
				}
			}
		}
	}
}

func diff(a, b uint8) int { return max(int(a), int(b)) - min(int(a), int(b)) }

// logo draws a class activation map: 8×8 cells from dark violet to yellow,
// two warm spots, corners rounded.
func logo(size int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, size, size))
	stops := []color.NRGBA{{R: 48, G: 18, B: 90, A: 255}, {R: 130, G: 37, B: 112, A: 255}, {R: 222, G: 73, B: 74, A: 255}, {R: 252, G: 160, B: 60, A: 255}, {R: 252, G: 253, B: 160, A: 255}}
	spot := func(x, y, cx, cy, width float64) float64 {
		return math.Exp(-((x-cx)*(x-cx) + (y-cy)*(y-cy)) / (2 * width * width))
	}
	radius := float64(size) / 6
	for y := range size {
		for x := range size {
			cx, cy := float64(x*8/size), float64(y*8/size)
			heat := min(1, spot(cx, cy, 4.5, 3, 1.6)+0.55*spot(cx, cy, 1.5, 5.5, 1.1))
			at := heat * float64(len(stops)-1)
			i := min(int(at), len(stops)-2)
			f := at - float64(i)
			mix := func(a, b uint8) uint8 { return uint8(float64(a)*(1-f) + float64(b)*f + 0.5) }
			a, b := stops[i], stops[i+1]
			c := color.NRGBA{R: mix(a.R, b.R), G: mix(a.G, b.G), B: mix(a.B, b.B), A: 255}
			dx := max(0, radius-float64(x)-0.5, float64(x)+0.5-float64(size)+radius)
			dy := max(0, radius-float64(y)-0.5, float64(y)+0.5-float64(size)+radius)
			c.A = uint8(255 * min(1, max(0, radius-math.Hypot(dx, dy)+0.5)))
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}
