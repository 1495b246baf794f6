package metric

import (
	"context"
	"math"
	"slices"

	"github.com/camlab-go/camlab/internal/parallel"
)

var sparseness = Metric{
	Name: "sparseness", Better: Higher, Meaning: "Gini index: 0 for a flat map, near 1 for a few pixels",
	Group: Robust, Relative: true, Flat: new(0.0),
	Compute: func(_ context.Context, c *Case) ([]float64, error) { return c.Sparseness(), nil },
}

// Gini returns the Gini index of the absolute values of a map,
//
//	G = 1 − 2 Σ_k a_(k)/‖a‖₁ · (d − k + ½)/d,   a = |m|,
//
// with a_(1) ≤ … ≤ a_(d): Chalasani et al. 2020 (arXiv:1810.06583), in the form of
// Hurley & Rickard 2009 (arXiv:0811.4706). It is 0 for a flat map (also one of zeros,
// or of no values) to 1 − 1/d for a single place: the higher, the more concentrated.
func Gini(m []float32) float64 {
	a, sum := magnitudes(m)
	return gini(a, sum)
}

// gini sorts the absolute values.
func gini(a []float64, sum float64) float64 {
	if sum == 0 {
		return 0
	}
	slices.Sort(a)
	d, g := float64(len(a)), 1.0
	for i, v := range a {
		k := float64(i + 1)
		g -= 2 * v / sum * (d - k + 0.5) / d
	}
	return max(0, g)
}

// Sparseness returns the [Gini] index of each map at the image's size. Higher is
// sparser, which is better only in a map that is faithful too.
func (c *Case) Sparseness() []float64 { return c.eachMap(gini) }

// eachMap gives f the absolute values of each map and their sum.
func (c *Case) eachMap(f func(a []float64, sum float64) float64) []float64 {
	out := make([]float64, c.images.N)
	_ = parallel.Each(c.images.N, func(i int) error {
		out[i] = f(magnitudes(c.mapOf(i)))
		return nil
	})
	return out
}

// magnitudes returns the absolute values of a map and their sum.
func magnitudes(m []float32) (a []float64, sum float64) {
	a = make([]float64, len(m))
	for p, v := range m {
		a[p] = math.Abs(float64(v))
		sum += a[p]
	}
	return a, sum
}
