// Package chart draws leaderboards. It is a package of its own, so that a program which
// only makes maps links neither the metrics nor what they need.
package chart

import (
	"fmt"
	"strings"

	"github.com/camlab-go/camlab/camlib/board"
	"github.com/camlab-go/camlab/camlib/figure/curve"
)

// PNG draws columns of a leaderboard, by their names, as dots with 95 % intervals: a row
// for each method, the best first, the baselines in gray and a dashed line through the best
// of those. It returns a PNG file, which notebook.ShowPNG displays. It fails, naming it,
// for a column that the board does not have, and as [curve.Intervals.PNG] does.
func PNG(b *board.Board, columns ...string) ([]byte, error) {
	chart := curve.Intervals{}
	for _, r := range b.Rows {
		name := r.Name
		if r.SameAs != "" {
			name += " = " + r.SameAs
		}
		chart.Rows, chart.Grey = append(chart.Rows, name), append(chart.Grey, r.Baseline)
	}
	for _, name := range columns {
		k := b.Column(name)
		if k < 0 {
			var has []string
			for _, c := range b.Columns {
				has = append(has, c.Name)
			}
			return nil, fmt.Errorf("chart: no column %q on this board, want some of: %s", name, strings.Join(has, ", "))
		}
		panel := curve.Panel{Title: fmt.Sprintf("%s, n = %d", name, b.Columns[k].N)}
		for _, e := range b.Intervals(k) {
			var v *curve.Interval
			if e != nil {
				v = &curve.Interval{Mean: e.Mean, Low: e.Low, High: e.High}
			}
			panel.Values = append(panel.Values, v)
		}
		chart.Panels = append(chart.Panels, panel)
		chart.HigherIsBetter = append(chart.HigherIsBetter, b.Columns[k].Better == "higher")
	}
	return chart.PNG()
}
