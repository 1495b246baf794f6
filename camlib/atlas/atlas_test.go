package atlas_test

import (
	"image/color"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/atlas"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/camlib/train"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// The head of [newQuarters]: weights of red, green and blue for classes 0, 1 and 2, and
// biases.
var (
	weights = []float32{
		8, -4, 2, // red
		-4, 8, 2, // green
		0, -8, 4, // blue
	}
	bias = []float32{0.5, 0, -0.25}
)

const (
	black = iota
	red
	green
	blue
)

// TestByHand holds every mean to what it is by hand.
func TestByHand(t *testing.T) {
	a := makeAtlas(t, five())
	if want := []int{0, 0, 1, 2, 0}; !slices.Equal(a.Predicted, want) {
		t.Fatalf("predicted %v, want %v", a.Predicted, want)
	}
	if a.Height != 2 || a.Width != 2 {
		t.Fatalf("maps of %d×%d, want 2×2", a.Height, a.Width)
	}
	near(t, "bias", a.Bias, 0.5, 0, -0.25)
	near(t, "scores of image 4", a.Scores[12:], 1.5, 1, 0.75)

	counts := [][]int{{1, 0, 0}, {2, 1, 0}, {0, 0, 1}}
	for label, row := range counts {
		for predicted, n := range row {
			if got := a.Cells[label][predicted].N; got != n || a.Evaluation.Confusion[label][predicted] != n {
				t.Errorf("cell %d, %d: %d images, want %d", label, predicted, got, n)
			}
		}
	}

	if got := a.Confusions(); !slices.Equal(got, []atlas.Confusion{{Label: 1, Predicted: 0, N: 2}}) {
		t.Errorf("confusions %v, want those of 1 with 0", got)
	}

	cell := a.Cells[1][0] // images 1 and 4: all red, and a red upper right beside a green lower right
	near(t, "true class", cell.Map(1).Values, -2, -4, -2, 2)
	near(t, "predicted class", cell.Map(0).Values, 4, 8, 4, 2)
	near(t, "third class", cell.Map(2).Values, 1, 2, 1, 2)
	near(t, "contrast", cell.Contrast(0, 1).Values, 6, 12, 6, 0)
	near(t, "centered", cell.Centered(0).Values, 3, 6, 3, 0)
	near(t, "scores", cell.Scores, 5, -1.5, 1.25)

	labeled := a.Labeled(1) // images 1, 2 and 4
	if labeled.N != 3 {
		t.Errorf("%d images labeled 1, want 3", labeled.N)
	}
	near(t, "labeled 1, map", labeled.Map(1).Values, -4./3, -8./3, 4./3, 4)
	near(t, "labeled 1, scores", labeled.Scores, 8.5/3, 1./3, 3.25/3)
	called := a.Called(0) // images 0, 1 and 4
	if called.N != 3 {
		t.Errorf("%d images called 0, want 3", called.N)
	}
	near(t, "called 0, map", called.Map(0).Values, 16./3, 16./3, 8./3, 4./3)

	near(t, "F1", []float64{a.Evaluation.PerClass[0].F1, a.Evaluation.PerClass[1].F1, a.Evaluation.PerClass[2].F1}, 0.5, 0.5, 1)
	if a.Misfit > 1e-5 {
		t.Errorf("misfit %g, want rounding", a.Misfit)
	}
}

// TestMeanIsScore holds the mean of each mean map plus the bias to the mean score.
func TestMeanIsScore(t *testing.T) {
	a := makeAtlas(t, five())
	for _, g := range []atlas.Group{a.Cells[1][0], a.Labeled(1), a.Called(0), a.Where(func(int, int) bool { return true })} {
		for c := range a.Bias {
			sum := 0.0
			for _, v := range g.Map(c).Values {
				sum += float64(v)
			}
			if d := sum/4 + float64(a.Bias[c]) - g.Scores[c]; math.Abs(d) > 1e-5 {
				t.Errorf("%d images, class %d: mean of the map and bias miss the score by %g", g.N, c, d)
			}
		}
	}
}

// TestNoImages holds groups of no images to having no maps.
func TestNoImages(t *testing.T) {
	a := makeAtlas(t, five())
	for _, g := range []atlas.Group{a.Cells[0][2], a.Where(func(int, int) bool { return false })} {
		if g.N != 0 || g.Map(0).Values != nil || g.Contrast(0, 1).Values != nil || g.Centered(0).Values != nil || g.Picture() != nil || g.Scores != nil {
			t.Errorf("group of no images: %+v, want nothing in it", g)
		}
	}
}

// TestConcentration holds the concentration to the Gini index of the predicted
// class's map, by hand: a map of one place of four has 1 − 1/4; a flat one 0; two
// equal places of four ½; 8 and 4, which is |−4|, of four (0, 0, 4, 8): 1 − 2(4·1.5 + 8·0.5)/(12·4).
func TestConcentration(t *testing.T) {
	a := makeAtlas(t, five())
	near(t, "concentration", a.Concentration, 0.75, 0, 0.5, 0.75, 1-20./48)
	if got, want := a.ByConcentration(0), []int{0, 4, 1}; !slices.Equal(got, want) {
		t.Errorf("called 0, the most concentrated first: %v, want %v", got, want)
	}
	if got := a.ByConcentration(1); !slices.Equal(got, []int{2}) {
		t.Errorf("called 1: %v, want [2]", got)
	}
	// Class 1, the true one, would have −4 and −8 of four.
	b := makeAtlas(t, paint([]uint8{1}, [4]int{red, black, black, blue}))
	near(t, "concentration of a mistake", b.Concentration, 0.75)
	near(t, "gini of nothing", []float64{metric.Gini(nil), metric.Gini([]float32{0, 0})}, 0, 0)
}

// TestSurestFirst holds the order of a cell's images, and that of the confusions.
func TestSurestFirst(t *testing.T) {
	ds := paint([]uint8{1, 1, 2, 1, 0},
		[4]int{black, red, black, green}, // 0: p = 0.46
		[4]int{red, red, red, red},       // 0: p = 1.00
		[4]int{red, red, red, black},     // 0
		[4]int{red, black, black, black}, // 0: p = 0.88
		[4]int{green, green, green, green})
	a := makeAtlas(t, ds)
	if got, want := a.Images(1, 0), []int{1, 3, 0}; !slices.Equal(got, want) {
		t.Errorf("images of 1 taken for 0: %v, want %v", got, want)
	}
	if got := a.Images(1, 1); got != nil {
		t.Errorf("images of 1 taken for 1: %v, want none", got)
	}
	want := []atlas.Confusion{{Label: 1, Predicted: 0, N: 3}, {Label: 0, Predicted: 1, N: 1}, {Label: 2, Predicted: 0, N: 1}}
	if got := a.Confusions(); !slices.Equal(got, want) {
		t.Errorf("confusions %v, want %v", got, want)
	}
}

// TestPicture holds the mean image of a cell to its colours.
func TestPicture(t *testing.T) {
	img := makeAtlas(t, five()).Cells[1][0].Picture()
	for _, test := range []struct {
		x, y int
		want color.NRGBA
	}{
		{15, 15, color.NRGBA{128, 0, 0, 255}}, // red and black: 127.5, rounded up
		{16, 15, color.NRGBA{255, 0, 0, 255}},
		{16, 16, color.NRGBA{128, 128, 0, 255}},
	} {
		if got := img.NRGBAAt(test.x, test.y); got != test.want {
			t.Errorf("pixel %d, %d: %v, want %v", test.x, test.y, got, test.want)
		}
	}
}

// TestBatches holds an atlas of several batches, the last of them not full, to the
// weighted means of its images.
func TestBatches(t *testing.T) {
	var kinds [][4]int
	var labels []uint8
	for i := range 230 {
		labels = append(labels, 1)
		if i < 210 {
			kinds = append(kinds, [4]int{red, red, red, red})
		} else {
			kinds = append(kinds, [4]int{black, red, black, green})
			labels[i] = 2
		}
	}
	a := makeAtlas(t, paint(labels, kinds...))
	g := a.Called(0)
	if g.N != 230 || a.Cells[1][0].N != 210 || a.Cells[2][0].N != 20 || len(a.Concentration) != 230 || len(a.Scores) != 690 || len(a.Predicted) != 230 {
		t.Fatalf("%d images, %d and %d of classes 1 and 2, want 230, 210 and 20", g.N, a.Cells[1][0].N, a.Cells[2][0].N)
	}
	near(t, "map", g.Map(0).Values, 8*210./230, 8, 8*210./230, (8*210.-4*20)/230)
}

// TestSampleAgrees holds the atlas of the shipped model to the evaluator and to
// [cam.Contrast], on the sample.
func TestSampleAgrees(t *testing.T) {
	backend := backendtest.XLA(t)
	model, err := article.Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	e, err := cam.New(backend, model, cam.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ds := cifar10.Sample()
	a, err := atlas.New(t.Context(), e, ds)
	if err != nil {
		t.Fatal(err)
	}
	evaluator, err := train.NewEvaluator(backend, model)
	if err != nil {
		t.Fatal(err)
	}
	want, err := evaluator.Evaluate(t.Context(), ds)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a.Evaluation.Confusion, want.Confusion) || a.Evaluation.MacroF1 != want.MacroF1 {
		t.Errorf("confusion %v, want %v", a.Evaluation.Confusion, want.Confusion)
	}
	if a.Misfit == 0 || a.Misfit > 1e-4 {
		t.Errorf("misfit %g, want rounding: above 0, at most 1e-4 of scores up to 30", a.Misfit)
	}

	c := a.Confusions()[0]
	some, err := ds.Select(a.Images(c.Label, c.Predicted)...)
	if err != nil {
		t.Fatal(err)
	}
	x, err := images.FromDataset(some, 0, some.Len())
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Explain(t.Context(), cam.CAM{}, x, cam.Contrast(c.Predicted, c.Label))
	if err != nil {
		t.Fatal(err)
	}
	mean := make([]float64, r.Height*r.Width)
	for i, v := range r.Maps {
		mean[i%len(mean)] += float64(v) / float64(c.N)
	}
	for p, v := range a.Cells[c.Label][c.Predicted].Contrast(c.Predicted, c.Label).Values {
		if math.Abs(float64(v)-mean[p]) > 1e-3 { // of maps up to 200 in float32
			t.Fatalf("contrast at %d: %v, want %v", p, v, mean[p])
		}
	}
}
