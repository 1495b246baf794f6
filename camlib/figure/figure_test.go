package figure_test

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/images"
)

var update = flag.Bool("update", false, "write the golden images in testdata")

// tolerance is the largest difference of a channel, in levels of 255, that counts as
// equal to a golden image. Processors with fused multiply–add round the sums of the
// font rasteriser and of mix differently, by a level each at most.
const tolerance = 2

func checkGolden(t *testing.T, name string, got image.Image) {
	t.Helper()
	path := filepath.Join("testdata", name+".png")
	if *update {
		if err := figure.WritePNG(path, got); err != nil {
			t.Fatal(err)
		}
		return
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if got.Bounds() != want.Bounds() {
		t.Fatalf("%s: size %v, want %v; see -update", name, got.Bounds().Size(), want.Bounds().Size())
	}
	for y := range want.Bounds().Dy() {
		for x := range want.Bounds().Dx() {
			g, w := nrgba(got.At(x, y)), nrgba(want.At(x, y))
			if far(g.R, w.R) || far(g.G, w.G) || far(g.B, w.B) || far(g.A, w.A) {
				t.Fatalf("%s: pixel (%d, %d): %v, want %v; see -update", name, x, y, g, w)
			}
		}
	}
}

func far(a, b uint8) bool { return max(a, b)-min(a, b) > tolerance }

func nrgba(c color.Color) color.NRGBA { return color.NRGBAModel.Convert(c).(color.NRGBA) }

// must returns v of a call that the test expects to succeed.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("error\n%v, want\n%s", err, want)
	}
}

// tilted is a 2×3 map without symmetry, of both signs, from −2 to 4.
var tilted = images.Map{H: 2, W: 3, Values: []float32{0, 1, 4, -2, 3, 0.5}}

// scene is a w×h colour image without symmetry: a gradient and an orange block.
func scene(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, color.NRGBA{R: uint8(40 + 120*y/h), G: uint8(90 + 120*x/w), B: 150, A: 255})
		}
	}
	draw.Draw(img, image.Rect(w/8, h/2, w/2, h-1), image.NewUniform(color.NRGBA{R: 230, G: 140, B: 30, A: 255}), image.Point{}, draw.Src)
	return img
}

// hill is an h×w map with a peak of the given height off the centre and −1 far off.
func hill(h, w int, peak float64) images.Map {
	m := images.Map{H: h, W: w, Values: make([]float32, h*w)}
	for y := range h {
		for x := range w {
			dy, dx := float64(y)/float64(h)-0.65, float64(x)/float64(w)-0.3
			m.Values[y*w+x] = float32((peak+1)*math.Exp(-(8*dy*dy+16*dx*dx)) - 1)
		}
	}
	return m
}

func TestHeatMap(t *testing.T) {
	s := figure.Shading{Scale: must(figure.Diverging(4))}
	img := must(figure.HeatMap(tilted, s, 3))
	if got := img.Bounds().Size(); got != image.Pt(9, 6) {
		t.Fatalf("size %v, want 9×6", got)
	}
	for _, c := range []struct {
		rule string
		x, y int
		want color.NRGBA
	}{
		{"zero is neutral", 2, 2, color.NRGBA{R: 221, G: 221, B: 221, A: 255}},
		{"the largest is the last colour", 8, 0, color.NRGBA{R: 180, G: 4, B: 38, A: 255}},
		{"minus half the largest is a quarter up", 0, 3, figure.CoolWarm.At(0.25)},
		{"the next cell begins at its multiple", 3, 5, figure.CoolWarm.At(0.875)},
	} {
		if got := img.NRGBAAt(c.x, c.y); got != c.want {
			t.Errorf("%s: pixel (%d, %d): %v, want %v", c.rule, c.x, c.y, got, c.want)
		}
	}
	flat := images.Map{H: 1, W: 2, Values: []float32{5, 5}}
	img = must(figure.HeatMap(flat, figure.Shading{Scale: must(figure.SequentialOf(flat))}, 1))
	if got, want := img.NRGBAAt(1, 0), (color.NRGBA{R: 68, G: 1, B: 84, A: 255}); got != want {
		t.Errorf("constant map: %v, want viridis's first colour, %v", got, want)
	}
}

// bw is a colour map that is easy to compute with: level 255 t in red, 0 in green, 200 in blue.
type bw struct{}

func (bw) At(t float64) color.NRGBA { return color.NRGBA{R: uint8(255 * t), B: 200, A: 255} }

func TestOverlay(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 3, 1))
	for x := range 3 {
		img.SetNRGBA(x, 0, color.NRGBA{R: 100, G: 40, B: 10, A: 255})
	}
	img.Pix[11] = 60                                     // the alpha of the last pixel, which is kept
	m := images.Map{H: 1, W: 2, Values: []float32{0, 2}} // resized to 0, 1, 2
	s := figure.Shading{Scale: must(figure.SequentialOf(m)), Colors: bw{}}
	got := must(figure.Overlay(img, m, s, 0.25))
	// By hand: red ¾·100 + ¼·(0, 127, 255), green ¾·40 + 0, blue ¾·10 + ¼·200 = 57.5.
	for x, want := range []color.NRGBA{{R: 75, G: 30, B: 58, A: 255}, {R: 107, G: 30, B: 58, A: 255}, {R: 139, G: 30, B: 58, A: 60}} {
		if g := got.NRGBAAt(x, 0); g != want {
			t.Errorf("pixel %d: %v, want %v", x, g, want)
		}
	}
	if g := img.NRGBAAt(0, 0).R; g != 100 {
		t.Errorf("the image was changed: red %d, want 100", g)
	}
	for _, c := range []struct {
		opacity float64
		want    uint8
	}{{0, 100}, {1, 0}} {
		if g := must(figure.Overlay(img, m, s, c.opacity)).NRGBAAt(0, 0).R; g != c.want {
			t.Errorf("opacity %v: red %d, want %d", c.opacity, g, c.want)
		}
	}
}

func TestGray(t *testing.T) {
	img := image.NewNRGBA(image.Rect(5, 5, 6, 6)) // a corner off the origin
	img.SetNRGBA(5, 5, color.NRGBA{R: 200, G: 100, B: 50, A: 255})
	// By hand: 0.299·200 + 0.587·100 + 0.114·50 = 124.2.
	if got, want := must(figure.Gray(img)).NRGBAAt(0, 0), (color.NRGBA{R: 124, G: 124, B: 124, A: 255}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestMagnify(t *testing.T) {
	src := scene(4, 3)
	img := must(figure.Magnify(src, 5))
	if got := img.Bounds().Size(); got != image.Pt(20, 15) {
		t.Fatalf("size %v, want 20×15", got)
	}
	for _, at := range []image.Point{{0, 0}, {4, 4}, {5, 4}, {19, 14}} {
		if got, want := img.NRGBAAt(at.X, at.Y), src.NRGBAAt(at.X/5, at.Y/5); got != want {
			t.Errorf("pixel %v: %v, want %v", at, got, want)
		}
	}
}

func TestPictureErrors(t *testing.T) {
	img, empty := scene(4, 3), image.NewNRGBA(image.Rect(0, 0, 4, 0))
	s := figure.Shading{Scale: must(figure.Diverging(4))}
	row := func(images ...image.Image) (r figure.Row) {
		for _, img := range images {
			r.Tiles = append(r.Tiles, figure.Tile{Image: img})
		}
		return r
	}
	for _, c := range []struct {
		rule string
		draw func() (*figure.Picture, error)
		want string
	}{
		{"cell size", func() (*figure.Picture, error) { return figure.HeatMap(tilted, s, 0) }, "figure: magnify: 0 times, want at least 1"},
		{"no colours", func() (*figure.Picture, error) { return figure.Color(tilted, nil) }, "figure: color: no colour map, want one such as Viridis"},
		{"no image", func() (*figure.Picture, error) { return figure.Gray(nil) }, "figure: gray: no image"},
		{"empty image", func() (*figure.Picture, error) { return figure.Magnify(empty, 2) }, "figure: magnify: image of 4×0 pixels, want at least 1×1"},
		{"opacity", func() (*figure.Picture, error) { return figure.Overlay(img, tilted, s, 1.5) }, "figure: overlay: opacity 1.5, want 0 to 1"},
		{"opacity NaN", func() (*figure.Picture, error) { return figure.Overlay(img, tilted, s, math.NaN()) }, "figure: overlay: opacity NaN, want 0 to 1"},
		{"bar height", figure.ColorBar{Height: -1}.Draw, "figure: colour bar: height -1, want at least 1, or 0 for 192"},
		{"pair without image", figure.Pair{Map: tilted}.Draw, "figure: pair: no image"},
		{"pair without map", figure.Pair{Image: img}.Draw, "figure: pair: images: map: size 0×0, want at least 1×1"},
		{"empty grid", figure.Grid{}.Draw, "figure: grid: no tiles, want at least one"},
		{"ragged grid", figure.Grid{Rows: []figure.Row{row(img, img), row(img)}}.Draw, "figure: grid: row 1: 1 tiles, want 2 as in row 0"},
		{"headings", figure.Grid{Columns: []string{"a"}, Rows: []figure.Row{row(img, img)}}.Draw, "figure: grid: 1 column headings, want 2, one per column, or none"},
		{"missing tile", figure.Grid{Rows: []figure.Row{row(img, nil)}}.Draw, "figure: grid: row 0, column 1: no image"},
		{"no classes", figure.Confusion{}.Draw, "figure: confusion: no classes, want at least one"},
		{"rows", figure.Confusion{Classes: []string{"a", "b"}, Counts: [][]int{{1, 2}}}.Draw, "figure: confusion: 1 rows, want 2, one per class"},
		{"columns", figure.Confusion{Classes: []string{"a", "b"}, Counts: [][]int{{1, 2}, {3}}}.Draw, "figure: confusion: row 1: 1 columns, want 2, one per class"},
		{"negative", figure.Confusion{Classes: []string{"a"}, Counts: [][]int{{-4}}}.Draw, "figure: confusion: row 0, column 0: count -4, want 0 or more"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			_, err := c.draw()
			checkError(t, err, c.want)
		})
	}
}

func TestWritePNG(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.png")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := figure.WritePNG(path, nil); err == nil || err.Error() != "figure: png: no image" {
		t.Errorf("error %v, want no image", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "old" {
		t.Errorf("a failed write left %q, want the old file", b)
	}
	img := scene(4, 3)
	if err := figure.WritePNG(path, img); err != nil {
		t.Fatal(err)
	}
	got := must(png.Decode(bytes.NewReader(must(os.ReadFile(path)))))
	if g, w := nrgba(got.At(3, 1)), img.NRGBAAt(3, 1); g != w {
		t.Errorf("pixel (3, 1) read back: %v, want %v", g, w)
	}
	if files := must(os.ReadDir(dir)); len(files) != 1 {
		t.Errorf("%d files in the folder, want only a.png", len(files))
	}
	err := figure.WritePNG(filepath.Join(dir, "none", "a.png"), img)
	if err == nil || !strings.HasPrefix(err.Error(), "figure: png: ") {
		t.Errorf("error %v, want one that begins figure: png:", err)
	}
}
