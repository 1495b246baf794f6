package figure_test

import (
	"image/color"
	"testing"

	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/images"
)

func TestGoldenColorBar(t *testing.T) {
	s := figure.Shading{Scale: must(figure.Diverging(7.25)), Unit: "CAM (logit)"}
	checkGolden(t, "colorbar_diverging", must(figure.ColorBar{Shading: s}.Draw()))
	s = figure.Shading{Scale: must(figure.Sequential(0, 0.0313)), Colors: figure.Inferno, Unit: "Grad-CAM"}
	checkGolden(t, "colorbar_sequential", must(figure.ColorBar{Shading: s, Height: 120}.Draw()))
	s = figure.Shading{Scale: must(figure.Sequential(3, 3)), Unit: "constant"}
	checkGolden(t, "colorbar_constant", must(figure.ColorBar{Shading: s, Height: 80}.Draw()))
}

func TestGoldenOverlay(t *testing.T) {
	m := hill(6, 9, 5)
	s := figure.Shading{Scale: must(figure.SequentialOf(m)), Colors: figure.Inferno}
	img := must(figure.Overlay(must(figure.Gray(scene(36, 24))), m, s, 0.4))
	checkGolden(t, "overlay", must(figure.Magnify(img, 5)))
}

func TestGoldenPair(t *testing.T) {
	m := hill(6, 9, 5)
	checkGolden(t, "pair", must(figure.Pair{
		Title: "frog, test image 4", Image: scene(36, 24), Map: m, Name: "CAM",
		Shading: figure.Shading{Scale: must(figure.DivergingOf(m)), Unit: "CAM (logit)"},
	}.Draw()))
}

func TestGoldenGrid(t *testing.T) {
	a, b := hill(6, 9, 5), hill(6, 9, 2)
	s := figure.Shading{Scale: must(figure.DivergingOf(a, b)), Unit: "CAM (logit)"}
	g := figure.Grid{
		Title:   "What speaks for the class, red, and against it, blue",
		Columns: []string{"image", "CAM", "CAM, 16×16 cells"},
		Bar:     &s,
	}
	for i, m := range []images.Map{a, b} {
		smooth := must(m.Resize(24, 36, images.AlignCorners))
		g.Rows = append(g.Rows, figure.Row{
			Label: []string{"frog\np = 0.98", "automobile\np = 0.07"}[i],
			Tiles: []figure.Tile{
				{Image: must(figure.Magnify(scene(36, 24), 5)), Caption: []string{"", "test image 12"}[i]},
				{Image: must(figure.HeatMap(smooth, s, 5))},
				{Image: must(figure.HeatMap(m, s, 16))},
			},
		})
	}
	checkGolden(t, "grid", must(g.Draw()))
}

func TestGoldenConfusion(t *testing.T) {
	checkGolden(t, "confusion", must(figure.Confusion{
		Title:   "Test images by class",
		Classes: []string{"airplane", "automobile", "cat"},
		Counts:  [][]int{{812, 31, 157}, {4, 960, 36}, {0, 0, 0}},
	}.Draw()))
}

// The share, not the count, gives the colour: 30 of 40 is drawn as 3 of 4 is.
func TestConfusionColoursAreSharesOfTheRow(t *testing.T) {
	img := must(figure.Confusion{
		Classes: []string{"a", "b"},
		Counts:  [][]int{{30, 10}, {1, 3}},
	}.Draw())
	count := map[color.NRGBA]int{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() / 2 { // without the colour bar
			count[img.NRGBAAt(x, y)]++
		}
	}
	three, one := count[figure.Viridis.At(0.75)], count[figure.Viridis.At(0.25)]
	// Two cells each of 36×36, less at most a quarter for the digits.
	if least := 2 * 36 * 36 * 3 / 4; three < least || one < least {
		t.Errorf("%d pixels of share 3/4 and %d of 1/4, want at least %d each", three, one, least)
	}
}
