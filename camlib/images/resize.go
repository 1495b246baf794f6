package images

import (
	"fmt"
	"math"
	"strings"
)

// Resize is a way to bring a map to another size.
type Resize int

// The ways to resize. Along one axis, from n values to N, output i lies at input position
// x, and is interpolated linearly between its two neighbors.
const (
	// AlignCorners puts the corners of both grids onto each other,
	// x = i (n−1)/(N−1), and x = 0 when N = 1: scipy.ndimage.zoom(m, order=1), as the
	// article has it.
	AlignCorners Resize = iota
	// HalfPixel puts the edges of both grids onto each other,
	// x = (i+½) n/N − ½, held to 0 … n−1: what image libraries do.
	HalfPixel
	// Replicate repeats every value N/n times, a whole number: the mean of the map stays
	// what it was.
	Replicate
)

var resizeNames = []string{"align-corners", "half-pixel", "replicate"}

// String returns the name that [ParseResize] reads.
func (r Resize) String() string { return nameOf(r, "Resize", resizeNames) }

// ParseResize returns the way to resize of that name: align-corners, half-pixel or
// replicate.
func ParseResize(name string) (Resize, error) { return parse[Resize]("resize", resizeNames, name) }

// Taps returns, for each of to outputs along an axis of from inputs, the first of the two
// inputs that it lies between and the share of the second: output i is
//
//	(1−share_i) input[first_i] + share_i input[min(first_i+1, from−1)].
//
// It fails when from or to is below 1, and for Replicate when to is no multiple of from.
func (r Resize) Taps(from, to int) (first []int, share []float64, err error) {
	if r < 0 || int(r) >= len(resizeNames) {
		return nil, nil, fmt.Errorf("images: resize: %s, want one of %s", r, strings.Join(resizeNames, ", "))
	}
	if from < 1 || to < 1 {
		return nil, nil, fmt.Errorf("images: resize: from %d to %d, want at least 1", from, to)
	}
	if r == Replicate && to%from != 0 {
		return nil, nil, fmt.Errorf("images: resize: from %d to %d, want a multiple for %s", from, to, r)
	}
	for i := range to {
		x, part := 0, 0.0
		switch {
		case r == Replicate:
			x = i * from / to
		case r == HalfPixel:
			at := (float64(i)+0.5)*float64(from)/float64(to) - 0.5
			at = math.Max(0, math.Min(at, float64(from-1)))
			x, part = int(at), at-math.Floor(at)
		case to > 1: // AlignCorners, without rounding
			x, part = i*(from-1)/(to-1), float64(i*(from-1)%(to-1))/float64(to-1)
		}
		first, share = append(first, x), append(share, part)
	}
	return first, share, nil
}

// Resize returns m at h rows and w columns, interpolated along both axes. The values keep
// their unit. With [AlignCorners] it equals scipy.ndimage.zoom(m, (h/H, w/W), order=1) to
// float32 rounding.
func (m Map) Resize(h, w int, how Resize) (Map, error) {
	if err := m.Check(); err != nil {
		return Map{}, err
	}
	if h < 1 || w < 1 {
		return Map{}, fmt.Errorf("images: resize: to %d×%d, want at least 1×1", h, w)
	}
	rows, down, err := how.Taps(m.H, h)
	if err != nil {
		return Map{}, err
	}
	columns, across, err := how.Taps(m.W, w)
	if err != nil {
		return Map{}, err
	}
	return m.sample(rows, down, columns, across), nil
}

// sample interpolates m at the crossings of rows and columns, which are those of
// [Resize.Taps].
func (m Map) sample(rows []int, down []float64, columns []int, across []float64) Map {
	h, w := len(rows), len(columns)
	out := Map{H: h, W: w, Values: make([]float32, h*w)}
	for i, y := range rows {
		y1, v := min(y+1, m.H-1), down[i]
		for j, x := range columns {
			x1, u := min(x+1, m.W-1), across[j]
			top := (1-u)*float64(m.At(y, x)) + u*float64(m.At(y, x1))
			bottom := (1-u)*float64(m.At(y1, x)) + u*float64(m.At(y1, x1))
			out.Values[i*w+j] = float32((1-v)*top + v*bottom)
		}
	}
	return out
}
