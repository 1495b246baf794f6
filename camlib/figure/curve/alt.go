package curve

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/camlab-go/camlab/internal/legible"
)

// Alt returns the chart's alternative text: the ends of the x axis and, of every
// curve, its first and last value, and its lowest and highest where they are neither.
// PNG and SVG keep it in the file.
func (c Chart) Alt() (string, error) {
	points, err := c.points()
	if err != nil {
		return "", err
	}
	x := cmp.Or(c.XLabel, "x")
	from, to, _, _ := bounds(points)
	text := "line chart"
	if c.Title != "" {
		text = c.Title + ": " + text
	}
	if c.YLabel != "" {
		text += " of " + c.YLabel
	}
	text += fmt.Sprintf(" over %s %s to %s", x, number(from), number(to))
	for i, xys := range points {
		first, last := xys[0], xys[len(xys)-1]
		low, high := first, first
		for _, p := range xys {
			if p.Y < low.Y {
				low = p
			}
			if p.Y > high.Y {
				high = p
			}
		}
		text += ". " + c.Series[i].Name
		switch {
		case len(xys) == 1:
			text += " is " + number(first.Y)
		case last.Y > first.Y:
			text += " rises from " + number(first.Y) + " to " + number(last.Y)
		case last.Y < first.Y:
			text += " falls from " + number(first.Y) + " to " + number(last.Y)
		default:
			text += " begins and ends at " + number(first.Y)
		}
		if low.Y < min(first.Y, last.Y) {
			text += ", lowest " + number(low.Y) + " at " + number(low.X)
		}
		if high.Y > max(first.Y, last.Y) {
			text += ", highest " + number(high.Y) + " at " + number(high.X)
		}
	}
	return legible.Text(text + "."), nil
}

// Alt returns the chart's alternative text: of every panel the three best rows, the
// worst, and the best of the grey ones, with their intervals. PNG keeps it in the file.
func (c Intervals) Alt() (string, error) {
	if err := c.check(); err != nil {
		return "", err
	}
	text := fmt.Sprintf("dots with intervals, %d rows in %d panels.", len(c.Rows), len(c.Panels))
	for i, panel := range c.Panels {
		var rows []int
		for r, v := range panel.Values {
			if v != nil {
				rows = append(rows, r)
			}
		}
		better := "lower"
		if c.HigherIsBetter[i] {
			better = "higher"
		}
		slices.SortStableFunc(rows, func(a, b int) int {
			d := panel.Values[a].Mean - panel.Values[b].Mean
			if c.HigherIsBetter[i] {
				d = -d
			}
			switch {
			case d < 0:
				return -1
			case d > 0:
				return 1
			}
			return 0
		})
		say := func(r int) string {
			v := panel.Values[r]
			return fmt.Sprintf("%s %s (%s to %s)", c.Rows[r], number(v.Mean), number(v.Low), number(v.High))
		}
		text += fmt.Sprintf(" %s, %s is better: ", strings.ReplaceAll(panel.Title, "\n", " "), better)
		if len(rows) == 0 {
			text += "no values."
			continue
		}
		var best []string
		for _, r := range rows[:min(3, len(rows))] {
			best = append(best, say(r))
		}
		text += "best " + strings.Join(best, ", ")
		if len(rows) > 3 {
			text += "; worst " + say(rows[len(rows)-1])
		}
		if c.Grey != nil {
			if k := slices.IndexFunc(rows, func(r int) bool { return c.Grey[r] }); k >= 0 {
				text += "; best in grey " + say(rows[k])
			}
		}
		text += "."
	}
	return text, nil
}

// number is a value to three significant digits.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }
