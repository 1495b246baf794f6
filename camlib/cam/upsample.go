package cam

import (
	"fmt"
	"math"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
)

// Resize says how a map is brought to the size of its image.
type Resize int

// The ways to resize. Along one axis, from n values to N, output i lies at
// input position x, and is interpolated linearly between its two neighbours.
const (
	// AlignCorners puts the corners of both grids onto each other,
	// x = i (n−1)/(N−1): scipy.ndimage.zoom(m, order=1), as the article has it.
	AlignCorners Resize = iota
	// HalfPixel puts the edges of both grids onto each other,
	// x = (i+½) n/N − ½, held to 0 … n−1: what image libraries do.
	HalfPixel
	// Replicate repeats every value N/n times, a whole number: the mean of the
	// map stays what it was.
	Replicate
)

var resizeNames = []string{"align-corners", "half-pixel", "replicate"}

// String returns the name that [ParseResize] reads.
func (r Resize) String() string {
	if r < 0 || int(r) >= len(resizeNames) {
		return fmt.Sprintf("Resize(%d)", int(r))
	}
	return resizeNames[r]
}

// ParseResize returns the way to resize of that name: align-corners,
// half-pixel or replicate.
func ParseResize(name string) (Resize, error) {
	for r, n := range resizeNames {
		if n == name {
			return Resize(r), nil
		}
	}
	return 0, fmt.Errorf("cam: resize %q, want one of %s", name, strings.Join(resizeNames, ", "))
}

// Upsample resizes maps m shaped [..., h, w] to [..., height, width],
//
//	R_height m R_widthᵀ,
//
// where row i of a matrix R holds what output i takes from each input. The
// values keep their unit.
func Upsample(m *Node, height, width int, resize Resize) *Node {
	if m.Rank() < 2 {
		panic(fmt.Errorf("cam: Upsample: maps shaped %s, want [..., height, width]", m.Shape()))
	}
	dims := m.Shape().Clone().Dimensions
	last := len(dims) - 2
	h, w := dims[last], dims[last+1]
	rows := resizeMatrix(m, h, height, resize)
	columns := resizeMatrix(m, w, width, resize)
	m = Reshape(m, -1, h, w)
	m = Einsum("bhw,Hh->bHw", m, rows)
	m = Einsum("bHw,Ww->bHW", m, columns)
	dims[last], dims[last+1] = height, width
	return Reshape(m, dims...)
}

// resizeMatrix returns R, [to, from], in like's graph and type.
func resizeMatrix(like *Node, from, to int, resize Resize) *Node {
	if from < 1 || to < 1 || resize == Replicate && to%from != 0 {
		panic(fmt.Errorf("cam: Upsample: %s from %d to %d, want at least 1, and for %s a multiple", resize, from, to, Replicate))
	}
	r := make([][]float64, to)
	for i := range r {
		x := resize.position(i, from, to)
		low := min(int(x), from-1)
		r[i] = make([]float64, from)
		r[i][low] += 1 - (x - float64(low))
		r[i][min(low+1, from-1)] += x - float64(low)
	}
	return ConstAs(like, r)
}

// position is the place of output i in the input.
func (r Resize) position(i, from, to int) float64 {
	switch r {
	case AlignCorners:
		if to == 1 {
			return 0
		}
		return float64(i) * float64(from-1) / float64(to-1)
	case HalfPixel:
		x := (float64(i)+0.5)*float64(from)/float64(to) - 0.5
		return math.Max(0, math.Min(x, float64(from-1)))
	case Replicate:
		return float64(i * from / to)
	}
	panic(fmt.Errorf("cam: Upsample: %s, want %s, %s or %s", r, AlignCorners, HalfPixel, Replicate))
}
