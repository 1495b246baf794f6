package figure_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/pngtext"
)

func TestPeak(t *testing.T) {
	for _, row := range []struct {
		h, w   int
		values []float32
		want   string
	}{
		{2, 3, []float32{0, 0, 5, 0, -1, 0}, "largest at the upper right (5 in row 1, column 3 of 2×3)"},
		{3, 2, []float32{0, 0, 0, 0, 5, 0}, "largest at the lower left (5 in row 3, column 1 of 3×2)"},
		{3, 3, []float32{0, 1, 0, 0, 0, -7, 0, 0, 0}, "largest at the top (1 in row 1, column 2 of 3×3), most negative at the right (-7 in row 2, column 3 of 3×3)"},
		{3, 3, []float32{-1, -1, -1, -1, 0, -1, -1, -1, -2}, "largest in the middle (0 in row 2, column 2 of 3×3), most negative at the lower right (-2 in row 3, column 3 of 3×3)"},
		{2, 2, []float32{3, 3, 3, 3}, "3 everywhere"},
		{1, 1, []float32{0}, "0 everywhere"},
		{1, 4, []float32{0, 0, 0, 2}, "largest at the right (2 in row 1, column 4 of 1×4)"},
	} {
		got, err := figure.Peak(images.Map{H: row.h, W: row.w, Values: row.values})
		if err != nil || got != row.want {
			t.Errorf("%v: %q, %v, want %q", row.values, got, err, row.want)
		}
	}
	if _, err := figure.Peak(images.Map{}); err == nil {
		t.Error("no error for a map without values")
	}
}

// TestEveryPictureIsDescribed draws every kind of picture and looks for what it
// says in its PNG file.
func TestEveryPictureIsDescribed(t *testing.T) {
	m := images.Map{H: 2, W: 3, Values: []float32{0, 0, 5, 0, -1, 0}}
	const peak, place = "largest at the upper right (5 in row 1, column 3 of 2×3)", "largest at the upper right (row 1, column 3 of 2×3)"
	img := scene(3, 2)
	scale, err := figure.DivergingOf(m)
	if err != nil {
		t.Fatal(err)
	}
	s := figure.Shading{Scale: scale, Unit: "CAM (logit)\nred: for"}
	must := func(p *figure.Picture, err error) *figure.Picture {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	heat, over := must(figure.HeatMap(m, s, 4)), must(figure.Overlay(img, m, s, 0.25))
	described := must(figure.Describe(img, "a photo of a frog"))
	grid := figure.Grid{
		Title: "Frogs", Columns: []string{"image", "cam", "over\nthe image"}, Bar: &s,
		Rows: []figure.Row{
			{Label: "frog\np = 0.970", Tiles: []figure.Tile{{Image: img}, {Image: heat}, {Image: must(figure.Magnify(over, 2))}}},
			{Tiles: []figure.Tile{{Image: described}, {Image: img, Caption: "none"}, {Image: img}}},
		},
	}
	replaced := grid
	replaced.Alt = "two frogs"
	confusion := figure.Confusion{Title: "Test", Classes: []string{"a", "b"}, Counts: [][]int{{3, 1}, {2, 4}}}
	for _, row := range []struct {
		name    string
		picture *figure.Picture
		want    string
	}{
		{"heat map", heat, "CAM (logit), red: for: " + peak},
		{"overlay", over, "CAM (logit), red: for: " + peak + ", drawn over the image"},
		{"overlay, larger", must(figure.Magnify(over, 2)), "CAM (logit), red: for: " + peak + ", drawn over the image"},
		{"described, gray", must(figure.Gray(described)), "a photo of a frog"},
		{"color bar", must(figure.ColorBar{Shading: s}.Draw()), "color bar from -5 to 5: CAM (logit), red: for"},
		{"pair", must(figure.Pair{Title: "A frog", Image: img, Map: m, Shading: s}.Draw()), "A frog: 2 pictures, in columns image, map. map " + peak + ". Colors: CAM (logit), red: for."},
		{"grid", must(grid.Draw()), "Frogs: 2 rows of 3 pictures, in columns image, cam, over, the image. " +
			"frog, p = 0.970: cam " + place + ". image a photo of a frog; cam none. Colors: CAM (logit), red: for."},
		{"grid with words of its own", must(replaced.Draw()), "two frogs"},
		{"confusion", must(confusion.Draw()), "Test: confusion matrix of 2 classes, 7 of 10 images right; most often wrong: b taken for a 2, a taken for b 1."},
	} {
		if row.picture.Alt != row.want {
			t.Errorf("%s: %q, want %q", row.name, row.picture.Alt, row.want)
		}
		file, err := figure.PNGBytes(row.picture)
		if err != nil || pngtext.Get(file, pngtext.Description) != row.want {
			t.Errorf("%s: its file says %q, %v, want %q", row.name, pngtext.Get(file, pngtext.Description), err, row.want)
		}
	}
	if got := figure.Alt(image.NewGray(image.Rect(0, 0, 30, 20))); got != "picture of 30×20 pixels" {
		t.Errorf("a picture that nobody described: %q", got)
	}
}

// TestTilesAreFoundInTheFile cuts the image out of a pair's file.
func TestTilesAreFoundInTheFile(t *testing.T) {
	img := scene(3, 2)
	p, err := figure.Pair{Title: "A title that is wider than the two tiles", Image: img, Map: images.Map{H: 1, W: 2, Values: []float32{1, 2}}, Zoom: 4}.Draw()
	if err != nil {
		t.Fatal(err)
	}
	file, err := figure.PNGBytes(p)
	if err != nil {
		t.Fatal(err)
	}
	tiles := figure.TilesOf(file)
	if len(tiles) != 2 || tiles[0].Size() != image.Pt(12, 8) || tiles[1].Size() != image.Pt(12, 8) || tiles[0].Overlaps(tiles[1]) {
		t.Fatalf("tiles %v, want two of 12×8 beside each other", tiles)
	}
	drawn, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for y := range 8 {
		for x := range 12 {
			if got, want := nrgba(drawn.At(tiles[0].Min.X+x, tiles[0].Min.Y+y)), nrgba(img.At(x/4, y/4)); got != want {
				t.Fatalf("pixel (%d, %d) of the first tile: %v, want %v of the image", x, y, got, want)
			}
		}
	}
	plain, err := figure.PNGBytes(img)
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{"a picture without": plain, "words": pngtext.Set(plain, "Tiles", "1,2,3,4 left right")} {
		if got := figure.TilesOf(file); got != nil {
			t.Errorf("%s: tiles %v, want none", name, got)
		}
	}
}

func TestLongGridIsCutInWords(t *testing.T) {
	g := figure.Grid{}
	for i := range 100 {
		g.Rows = append(g.Rows, figure.Row{Label: fmt.Sprintf("row %02d of a rather long label", i), Tiles: []figure.Tile{{Image: scene(2, 1)}}})
	}
	p, err := g.Draw()
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Count(p.Alt, "rather long")
	if len(p.Alt) > 1600 || said == 0 || !strings.HasSuffix(p.Alt, fmt.Sprintf("And %d more rows.", 100-said)) {
		t.Errorf("%d characters, %d rows: %q", len(p.Alt), said, p.Alt)
	}
}

// A picture says where its map is largest.
func ExampleHeatMap_alt() {
	m := images.Map{H: 2, W: 2, Values: []float32{0, 3, -1, 1}}
	scale, err := figure.DivergingOf(m)
	if err != nil {
		panic(err)
	}
	picture, err := figure.HeatMap(m, figure.Shading{Scale: scale, Unit: "CAM (logit)"}, 8)
	if err != nil {
		panic(err)
	}
	fmt.Println(picture.Alt)
	// Output: CAM (logit): largest at the upper right (3 in row 1, column 2 of 2×2)
}
