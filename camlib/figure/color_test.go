package figure_test

import (
	"image/color"
	"math"
	"testing"

	"gonum.org/v1/plot/palette/moreland"

	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/images"
)

func TestScale(t *testing.T) {
	sequential := must(figure.Sequential(-2, 6))
	diverging := must(figure.Diverging(4))
	for _, c := range []struct {
		rule string
		s    figure.Scale
		v, t float64
	}{
		{"low end", sequential, -2, 0},
		{"a quarter", sequential, 0, 0.25},
		{"high end", sequential, 6, 1},
		{"below goes to the end", sequential, -9, 0},
		{"above goes to the end", sequential, 9, 1},
		{"zero is the middle", diverging, 0, 0.5},
		{"negative is below", diverging, -3, 0.125},
		{"positive is above", diverging, 3, 0.875},
		{"constant is the first colour", must(figure.Sequential(7, 7)), 7, 0},
		{"all zero is neutral", must(figure.Diverging(0)), 0, 0.5},
		{"the extent may overflow", must(figure.Sequential(-math.MaxFloat64, math.MaxFloat64)), math.MaxFloat64 / 2, 0.75},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if got := c.s.At(c.v); got != c.t {
				t.Errorf("At(%v) = %v, want %v", c.v, got, c.t)
			}
		})
	}
}

func TestScaleOfMaps(t *testing.T) {
	other := images.Map{H: 1, W: 2, Values: []float32{-7, 2}}
	for _, c := range []struct {
		rule   string
		s      figure.Scale
		lo, hi float64
	}{
		{"own", must(figure.SequentialOf(tilted)), -2, 4},
		{"shared", must(figure.SequentialOf(tilted, other)), -7, 4},
		{"own, diverging", must(figure.DivergingOf(tilted)), -4, 4},
		{"shared, diverging, by magnitude", must(figure.DivergingOf(tilted, other)), -7, 7},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if lo, hi := c.s.Range(); lo != c.lo || hi != c.hi {
				t.Errorf("%v to %v, want %v to %v", lo, hi, c.lo, c.hi)
			}
		})
	}
}

func TestScaleErrors(t *testing.T) {
	_, err := figure.Sequential(2, 1)
	checkError(t, err, "figure: sequential scale: from 2 to 1, want two finite numbers in rising order")
	_, err = figure.Sequential(math.NaN(), 1)
	checkError(t, err, "figure: sequential scale: from NaN to 1, want two finite numbers in rising order")
	_, err = figure.Diverging(-1)
	checkError(t, err, "figure: diverging scale: largest magnitude -1, want a finite number, not negative")
	_, err = figure.DivergingOf()
	checkError(t, err, "figure: diverging scale: no maps, want at least one")
	_, err = figure.SequentialOf(tilted, images.Map{H: 1, W: 1, Values: []float32{float32(math.Inf(1))}})
	checkError(t, err, "figure: sequential scale: map 1: images: map: row 0, column 0: value +Inf, want a finite number")
}

func TestColormaps(t *testing.T) {
	rgb := func(r, g, b uint8) color.NRGBA { return color.NRGBA{R: r, G: g, B: b, A: 255} }
	for _, c := range []struct {
		rule string
		c    figure.Colormap
		t    float64
		want color.NRGBA
	}{
		// matplotlib 3.10.0: _cm_listed.py's first, last and (by hand) mean of the two middle rows
		{"viridis starts violet", figure.Viridis, 0, rgb(68, 1, 84)},
		{"viridis ends yellow", figure.Viridis, 1, rgb(253, 231, 37)},
		{"viridis between rows 127 (33, 144, 141) and 128 (33, 145, 140)", figure.Viridis, 127.25 / 255, rgb(33, 144, 141)},
		{"inferno starts black", figure.Inferno, 0, rgb(0, 0, 4)},
		{"inferno ends pale", figure.Inferno, 1, rgb(252, 255, 164)},
		{"cool warm is neutral at zero", figure.CoolWarm, 0.5, rgb(221, 221, 221)},
		{"below is the first", figure.CoolWarm, -3, rgb(58, 76, 192)},
		{"above is the last", figure.CoolWarm, 3, rgb(180, 4, 38)},
		{"NaN is the first", figure.CoolWarm, math.NaN(), rgb(58, 76, 192)},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if got := c.c.At(c.t); got != c.want {
				t.Errorf("At(%v) = %v, want %v", c.t, got, c.want)
			}
		})
	}
}

func TestCoolWarmEqualsGonum(t *testing.T) {
	want := moreland.SmoothBlueRed()
	want.SetMin(0)
	want.SetMax(256)
	for i := range 257 {
		w := nrgba(must(want.At(float64(i))))
		if got := figure.CoolWarm.At(float64(i) / 256); far(got.R, w.R) || far(got.G, w.G) || far(got.B, w.B) {
			t.Errorf("%d of 256: %v, want %v", i, got, w)
		}
	}
}

// Luma rises all the way up a sequential map, and on both sides of a diverging one
// towards the middle, so that the maps survive printing in grey.
func TestColormapsAreMonotonicInLuma(t *testing.T) {
	luma := func(c color.NRGBA) float64 {
		return 0.299*float64(c.R) + 0.587*float64(c.G) + 0.114*float64(c.B)
	}
	rising := func(name string, c figure.Colormap, from, to float64) {
		before := -1.0
		for i := range 101 {
			l := luma(c.At(from + (to-from)*float64(i)/100))
			if l < before-1 { // a level of rounding
				t.Errorf("%s: luma falls to %v after %v, step %d", name, l, before, i)
			}
			before = l
		}
	}
	rising("viridis", figure.Viridis, 0, 1)
	rising("inferno", figure.Inferno, 0, 1)
	rising("cool warm, cool side", figure.CoolWarm, 0, 0.5)
	rising("cool warm, warm side", figure.CoolWarm, 1, 0.5)
}
