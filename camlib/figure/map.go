package figure

import (
	"fmt"

	"github.com/camlab-go/camlab/internal/failure"
)

// Map is a map of numbers, H rows of W values, row by row: the value at row y and
// column x is Values[y*W+x]. The unit is the caller's (a CAM's is the logit).
//
// Every function of this package that takes a Map returns an error if H or W is
// below 1, if Values has another length than H*W, or if a value is NaN or
// infinite. None changes the Values of the Map it is given.
type Map struct {
	H, W   int
	Values []float32
}

// NewMap returns values, shaped [h, w], as a checked Map. The slice is not copied.
func NewMap(h, w int, values []float32) (Map, error) {
	m := Map{H: h, W: w, Values: values}
	if err := m.check(); err != nil {
		return Map{}, err
	}
	return m, nil
}

// NewMaps returns values, shaped [n, h, w], as n checked Maps: the flat data of a
// batch of maps. The slice is not copied.
func NewMaps(n, h, w int, values []float32) ([]Map, error) {
	if n < 0 || h < 1 || w < 1 || len(values) != n*h*w {
		return nil, fmt.Errorf("figure: maps: %d values, want %d×%d×%d", len(values), n, h, w)
	}
	maps := make([]Map, n)
	for i := range maps {
		var err error
		if maps[i], err = NewMap(h, w, values[i*h*w:(i+1)*h*w]); err != nil {
			return nil, fmt.Errorf("figure: maps: map %d: %w", i, err)
		}
	}
	return maps, nil
}

func (m Map) check() error {
	if m.H < 1 || m.W < 1 {
		return fmt.Errorf("figure: map: size %d×%d, want at least 1×1", m.H, m.W)
	}
	if len(m.Values) != m.H*m.W {
		return fmt.Errorf("figure: map: %d values, want %d×%d = %d", len(m.Values), m.H, m.W, m.H*m.W)
	}
	if bad := failure.NotFinite(m.Values); bad >= 0 {
		return fmt.Errorf("figure: map: row %d, column %d: value %v, want a finite number", bad/m.W, bad%m.W, m.Values[bad])
	}
	return nil
}

// At returns the value at row y and column x.
func (m Map) At(y, x int) float32 { return m.Values[y*m.W+x] }

// Min returns the smallest value, 0 for a Map without values.
func (m Map) Min() float32 {
	if len(m.Values) == 0 {
		return 0
	}
	lo := m.Values[0]
	for _, v := range m.Values[1:] {
		lo = min(lo, v)
	}
	return lo
}

// Max returns the largest value, 0 for a Map without values.
func (m Map) Max() float32 {
	if len(m.Values) == 0 {
		return 0
	}
	hi := m.Values[0]
	for _, v := range m.Values[1:] {
		hi = max(hi, v)
	}
	return hi
}

// Resize returns m at h rows and w columns, interpolated bilinearly with the
// corners of both grids aligned: output row i lies at input row
//
//	y = i (H−1)/(h−1),   and at y = 0 when h = 1,
//
// and columns alike. It equals scipy.ndimage.zoom(m, (h/H, w/W), order=1), the
// article's upsampling, to float32 rounding. The values keep their unit.
func (m Map) Resize(h, w int) (Map, error) {
	if err := m.check(); err != nil {
		return Map{}, err
	}
	if h < 1 || w < 1 {
		return Map{}, fmt.Errorf("figure: resize: to %d×%d, want at least 1×1", h, w)
	}
	out := Map{H: h, W: w, Values: make([]float32, h*w)}
	for i := range h {
		y, v := alignCorners(i, m.H, h)
		y1 := min(y+1, m.H-1)
		for j := range w {
			x, u := alignCorners(j, m.W, w)
			x1 := min(x+1, m.W-1)
			top := (1-u)*float64(m.At(y, x)) + u*float64(m.At(y, x1))
			bottom := (1-u)*float64(m.At(y1, x)) + u*float64(m.At(y1, x1))
			out.Values[i*w+j] = float32((1-v)*top + v*bottom)
		}
	}
	return out, nil
}

// alignCorners returns where output position i of m lies among n input positions:
// the input position at or before it, and the fraction of the way to the next.
func alignCorners(i, n, m int) (at int, frac float64) {
	if m == 1 {
		return 0, 0
	}
	return i * (n - 1) / (m - 1), float64(i*(n-1)%(m-1)) / float64(m-1)
}
