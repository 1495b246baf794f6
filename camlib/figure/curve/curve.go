// Package curve draws curves over the epochs of a training run, as SVG or PNG.
//
// It is apart from package figure because it brings in gonum/plot, which makes a
// program 8 MB larger and its build about 0.3 s longer (0.8 s for 0.5 s, Go 1.26 on
// two cores): a notebook cell that only shows images does not pay for it.
package curve

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"image/color"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/camlab-go/camlab/internal/legible"
	"github.com/camlab-go/camlab/internal/pngtext"
)

// Series is one curve.
type Series struct {
	Name  string
	Y     []float64
	X     []float64   // nil is 1, 2, 3, …: the epochs
	Color color.Color // nil is the next of a colour-blind-safe set
	Width float64     // of the line, in points; 0 is 2
}

// Chart is a set of curves with a legend beside them, where it hides no data.
type Chart struct {
	Title          string
	XLabel, YLabel string
	Series         []Series   // in the order of the legend; the first is drawn on top
	Y              [2]float64 // ends of the y axis; zero is from 0, or the lowest value if below, to the highest
	Width, Height  float64    // in points; 0 is 660 × 340, which is 880 × 453 pixels
}

// Loss is the chart of the train and the test loss after each epoch.
func Loss(train, test []float64) Chart {
	return Chart{
		Title:  "Loss",
		XLabel: "epoch",
		YLabel: "loss (nats)",
		Series: []Series{{Name: "train", Y: train}, {Name: "test", Y: test}},
	}
}

// F1 is the chart of the F1 score after each epoch: the macro average in bold and,
// thin, perClass[k], the curve of classes[k]. A class without scores has no curve,
// which Chart's methods report.
func F1(macro []float64, classes []string, perClass [][]float64) Chart {
	c := Chart{
		Title:  "F1 score on the test images",
		XLabel: "epoch",
		YLabel: "F1",
		Series: []Series{{Name: "macro average", Y: macro, Color: color.Black, Width: 3.5}},
		Y:      [2]float64{0, 1},
	}
	for k, class := range classes {
		s := Series{Name: class, Width: 1.2}
		if k < len(perClass) {
			s.Y = perClass[k]
		}
		c.Series = append(c.Series, s)
	}
	return c
}

// colors are those of M. Okabe and K. Ito, "Color Universal Design" (2008), without
// black, which is for the curve that stands out, and yellow, too pale on white.
// After the last, they come again with dashes.
var colors = []color.Color{
	color.NRGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}, // blue
	color.NRGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff}, // vermilion
	color.NRGBA{R: 0x00, G: 0x9e, B: 0x73, A: 0xff}, // bluish green
	color.NRGBA{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff}, // reddish purple
	color.NRGBA{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff}, // sky blue
	color.NRGBA{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff}, // orange
}

// Color returns the colour of a chart's i-th series that has none of its own, so
// that several charts can give the same thing the same colour. There are six.
func Color(i int) color.Color { return colors[i%len(colors)] }

var dashes = [][]vg.Length{nil, {5, 3}, {1.5, 2}}

// SVG returns the chart as an SVG file. It fails if there is no series, if a series
// is empty, has an X of another length than its Y or a value that is not finite,
// or if the ends of Y are not in rising order.
func (c Chart) SVG() ([]byte, error) {
	w, h := c.size()
	canvas := vgsvg.New(w, h)
	if err := c.draw(draw.New(canvas)); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if _, err := canvas.WriteTo(&buf); err != nil {
		return nil, fmt.Errorf("curve: svg: %w", err)
	}
	alt, err := c.Alt()
	if err != nil {
		return nil, err
	}
	svg := bytes.Replace(buf.Bytes(), []byte("\n<g "), []byte("\n<title>"+html.EscapeString(alt)+"</title>\n<g "), 1)
	// The font's metrics are Arial's; without a second choice, a browser that lacks
	// it falls back to a serif font of other widths.
	return bytes.ReplaceAll(svg, []byte("font-family:Liberation Sans;"),
		[]byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), nil
}

// PNG returns the chart as a PNG file of 96 dots per inch. It fails as SVG does.
func (c Chart) PNG() ([]byte, error) {
	w, h := c.size()
	canvas := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(w, h), vgimg.UseDPI(96))}
	if err := c.draw(draw.New(canvas)); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if _, err := canvas.WriteTo(&buf); err != nil {
		return nil, fmt.Errorf("curve: png: %w", err)
	}
	alt, err := c.Alt()
	return pngtext.Set(buf.Bytes(), pngtext.Description, alt), err
}

// The longest texts, in characters. Longer ones are shortened: they would leave no
// room for the curves.
const (
	maxTitle  = 80
	maxLegend = 32
	maxRow    = 22
)

// text makes any text fit to be drawn.
func text(s string, longest int) string {
	lines := strings.Split(legible.Text(s), "\n")
	for i, line := range lines {
		lines[i] = legible.Runes(line, longest)
	}
	return strings.Join(lines, "\n")
}

func (c Chart) size() (w, h vg.Length) {
	w, h = vg.Points(c.Width), vg.Points(c.Height)
	if w == 0 {
		w = vg.Points(660)
	}
	if h == 0 {
		h = vg.Points(340)
	}
	return w, h
}

func (c Chart) draw(canvas draw.Canvas) error {
	l, err := c.layout(canvas)
	if err != nil {
		return err
	}
	l.draw(canvas, l.left, l.right)
	return nil
}

// layout is a chart before it is drawn: its plot with the legend beside it.
type layout struct {
	plot        *plot.Plot
	legend      plot.Legend
	left, right vg.Length // what is left and right of the curves on the canvas
}

// layout makes a chart for a canvas of this size.
func (c Chart) layout(canvas draw.Canvas) (*layout, error) {
	points, err := c.points()
	if err != nil {
		return nil, err
	}
	sans := func(size float64) font.Font {
		return font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
	}
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = text(c.Title, maxTitle), text(c.XLabel, maxTitle), text(c.YLabel, maxLegend)
	p.Title.TextStyle.Font, p.Title.Padding = sans(14), vg.Points(8)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font, axis.Tick.Label.Font = sans(12), sans(11)
		axis.Label.Padding = vg.Points(4)
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = bounds(points)
	p.Y.Min = min(0, p.Y.Min)
	if c.Y != [2]float64{} {
		p.Y.Min, p.Y.Max = c.Y[0], c.Y[1]
	}
	// So many that the labels keep apart.
	size := canvas.Size()
	nx, ny := max(2, int(size.X/vg.Points(40))), max(2, int(size.Y/vg.Points(42)))
	yTicks := ticks(p.Y.Min, p.Y.Max, ny, 0)
	if c.Y == [2]float64{} {
		p.Y.Min, p.Y.Max = yTicks[0].Value, yTicks[len(yTicks)-1].Value
	}
	p.Y.Tick.Marker = within(yTicks, p.Y.Min, p.Y.Max)
	p.X.Tick.Marker = within(ticks(p.X.Min, p.X.Max, nx, 1), p.X.Min, p.X.Max) // epochs are whole
	if p.X.Min == p.X.Max {                                                    // a single epoch
		p.X.Min, p.X.Max = p.X.Min-0.5, p.X.Max+0.5
	}
	grid := plotter.NewGrid()
	grid.Vertical.Width, grid.Horizontal.Width, grid.Horizontal.Color = 0, vg.Points(0.75), color.Gray{Y: 0xdd}
	p.Add(grid)

	legend := plot.NewLegend()
	legend.Top, legend.Left, legend.ThumbnailWidth = true, true, vg.Points(24)
	legend.TextStyle.Font, legend.Padding = sans(11), vg.Points(5)
	lines := make([]plot.Plotter, len(points))
	next := 0 // in colors
	for i, s := range c.Series {
		line := &plotter.Line{XYs: points[i], LineStyle: draw.LineStyle{Color: s.Color, Width: vg.Points(s.Width)}}
		if s.Width == 0 {
			line.Width = vg.Points(2)
		}
		if s.Color == nil {
			line.Color, line.Dashes = Color(next), dashes[next/len(colors)%len(dashes)]
			next++
		}
		lines[i] = line
		if len(points[i]) == 1 { // a line through one point does not show
			lines[i] = &plotter.Scatter{XYs: points[i], GlyphStyle: draw.GlyphStyle{
				Color: line.Color, Radius: line.Width + 1, Shape: draw.CircleGlyph{}}}
		}
		legend.Add(text(s.Name, maxLegend), line)
	}
	for i := len(lines) - 1; i >= 0; i-- {
		p.Add(lines[i])
	}

	l := &layout{plot: p, legend: legend}
	box := legend.Rectangle(canvas)
	l.right = box.Max.X - box.Min.X + 3*edge
	l.left = p.DataCanvas(draw.Crop(canvas, edge, -l.right, edge, -edge)).Min.X - canvas.Min.X
	return l, nil
}

// edge is what stays free around a chart.
const edge = vg.Length(10)

// draw draws a chart with as much left and right of the curves, at least what its layout says.
func (l *layout) draw(canvas draw.Canvas, left, right vg.Length) {
	canvas.SetColor(color.White)
	canvas.Fill(canvas.Path())
	l.plot.Draw(draw.Crop(canvas, edge+left-l.left, -right, edge, -edge))
	// Beside the plot, below the title's line, so that it never covers data.
	l.legend.Draw(draw.Crop(canvas, canvas.Max.X-canvas.Min.X-right+2*edge, 0, 0, -3*edge))
}

// points returns the checked points of every series.
func (c Chart) points() ([]plotter.XYs, error) {
	if len(c.Series) == 0 {
		return nil, errors.New("curve: no series, want at least one")
	}
	if c.Y != [2]float64{} && !(c.Y[0] < c.Y[1]) {
		return nil, fmt.Errorf("curve: y axis from %v to %v, want rising", c.Y[0], c.Y[1])
	}
	all := make([]plotter.XYs, len(c.Series))
	for i, s := range c.Series {
		if len(s.Y) == 0 {
			return nil, fmt.Errorf("curve: series %q: no values, want at least one", s.Name)
		}
		if s.X != nil && len(s.X) != len(s.Y) {
			return nil, fmt.Errorf("curve: series %q: %d values of x, want %d, one per value of y", s.Name, len(s.X), len(s.Y))
		}
		all[i] = make(plotter.XYs, len(s.Y))
		for j, y := range s.Y {
			x := float64(j + 1)
			if s.X != nil {
				x = s.X[j]
			}
			if math.IsNaN(x-x) || math.IsNaN(y-y) { // v−v is NaN for infinities too
				return nil, fmt.Errorf("curve: series %q: point %d: (%v, %v), want finite numbers", s.Name, j, x, y)
			}
			all[i][j] = plotter.XY{X: x, Y: y}
		}
	}
	return all, nil
}

func bounds(all []plotter.XYs) (x0, x1, y0, y1 float64) {
	x0, x1, y0, y1 = plotter.XYRange(all[0])
	for _, xys := range all[1:] {
		a0, a1, b0, b1 := plotter.XYRange(xys)
		x0, x1, y0, y1 = min(x0, a0), max(x1, a1), min(y0, b0), max(y1, b1)
	}
	return x0, x1, y0, y1
}

// ticks returns the multiples of a step that enclose [lo, hi]: the smallest step
// of 1, 2 or 5 times a power of ten, and not below least, that cuts it in at most n.
func ticks(lo, hi float64, n int, least float64) []plot.Tick {
	extent := hi - lo
	if extent == 0 {
		extent = 1
	}
	step := 0.0
	for power := math.Pow(10, math.Floor(math.Log10(extent/float64(n)))); step == 0; power *= 10 {
		for _, k := range []float64{1, 2, 5} {
			if s := k * power; s >= least && extent/s <= float64(n)*(1+1e-9) {
				step = s
				break
			}
		}
	}
	decimals := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	var out []plot.Tick
	for i := math.Floor(lo/step + 1e-9); ; i++ {
		v := i * step
		out = append(out, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'f', decimals, 64)})
		if v >= hi-1e-9*step {
			return out
		}
	}
}

// within returns the ticks in [lo, hi].
func within(all []plot.Tick, lo, hi float64) plot.ConstantTicks {
	slack := 1e-9 * (hi - lo)
	in := plot.ConstantTicks{}
	for _, t := range all {
		if t.Value >= lo-slack && t.Value <= hi+slack {
			in = append(in, t)
		}
	}
	return in
}
