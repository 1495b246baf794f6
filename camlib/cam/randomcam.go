package cam

import (
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
)

// Random weights,
//
//	L = ReLU(Σ_k w_k A_k),   w_k uniform in −1 to 1,
//
// are no explanation but the baseline that one has to beat: what the activations
// alone look like. The weights are the same for all images and classes.
var randomCAM = Method{
	Name: "randomcam",
	Unit: "activation",
	Map: func(p *Pass) *Node {
		w := constant(p.Act, 6, func(rng *rand.Rand) float64 { return 2*rng.Float64() - 1 }, p.Channels())
		return positive(weighted(p.Act, BroadcastPrefix(w, p.Act.Shape().Dim(0))))
	},
}
