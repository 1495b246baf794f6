package curve_test

import (
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/figure/curve"
	"github.com/camlab-go/camlab/internal/pngtext"
)

func TestChartInWords(t *testing.T) {
	chart := curve.Chart{
		Title: "Loss <train>", XLabel: "epoch", YLabel: "loss (nats)",
		Series: []curve.Series{
			{Name: "train", Y: []float64{3, 2, 1}}, {Name: "test", Y: []float64{3, 0.5, 4, 2.25}},
			{Name: "flat", Y: []float64{1, 1}}, {Name: "up", X: []float64{5, 7}, Y: []float64{1, 9}}, {Name: "one", Y: []float64{0.123456}},
		},
	}
	const want = "Loss <train>: line chart of loss (nats) over epoch 1 to 7. train falls from 3 to 1. " +
		"test falls from 3 to 2.25, lowest 0.5 at 2, highest 4 at 3. flat begins and ends at 1. up rises from 1 to 9. one is 0.123."
	if got, err := chart.Alt(); err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	png, err := chart.PNG()
	if err != nil || pngtext.Get(png, pngtext.Description) != want {
		t.Errorf("its PNG says %q, %v", pngtext.Get(png, pngtext.Description), err)
	}
	svg, err := chart.SVG()
	if err != nil || !strings.Contains(string(svg), "<title>Loss &lt;train&gt;: line chart") {
		t.Errorf("no title in the SVG: %v", err)
	}
	if _, err := (curve.Chart{}).Alt(); err == nil {
		t.Error("no error for a chart without curves")
	}
}

func TestIntervalsInWords(t *testing.T) {
	v := func(mean float64) *curve.Interval { return &curve.Interval{Mean: mean, Low: mean - 1, High: mean + 1} }
	chart := curve.Intervals{
		Rows: []string{"a", "b", "c", "d", "e"}, Grey: []bool{false, false, false, true, false}, HigherIsBetter: []bool{true, false},
		Panels: []curve.Panel{{Title: "up", Values: []*curve.Interval{v(1), v(5), v(3), v(2), nil}}, {Title: "down", Values: []*curve.Interval{v(1), v(5), nil, nil, nil}}},
	}
	const want = "dots with intervals, 5 rows in 2 panels. " +
		"up, higher is better: best b 5 (4 to 6), c 3 (2 to 4), d 2 (1 to 3); worst a 1 (0 to 2); best in grey d 2 (1 to 3). " +
		"down, lower is better: best a 1 (0 to 2), b 5 (4 to 6)."
	png, err := chart.PNG()
	if err != nil || pngtext.Get(png, pngtext.Description) != want {
		t.Errorf("%q, %v, want %q", pngtext.Get(png, pngtext.Description), err, want)
	}
}
