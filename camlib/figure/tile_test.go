package figure_test

import (
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/images"
)

var (
	weak   = images.Map{H: 1, W: 2, Values: []float32{1, -1}}
	strong = images.Map{H: 1, W: 2, Values: []float32{-4, 2}}
)

// TestTiles holds the pictures of tiles to their sizes and colors.
func TestTiles(t *testing.T) {
	at := figure.CoolWarm.At
	half := func(a, b uint8) uint8 { return uint8((int(a) + int(b) + 1) / 2) }
	for _, row := range []struct {
		name   string
		grid   figure.Grid
		tile   figure.Tile
		size   image.Point
		colors []color.NRGBA // at the left and at the right
	}{
		{"the scale of all maps", figure.Grid{Side: 9}, figure.Tile{Map: weak}, image.Pt(8, 4), []color.NRGBA{at(0.625), at(0.375)}},
		{"a scale that is given", figure.Grid{Bar: &figure.Shading{Scale: must(figure.Diverging(2))}}, figure.Tile{Map: weak}, image.Pt(2, 1), []color.NRGBA{at(0.75), at(0.25)}},
		{"a unit and the scale of all maps", figure.Grid{Bar: &figure.Shading{Unit: "logit"}}, figure.Tile{Map: weak}, image.Pt(2, 1), []color.NRGBA{at(0.625), at(0.375)}},
		{"relative", figure.Grid{Relative: true, Side: 2}, figure.Tile{Map: weak}, image.Pt(2, 1), []color.NRGBA{at(1), at(0)}},
		{"relative, whatever the bar", figure.Grid{Relative: true, Bar: &figure.Shading{Scale: must(figure.Diverging(9))}}, figure.Tile{Map: weak}, image.Pt(2, 1), []color.NRGBA{at(1), at(0)}},
		{"over an image", figure.Grid{Relative: true, Side: 4}, figure.Tile{Map: weak, Image: image.NewNRGBA(image.Rect(0, 0, 2, 2))}, image.Pt(4, 4), nil},
		{"an image", figure.Grid{Side: 7}, figure.Tile{Image: image.NewNRGBA(image.Rect(3, 3, 5, 4))}, image.Pt(6, 3), nil},
		{"a tall image", figure.Grid{Side: 8}, figure.Tile{Image: image.NewNRGBA(image.Rect(0, 0, 1, 4))}, image.Pt(2, 8), nil},
		{"an image as it is", figure.Grid{}, figure.Tile{Image: image.NewNRGBA(image.Rect(0, 0, 2, 1))}, image.Pt(2, 1), nil},
		{"an image larger than the side", figure.Grid{Side: 1}, figure.Tile{Image: image.NewNRGBA(image.Rect(0, 0, 2, 1))}, image.Pt(2, 1), nil},
		{"an empty place", figure.Grid{Side: 5}, figure.Tile{Caption: "3"}, image.Pt(5, 5), nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := row.grid
			g.Add("first", row.tile)
			g.Add("second", figure.Tile{Map: strong, Caption: "strong"})
			drawn, err := g.Drawn()
			if err != nil {
				t.Fatal(err)
			}
			tile := drawn.Rows[0].Tiles[0]
			if got := tile.Image.Bounds().Size(); got != row.size {
				t.Fatalf("picture of %v, want %v", got, row.size)
			}
			if tile.Caption != row.tile.Caption || drawn.Rows[0].Label != "first" || drawn.Rows[1].Tiles[0].Caption != "strong" {
				t.Errorf("rows %+v, want their labels and captions", drawn.Rows)
			}
			for k, want := range row.colors {
				if got := tile.Image.At(k*(row.size.X-1), 0); got != want {
					t.Errorf("color %d is %v, want %v", k, got, want)
				}
			}
			if g.Rows[0].Tiles[0].Image != row.tile.Image {
				t.Error("drawing changed the grid")
			}
		})
	}
	white := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	for i := range white.Pix {
		white.Pix[i] = 255
	}
	over, err := figure.Grid{Relative: true, Rows: []figure.Row{{Tiles: []figure.Tile{{Image: white, Map: weak}}}}}.Drawn()
	if err != nil {
		t.Fatal(err)
	}
	red := at(1)
	if got, want := over.Rows[0].Tiles[0].Image.At(0, 0), (color.NRGBA{half(255, red.R), half(255, red.G), half(255, red.B), 255}); got != want {
		t.Errorf("over white %v, want %v: half and half", got, want)
	}
}

// TestTilesInWords holds the alternative text to where a map is largest, said once for the
// map and the same over an image, and to what the colors mean.
func TestTilesInWords(t *testing.T) {
	g := figure.Grid{Columns: []string{"map", "over"}, Relative: true, Side: 8}
	g.Add("frog", figure.Tile{Map: strong}, figure.Tile{Map: strong, Image: image.NewNRGBA(image.Rect(0, 0, 4, 4))})
	picture, err := g.Draw()
	if err != nil {
		t.Fatal(err)
	}
	const place = "largest at the right (row 1, column 2 of 1×2), most negative at the left (row 1, column 1 of 1×2)"
	if got, want := picture.Alt, "2 pictures, in columns map, over. frog: map "+place+". Colors: share of the map's largest value."; got != want {
		t.Errorf("alternative text %q, want %q", got, want)
	}
}

func TestTilesSayWhatIsWrong(t *testing.T) {
	for _, row := range []struct {
		name string
		grid figure.Grid
		tile figure.Tile
		want string
	}{
		{"a map of another length", figure.Grid{}, figure.Tile{Map: images.Map{H: 2, W: 2, Values: []float32{1}}}, "map 0: images: map: 1 values, want 2×2 = 4"},
		{"the same, relative", figure.Grid{Relative: true}, figure.Tile{Map: images.Map{H: 2, W: 2, Values: []float32{1}}}, "figure: grid: row 0, column 0: "},
		{"no image", figure.Grid{}, figure.Tile{}, "figure: grid: row 0, column 0: "},
		{"an image that is not there", figure.Grid{Side: 8}, figure.Tile{Image: &images.Missing{Err: image.ErrFormat}}, "figure: grid: row 0, column 0: "},
		{"a map over one that is not there", figure.Grid{Side: 8}, figure.Tile{Image: &images.Missing{Err: image.ErrFormat}, Map: weak}, "figure: grid: row 0, column 0: figure: overlay: "},
	} {
		row.grid.Add("", row.tile)
		if _, err := row.grid.Draw(); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error %v, want %q", row.name, err, row.want)
		}
	}
}
