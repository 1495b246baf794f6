package curve_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/figure/curve"
)

var update = flag.Bool("update", false, "write the golden images in testdata")

// tolerance is the largest difference of a channel, in levels of 255, that counts as
// equal to a golden image: the rasteriser adds up areas in float32, which processors
// with fused multiply–add round differently.
const tolerance = 3

func checkGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".png")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	g, w := decode(t, got), decode(t, file)
	if g.Bounds() != w.Bounds() {
		t.Fatalf("%s: size %v, want %v; see -update", name, g.Bounds().Size(), w.Bounds().Size())
	}
	for y := range w.Bounds().Dy() {
		for x := range w.Bounds().Dx() {
			a, b := nrgba(g.At(x, y)), nrgba(w.At(x, y))
			for _, d := range []int{int(a.R) - int(b.R), int(a.G) - int(b.G), int(a.B) - int(b.B), int(a.A) - int(b.A)} {
				if d < -tolerance || d > tolerance {
					t.Fatalf("%s: pixel (%d, %d): %v, want %v; see -update", name, x, y, a, b)
				}
			}
		}
	}
}

func decode(t *testing.T, b []byte) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func nrgba(c color.Color) color.NRGBA { return color.NRGBAModel.Convert(c).(color.NRGBA) }

// texts returns the contents of the <text> elements of an SVG file.
func texts(svg []byte) ([]string, error) {
	var all []string
	inText := false
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
		switch e := token.(type) {
		case xml.StartElement:
			inText = e.Name.Local == "text"
		case xml.EndElement:
			inText = false
		case xml.CharData:
			if s := strings.TrimSpace(string(e)); inText && s != "" {
				all = append(all, s)
			}
		}
	}
}

var classes = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

// run is a made-up training run: class k's F1 rises to a limit that depends on k.
func run(epochs int) (train, test, macro []float64, perClass [][]float64) {
	perClass = make([][]float64, len(classes))
	for e := 1; e <= epochs; e++ {
		sum := 0.0
		for k := range classes {
			f1 := (0.93 - 0.025*float64(k*7%10)) * (1 - math.Exp(-float64(e+1)/3))
			perClass[k] = append(perClass[k], f1)
			sum += f1
		}
		macro = append(macro, sum/float64(len(classes)))
		train = append(train, 1.9*math.Exp(-float64(e)/5)+0.1)
		test = append(test, 1.2*math.Exp(-float64(e)/4)+0.55+0.01*float64(e))
	}
	return train, test, macro, perClass
}

func TestGoldenLoss(t *testing.T) {
	train, test, _, _ := run(15)
	got, err := curve.Loss(train, test).PNG()
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "loss", got)
}

func TestGoldenF1(t *testing.T) {
	_, _, macro, perClass := run(15)
	got, err := curve.F1(macro, classes, perClass).PNG()
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "f1", got)
}

// A live curve begins with one epoch, which has to show as points.
func TestGoldenFirstEpoch(t *testing.T) {
	c := curve.Loss([]float64{1.6}, []float64{1.3})
	c.Width, c.Height = 300, 160
	got, err := c.PNG()
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "first_epoch", got)
}

func TestTicksAndLegend(t *testing.T) {
	train, test, macro, perClass := run(15)
	long := slices.Repeat([]float64{0.4}, 40)
	for _, c := range []struct {
		rule                string
		chart               curve.Chart
		xTicks, yTicks, end string // the end is the legend
	}{
		{"every epoch of 15; loss from 0", curve.Loss(train, test),
			"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15", "0.0 0.5 1.0 1.5 2.0", "train test"},
		{"F1 from 0 to 1 whatever the data", curve.F1(macro, classes, perClass),
			"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15", "0.0 0.2 0.4 0.6 0.8 1.0", "macro average " + strings.Join(classes, " ")},
		{"long runs in steps", curve.Loss(long, long), "5 10 15 20 25 30 35 40", "0.00 0.05 0.10 0.15 0.20 0.25 0.30 0.35 0.40", "train test"},
		{"no half epochs", curve.Loss(train[:2], test[:2]), "1 2", "0.0 0.5 1.0 1.5 2.0", "train test"},
		{"a single epoch", curve.Loss(train[:1], test[:1]), "1", "0.0 0.5 1.0 1.5 2.0", "train test"},
		{"values below 0 are shown", curve.Chart{XLabel: "epoch", YLabel: "y", Series: []curve.Series{{Name: "a", Y: []float64{-3, 7}}}},
			"1 2", "-4 -2 0 2 4 6 8", "a"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			svg, err := c.chart.SVG()
			if err != nil {
				t.Fatal(err)
			}
			got, err := texts(svg)
			if err != nil {
				t.Fatal(err)
			}
			words := []string{c.chart.XLabel, c.xTicks, c.chart.YLabel, c.yTicks, c.end}
			if c.chart.Title != "" {
				words = slices.Insert(words, 0, c.chart.Title)
			}
			if got, want := strings.Join(got, " "), strings.Join(words, " "); got != want {
				t.Errorf("texts\n%s, want\n%s", got, want)
			}
		})
	}
}

// On an axis from 0 to 1, a flat line at 0.25 lies a quarter of the way up from a
// line at 0 to a line at 1.
func TestScaleOfY(t *testing.T) {
	marks := []color.NRGBA{{R: 255, A: 255}, {G: 255, A: 255}, {B: 255, A: 255}}
	c := curve.Chart{Y: [2]float64{0, 1}}
	for i, y := range []float64{0, 0.25, 1} {
		c.Series = append(c.Series, curve.Series{Name: "s", X: []float64{0, 1}, Y: []float64{y, y}, Color: marks[i], Width: 3})
	}
	b, err := c.PNG()
	if err != nil {
		t.Fatal(err)
	}
	img := decode(t, b)
	at := make([]float64, len(marks)) // mean row of each mark along a column that crosses the lines
	for i, mark := range marks {
		n := 0.0
		for y := range img.Bounds().Dy() {
			if nrgba(img.At(img.Bounds().Dx()/3, y)) == mark {
				at[i], n = at[i]+float64(y), n+1
			}
		}
		at[i] /= n
	}
	// Whole pixels: each mean is off by less than one of about 350.
	if got := (at[0] - at[1]) / (at[0] - at[2]); math.Abs(got-0.25) > 0.006 {
		t.Errorf("rows %v: %v of the way up, want 0.25", at, got)
	}
}

func TestErrors(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		rule  string
		chart curve.Chart
		want  string
	}{
		{"no series", curve.Chart{}, "curve: no series, want at least one"},
		{"empty", curve.Loss(nil, nil), `curve: series "train": no values, want at least one`},
		{"NaN", curve.Loss([]float64{1, nan}, []float64{1, 2}), `curve: series "train": point 1: (2, NaN), want finite numbers`},
		{"infinite", curve.Loss([]float64{1, 2}, []float64{math.Inf(1), 2}), `curve: series "test": point 0: (1, +Inf), want finite numbers`},
		{"lengths", curve.Chart{Series: []curve.Series{{Name: "a", X: []float64{1}, Y: []float64{1, 2}}}}, `curve: series "a": 1 values of x, want 2, one per value of y`},
		{"axis", curve.Chart{Y: [2]float64{1, 0}, Series: []curve.Series{{Y: []float64{1}}}}, "curve: y axis from 1 to 0, want rising"},
		{"a class without scores", curve.F1([]float64{1}, []string{"cat"}, nil), `curve: series "cat": no values, want at least one`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			_, svgErr := c.chart.SVG()
			_, pngErr := c.chart.PNG()
			for _, err := range []error{svgErr, pngErr} {
				if err == nil || err.Error() != c.want {
					t.Errorf("error\n%v, want\n%s", err, c.want)
				}
			}
		})
	}
}

func ExampleLoss() {
	svg, err := curve.Loss([]float64{1.5, 1.1, 0.9}, []float64{1.3, 1.0, 1.0}).SVG()
	if err != nil {
		fmt.Println(err)
		return
	}
	drawn, err := texts(svg)
	fmt.Println(drawn, err)
	// Output: [Loss epoch 1 2 3 loss (nats) 0.0 0.2 0.4 0.6 0.8 1.0 1.2 1.4 1.6 train test] <nil>
}

func ExampleF1() {
	svg, err := curve.F1([]float64{0.5, 0.7}, []string{"cat", "dog"}, [][]float64{{0.4, 0.6}, {0.6, 0.8}}).SVG()
	if err != nil {
		fmt.Println(err)
		return
	}
	drawn, err := texts(svg)
	fmt.Println(drawn, err)
	// Output: [F1 score on the test images epoch 1 2 F1 0.0 0.2 0.4 0.6 0.8 1.0 macro average cat dog] <nil>
}

func ExampleChart_PNG() {
	c := curve.Chart{Width: 300, Height: 150, Series: []curve.Series{{Name: "accuracy", Y: []float64{0.4, 0.6}}}}
	b, err := c.PNG()
	if err != nil {
		fmt.Println(err)
		return
	}
	img, err := png.DecodeConfig(bytes.NewReader(b))
	fmt.Println(img.Width, img.Height, err) // 96 pixels are 72 points
	// Output: 400 200 <nil>
}
