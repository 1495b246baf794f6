package curve_test

import (
	"bytes"
	"image/color"
	"image/png"
	"math"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/figure/curve"
)

func intervals() curve.Intervals {
	return curve.Intervals{
		Rows: []string{"cam", "edge", "rise"},
		Grey: []bool{false, true, false},
		Panels: []curve.Panel{
			{Title: "road", Values: []*curve.Interval{{0.5, 0.4, 0.6}, {0.1, 0, 0.2}, nil}},
			{Title: "deletion", Values: []*curve.Interval{{1, 1, 1}, {2, 2, 2}, {3, 2.5, 3.5}}},
		},
		HigherIsBetter: []bool{true, false},
	}
}

// TestIntervals counts ink: a blue dot and line for every method, grey ones for the
// baseline, and nothing where a value is missing.
func TestIntervals(t *testing.T) {
	blue, grey := curve.Color(0).(color.NRGBA), color.NRGBA{0x80, 0x80, 0x80, 0xff}
	ink := func(c curve.Intervals, of color.NRGBA) (n int) {
		t.Helper()
		data, err := c.PNG()
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if img.Bounds().Dx() != 880 {
			t.Errorf("%d pixels wide, want 880", img.Bounds().Dx())
		}
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				if color.NRGBAModel.Convert(img.At(x, y)) == of {
					n++
				}
			}
		}
		return n
	}
	all, base := ink(intervals(), blue), ink(intervals(), grey)
	if all == 0 || base == 0 {
		t.Fatalf("%d blue and %d grey pixels, want some of each", all, base)
	}
	c := intervals()
	c.Panels[0].Values[0] = nil
	if n := ink(c, blue); n >= all || n == 0 {
		t.Errorf("%d blue pixels without a value, want fewer than %d", n, all)
	}
	c = intervals()
	c.Grey = nil
	if more, none := ink(c, blue), ink(c, grey); more <= all || none >= base {
		t.Errorf("without grey rows %d blue and %d grey pixels, want more than %d and fewer than %d", more, none, all, base)
	}
}

func TestIntervalsFail(t *testing.T) {
	for want, change := range map[string]func(c *curve.Intervals){
		"curve: intervals: no rows or no panels, want at least one of each":                            func(c *curve.Intervals) { c.Rows = nil },
		"curve: intervals: want HigherIsBetter for each panel, and Grey for each row or not at all":    func(c *curve.Intervals) { c.Grey = c.Grey[:1] },
		`curve: intervals: panel "road": 2 values, want 3, one for each row`:                           func(c *curve.Intervals) { c.Panels[0].Values = c.Panels[0].Values[:2] },
		`curve: intervals: panel "road": cam: 0.5 in 0.7 to 0.6, want finite numbers in rising order`:  func(c *curve.Intervals) { c.Panels[0].Values[0].Low = 0.7 },
		`curve: intervals: panel "deletion": edge: NaN in 2 to 2, want finite numbers in rising order`: func(c *curve.Intervals) { c.Panels[1].Values[1].Mean = math.NaN() },
	} {
		c := intervals()
		change(&c)
		if _, err := c.PNG(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
