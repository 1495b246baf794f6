package metric

import (
	"context"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
)

var complexity = Metric{
	Name: "complexity", Better: Lower, Meaning: "entropy of the map's shares, in nats",
	Group: Robust, Relative: true,
	Compute: func(_ context.Context, c *Case) ([]float64, error) { return c.Complexity(), nil },
}

// Complexity returns the entropy of the shares that pixels have in the map,
//
//	−Σ_p P_p ln P_p,   P = |m| / ‖m‖₁,
//
// the complexity of Bhatt et al. 2020 (arXiv:2005.00631). One value per image, in
// nats, 0 for a single pixel to ln d for a flat map (also one of zeros), at the
// image's size. Lower is simpler, which is better only in a map that is faithful
// too.
func (c *Case) Complexity() []float64 {
	return c.eachMap(func(a []float64, sum float64) float64 {
		if sum == 0 {
			return math.Log(float64(len(a)))
		}
		floats.Scale(1/sum, a)
		return max(0, stat.Entropy(a))
	})
}
