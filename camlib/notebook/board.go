package notebook

import (
	"fmt"

	"github.com/camlab-go/camlab/camlib/board"
	"github.com/camlab-go/camlab/camlib/figure/curve"
)

// Board shows columns of a leaderboard, by their names, as dots with 95 % intervals: a
// row for each method, the best first, the baselines in gray and a dashed line through
// the best of those.
func Board(b *board.Board, columns ...string) {
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
			Check(fmt.Errorf("notebook: board: no column %q", name))
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
	ShowPNG(chart.PNG())
}
