package figure

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"strconv"
	"strings"
)

// ColorBar is the key to the colours of a Shading: the bar, labelled values, and
// the unit. Both ends carry their value, to three significant digits or to the unit.
type ColorBar struct {
	Shading Shading
	Height  int // of the coloured bar, in pixels; 0 is 192
}

const (
	barWidth   = 18
	tickLength = 5
)

// Draw returns the picture of the bar, the bar's middle at the picture's. It fails
// on a negative height. A unit that is longer than the bar is shortened with "…".
func (b ColorBar) Draw() (*Picture, error) {
	if b.Height < 0 {
		return nil, fmt.Errorf("figure: colour bar: height %d, want at least 1, or 0 for 192", b.Height)
	}
	height := b.Height
	if height == 0 {
		height = 192
	}
	f := newFace(textSize)
	lo, hi := b.Shading.Scale.Range()
	ticks := scaleTicks(lo, hi, max(2, height/40), 1.3*float64(f.line)/float64(height))
	labels := make([]string, len(ticks))
	for i, t := range ticks {
		labels[i] = t.label
	}
	unit := f.short(b.Shading.Unit, max(maxTitle, height))
	unitLength, unitWidth := f.size(unit)
	labelX := barWidth + tickLength + 3
	unitX := labelX + f.widest(labels) + gap
	img := newCanvas(unitX+unitWidth, max(height+f.line, unitLength))
	top := (img.Rect.Dy() - height) / 2

	colors := b.Shading.colors()
	for y := range height {
		t := b.Shading.Scale.At(lo) // the one colour of a scale without extent
		if lo < hi {
			t = 1 - (float64(y)+0.5)/float64(height)
		}
		row := image.Rect(0, top+y, barWidth, top+y+1)
		draw.Draw(img, row, image.NewUniform(colors.At(t)), image.Point{}, draw.Src)
	}
	frame(img, image.Rect(0, top, barWidth, top+height))
	for _, t := range ticks {
		y := top + int(math.Round((1-t.at)*float64(height-1)))
		draw.Draw(img, image.Rect(barWidth, y, barWidth+tickLength, y+1), image.NewUniform(ink), image.Point{}, draw.Src)
		f.text(img, labelX, y, 0, 0.5, t.label, ink)
	}
	if unit != "" {
		f.textUp(img, unitX, top+height/2, unit, ink)
	}
	alt := fmt.Sprintf("color bar from %s to %s", label(lo), label(hi))
	if b.Shading.Unit != "" {
		alt += ": " + inLine(b.Shading.Unit)
	}
	return &Picture{NRGBA: img, Alt: alt}, nil
}

// tick is a labelled place on a scale: at is 0 at its low end, 1 at its high end.
type tick struct {
	at    float64
	label string
}

// scaleTicks returns the ends of a scale and, between them, the multiples of a step of
// 1, 2 or 5 times a power of ten, about n of them, that keep the distance apart
// from the ends. A scale without extent has one tick, in the middle.
func scaleTicks(lo, hi float64, n int, apart float64) []tick {
	if lo == hi {
		return []tick{{at: 0.5, label: label(lo)}}
	}
	ticks := []tick{{at: 0, label: label(lo)}}
	extent := hi - lo
	power := math.Pow(10, math.Floor(math.Log10(extent/float64(n))))
	step := 10 * power
	for _, k := range []float64{5, 2, 1} {
		if extent/(k*power) <= float64(n) {
			step = k * power
		}
	}
	for i := math.Ceil(lo / step); i*step < hi; i++ {
		if at := (i*step - lo) / extent; at >= apart && at <= 1-apart {
			ticks = append(ticks, tick{at: at, label: label(i * step)})
		}
	}
	return append(ticks, tick{at: 1, label: label(hi)})
}

// label returns v to three significant digits or, if that needs an exponent though v is of a
// readable size, to the unit.
func label(v float64) string {
	if v == 0 {
		return "0" // also of −0
	}
	s := strconv.FormatFloat(v, 'g', 3, 64)
	if strings.Contains(s, "e") && math.Abs(v) >= 1 && math.Abs(v) < 1e6 {
		s = strconv.FormatFloat(v, 'f', 0, 64)
	}
	return s
}

// frame draws a thin line inside the edge of r.
func frame(img draw.Image, r image.Rectangle) {
	edge := image.NewUniform(color.NRGBA{R: 0x80, G: 0x80, B: 0x80, A: 0xff})
	for _, side := range []image.Rectangle{
		image.Rect(r.Min.X, r.Min.Y, r.Max.X, r.Min.Y+1), image.Rect(r.Min.X, r.Max.Y-1, r.Max.X, r.Max.Y),
		image.Rect(r.Min.X, r.Min.Y, r.Min.X+1, r.Max.Y), image.Rect(r.Max.X-1, r.Min.Y, r.Max.X, r.Max.Y),
	} {
		draw.Draw(img, side, edge, image.Point{}, draw.Src)
	}
}
