package cam

import (
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
)

// RandomCAM is random weights,
//
//	L = ReLU(Σ_k w_k A_k),   w_k uniform in −1 to 1,
//
// no explanation but the baseline that one has to beat: what the activations
// alone look like. The weights are the same for all images and classes.
type RandomCAM struct{}

// Spec implements [Method].
func (RandomCAM) Spec() Spec {
	return Spec{
		Name: "randomcam",
		Unit: "activation", Local: true,
		Map: func(p *Pass) *Node {
			w := constant(p.Act, 6, func(rng *rand.Rand) float64 { return 2*rng.Float64() - 1 }, p.Channels())
			return Positive(WeightedSum(p.Act, BroadcastPrefix(w, p.Act.Shape().Dim(0))))
		},
	}
}
