package images

import (
	"fmt"

	"github.com/camlab-go/camlab/internal/failure"
)

// Map is a map of numbers, H rows of W values, row by row: the value at row y and
// column x is Values[y*W+x]. The unit is the caller's (a CAM's is the logit).
//
// Functions that take a Map fail when [Map.Check] does, and do not change its Values.
type Map struct {
	H, W   int
	Values []float32
}

// NewMap returns values, shaped [h, w], as a checked Map. The slice is not copied.
func NewMap(h, w int, values []float32) (Map, error) {
	m := Map{H: h, W: w, Values: values}
	if err := m.Check(); err != nil {
		return Map{}, err
	}
	return m, nil
}

// NewMaps returns values, shaped [n, h, w], as n checked Maps: the flat data of a
// batch of maps. The slice is not copied.
func NewMaps(n, h, w int, values []float32) ([]Map, error) {
	if n < 0 || h < 1 || w < 1 || len(values) != n*h*w {
		return nil, fmt.Errorf("images: maps: %d values, want %d×%d×%d", len(values), n, h, w)
	}
	maps := make([]Map, n)
	for i := range maps {
		var err error
		if maps[i], err = NewMap(h, w, values[i*h*w:(i+1)*h*w]); err != nil {
			return nil, fmt.Errorf("images: maps: map %d: %w", i, err)
		}
	}
	return maps, nil
}

// Check returns an error if H or W is below 1, Values has another length than H*W, or a
// value is NaN or infinite.
func (m Map) Check() error {
	if m.H < 1 || m.W < 1 {
		return fmt.Errorf("images: map: size %d×%d, want at least 1×1", m.H, m.W)
	}
	if len(m.Values) != m.H*m.W {
		return fmt.Errorf("images: map: %d values, want %d×%d = %d", len(m.Values), m.H, m.W, m.H*m.W)
	}
	if bad := failure.NotFinite(m.Values); bad >= 0 {
		return fmt.Errorf("images: map: row %d, column %d: value %v, want a finite number", bad/m.W, bad%m.W, m.Values[bad])
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

// Mean returns the mean of all values, summed in float64, 0 for a Map without values.
func (m Map) Mean() float64 {
	sum := 0.0
	for _, v := range m.Values {
		sum += float64(v)
	}
	return sum / float64(max(1, len(m.Values)))
}
