package curve

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/camlab-go/camlab/internal/pngtext"
)

// Interval is an estimate with its interval.
type Interval struct{ Mean, Low, High float64 }

// Panel is one quantity of all rows, with an axis of its own.
type Panel struct {
	Title  string
	Values []*Interval // one for each row; nil leaves the row empty
}

// Intervals is a table as a picture: a row for each name, from the top, a dot and its
// interval in every panel. Rows that Grey names are drawn in grey, and a dashed line
// through the best of them shows what the others have to beat.
type Intervals struct {
	Rows   []string
	Grey   []bool // nil is none
	Panels []Panel
	// HigherIsBetter says for each panel which end is good; that one's arrow stands in
	// the title.
	HigherIsBetter []bool
}

// PNG returns the chart as a PNG file of 96 dots per inch, 880 pixels wide. It fails if
// there are no rows or panels, if a panel has another number of values than there are
// rows, or an interval is not finite or not in rising order.
func (c Intervals) PNG() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	width, height := vg.Points(660), vg.Points(52+15*float64(len(c.Rows)))
	canvas := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(96))}
	all := draw.New(canvas)
	all.SetColor(color.White)
	all.Fill(all.Path())
	// The names stand beside the first panel alone.
	const names, edge = vg.Length(118), vg.Length(8)
	each := (width - names - edge) / vg.Length(len(c.Panels))
	for i := range c.Panels {
		left := names + each*vg.Length(i)
		if i == 0 {
			left = edge
		}
		right := width - edge - (names + each*vg.Length(i+1))
		p := c.plot(i)
		p.Draw(draw.Crop(all, left, -right-edge-14, 0, -edge)) // the last number of one axis keeps off the first of the next
	}
	var buf bytes.Buffer
	if _, err := canvas.WriteTo(&buf); err != nil {
		return nil, fmt.Errorf("curve: png: %w", err)
	}
	alt, err := c.Alt()
	return pngtext.Set(buf.Bytes(), pngtext.Description, alt), err
}

func (c Intervals) check() error {
	if len(c.Rows) == 0 || len(c.Panels) == 0 {
		return errors.New("curve: intervals: no rows or no panels, want at least one of each")
	}
	if len(c.HigherIsBetter) != len(c.Panels) || c.Grey != nil && len(c.Grey) != len(c.Rows) {
		return errors.New("curve: intervals: want HigherIsBetter for each panel, and Grey for each row or not at all")
	}
	for _, p := range c.Panels {
		if len(p.Values) != len(c.Rows) {
			return fmt.Errorf("curve: intervals: panel %q: %d values, want %d, one for each row", p.Title, len(p.Values), len(c.Rows))
		}
		for r, v := range p.Values {
			if v != nil && !(v.Low <= v.High && !math.IsInf(v.Low, 0) && !math.IsInf(v.High, 0) && !math.IsNaN(v.Mean-v.Mean)) {
				return fmt.Errorf("curve: intervals: panel %q: %s: %v in %v to %v, want finite numbers in rising order", p.Title, c.Rows[r], v.Mean, v.Low, v.High)
			}
		}
	}
	return nil
}

func (c Intervals) plot(i int) *plot.Plot {
	sans := func(size float64) font.Font {
		return font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
	}
	panel, p, n := c.Panels[i], plot.New(), len(c.Rows)
	arrow := " (lower is better)"
	if c.HigherIsBetter[i] {
		arrow = " (higher is better)"
	}
	p.Title.Text, p.Title.TextStyle.Font, p.Title.Padding = text(panel.Title, maxLegend)+"\n"+arrow[1:], sans(9), vg.Points(4)
	p.X.Tick.Label.Font, p.Y.Tick.Label.Font = sans(8), sans(9)
	p.Y.Min, p.Y.Max = -0.5, float64(n)-0.5
	p.Y.Width, p.Y.Tick.Width, p.Y.Tick.Length, p.Y.Padding = 0, 0, 0, 0
	marks := plot.ConstantTicks{}
	for r, name := range c.Rows {
		if i > 0 {
			name = ""
		}
		marks = append(marks, plot.Tick{Value: float64(n - 1 - r), Label: text(name, maxRow)})
	}
	p.Y.Tick.Marker = marks
	low, high, best, found := math.Inf(1), math.Inf(-1), 0.0, false
	for r, v := range panel.Values {
		if v == nil {
			continue
		}
		low, high = min(low, v.Low, v.Mean), max(high, v.High, v.Mean)
		if c.Grey != nil && c.Grey[r] && (!found || (v.Mean > best) == c.HigherIsBetter[i]) {
			best, found = v.Mean, true
		}
	}
	if low > high {
		low, high = 0, 1
	}
	if low == high {
		low, high = low-0.5, high+0.5
	}
	margin := (high - low) * 0.05
	p.X.Min, p.X.Max = low-margin, high+margin
	p.X.Tick.Marker = within(ticks(low, high, 4, 0), p.X.Min, p.X.Max)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{Y: 0xe8}, color.Gray{Y: 0xf0}
	p.Add(grid)
	if found {
		p.Add(&plotter.Line{
			XYs:       plotter.XYs{{X: best, Y: p.Y.Min}, {X: best, Y: p.Y.Max}},
			LineStyle: draw.LineStyle{Color: color.Gray{Y: 0x80}, Width: vg.Points(1), Dashes: []vg.Length{3, 2}},
		})
	}
	for r, v := range panel.Values {
		if v == nil {
			continue
		}
		ink, y := Color(0), float64(n-1-r)
		if c.Grey != nil && c.Grey[r] {
			ink = color.Gray{Y: 0x80}
		}
		p.Add(&plotter.Line{
			XYs:       plotter.XYs{{X: v.Low, Y: y}, {X: v.High, Y: y}},
			LineStyle: draw.LineStyle{Color: ink, Width: vg.Points(1.8)},
		}, &plotter.Scatter{
			XYs:        plotter.XYs{{X: v.Mean, Y: y}},
			GlyphStyle: draw.GlyphStyle{Color: ink, Radius: vg.Points(2.6), Shape: draw.CircleGlyph{}},
		})
	}
	return p
}
