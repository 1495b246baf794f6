package curve_test

import (
	"bytes"
	"image"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/figure/curve"
	"github.com/camlab-go/camlab/internal/pngtext"
)

// TestStack is that charts stand below one another in their order, with the same epoch at
// the same place, whatever is beside their curves.
func TestStack(t *testing.T) {
	narrow := curve.Chart{Title: "first", YLabel: "loss", Series: []curve.Series{{Name: "a legend that is long", Y: []float64{1000, 2000, 3000}}}}
	wide := curve.Chart{Title: "second", Height: 200, Series: []curve.Series{{Name: "b", Y: []float64{1, 2, 3}}}}
	b, err := curve.Stack(narrow, wide)
	if err != nil {
		t.Fatal(err)
	}
	img := decode(t, b)
	if got, want := img.Bounds().Size(), image.Pt(880, 720); got != want { // (340 + 200) × 96 / 72
		t.Fatalf("size %v, want %v", got, want)
	}
	upper, lower := gridEnds(img, 0, 453), gridEnds(img, 453, 720)
	if upper != lower || upper[0] == 0 {
		t.Errorf("curves from %v and %v, want the same", upper, lower)
	}
	if ends := gridEnds(decode(t, alone(t, wide)), 0, 266); ends[0] >= lower[0] || ends[1] <= lower[1] {
		t.Errorf("alone from %v, want wider than %v", ends, lower)
	}
	one, err := curve.Stack(narrow)
	if err != nil || !bytes.Equal(one, alone(t, narrow)) {
		t.Errorf("one chart: %v, or not its PNG", err)
	}
	words := pngtext.Get(b, pngtext.Description)
	if first, second, ok := strings.Cut(words, ". second: line chart"); !ok || !strings.HasPrefix(first, "first: line chart") || !strings.HasSuffix(second, "rises from 1 to 3.") {
		t.Errorf("words %q", words)
	}
	if _, err := curve.Stack(); err == nil || err.Error() != "curve: stack: no charts, want at least one" {
		t.Errorf("no charts: %v", err)
	}
	if _, err := curve.Stack(narrow, curve.Chart{}); err == nil || err.Error() != "curve: no series, want at least one" {
		t.Errorf("an empty chart: %v", err)
	}
}

func alone(t *testing.T, c curve.Chart) []byte {
	t.Helper()
	b, err := c.PNG()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// gridEnds returns where the grid's lines begin and end between two rows.
func gridEnds(img image.Image, top, bottom int) (ends [2]int) {
	for y := top; y < bottom; y++ {
		run := 0
		for x := range img.Bounds().Dx() {
			if c := nrgba(img.At(x, y)); c.R == c.G && c.G == c.B && c.R >= 0xdd && c.R < 0xf8 {
				if run++; run > 200 {
					ends = [2]int{x - run + 1, max(ends[1], x)}
				}
			} else {
				run = 0
			}
		}
	}
	return ends
}
