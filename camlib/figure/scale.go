package figure

import (
	"fmt"
	"math"

	"github.com/camlab-go/camlab/camlib/images"
)

// Scale maps a range of values to [0, 1]. Make one with [Sequential],
// [Diverging], [SequentialOf] or [DivergingOf]; the zero Scale is Sequential(0, 0).
type Scale struct {
	lo, hi    float64
	diverging bool
}

// Sequential returns the scale t = (v−lo)/(hi−lo). If lo equals hi (a constant
// map), every value gets t = 0 and is drawn in the first colour; the colour bar
// then is all of that colour with one label.
func Sequential(lo, hi float64) (Scale, error) {
	if !isFinite(lo) || !isFinite(hi) || lo > hi {
		return Scale{}, fmt.Errorf("figure: sequential scale: from %v to %v, want two finite numbers in rising order", lo, hi)
	}
	return Scale{lo: lo, hi: hi}, nil
}

// Diverging returns the scale t = 1/2 + v/(2 maxAbs), so that 0 is in the middle
// and both signs are drawn alike. If maxAbs is 0 (a map of zeros), every value
// gets t = 1/2 and is drawn in the neutral colour.
func Diverging(maxAbs float64) (Scale, error) {
	if !isFinite(maxAbs) || maxAbs < 0 {
		return Scale{}, fmt.Errorf("figure: diverging scale: largest magnitude %v, want a finite number, not negative", maxAbs)
	}
	return Scale{lo: -maxAbs, hi: maxAbs, diverging: true}, nil
}

// SequentialOf returns the Sequential scale from the smallest to the largest value
// of all the maps: one map for a scale of its own, several for a shared scale, on
// which their colours compare. For maps that are never negative, such as
// Grad-CAM's, Sequential(0, max) keeps the first colour for "none".
func SequentialOf(maps ...images.Map) (Scale, error) {
	lo, hi, err := span("sequential scale", maps)
	if err != nil {
		return Scale{}, err
	}
	return Sequential(lo, hi)
}

// DivergingOf returns the Diverging scale of the largest magnitude in all the maps.
func DivergingOf(maps ...images.Map) (Scale, error) {
	lo, hi, err := span("diverging scale", maps)
	if err != nil {
		return Scale{}, err
	}
	return Diverging(max(math.Abs(lo), math.Abs(hi)))
}

func span(where string, maps []images.Map) (lo, hi float64, err error) {
	if len(maps) == 0 {
		return 0, 0, fmt.Errorf("figure: %s: no maps, want at least one", where)
	}
	lo, hi = math.Inf(1), math.Inf(-1)
	for i, m := range maps {
		if err := m.Check(); err != nil {
			return 0, 0, fmt.Errorf("figure: %s: map %d: %w", where, i, err)
		}
		lo, hi = min(lo, float64(m.Min())), max(hi, float64(m.Max()))
	}
	return lo, hi, nil
}

// Range returns the values that are drawn in the first and in the last colour.
func (s Scale) Range() (lo, hi float64) { return s.lo, s.hi }

// At returns the place of v on the scale, in [0, 1]. A value outside the range is
// placed at the nearer end.
func (s Scale) At(v float64) float64 {
	if s.lo == s.hi {
		if s.diverging {
			return 0.5
		}
		return 0
	}
	// Halved first: hi−lo of two huge numbers of opposite sign overflows.
	return min(1, max(0, (v/2-s.lo/2)/(s.hi/2-s.lo/2)))
}

// Normalize returns the map of s.At of every value of m, in [0, 1].
func (s Scale) Normalize(m images.Map) (images.Map, error) {
	if err := m.Check(); err != nil {
		return images.Map{}, err
	}
	out := images.Map{H: m.H, W: m.W, Values: make([]float32, len(m.Values))}
	for i, v := range m.Values {
		out.Values[i] = float32(s.At(float64(v)))
	}
	return out, nil
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
