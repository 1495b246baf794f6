package cam

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
)

// CAM is the class activation map of a network that ends in global average pooling and
// a linear layer,
//
//	M_c = Σ_k w_kc A_k,
//
// equation 2 of Zhou et al. 2016 (arXiv:1512.04150). It is signed, in units of the score
// and without the bias, so that its mean over the map plus the bias is the score.
type CAM struct{}

// Equation returns the maps of all classes, [batch, classes, height, width]: the einsum
// of the article's get_cmap.
//
// act, the activations A before pooling, is shaped [batch, height, width,
// channels], weights, those w of the head, [channels, classes].
func (CAM) Equation(act, weights *Node) *Node {
	if act.Rank() != 4 || weights.Rank() != 2 || act.Shape().Dim(-1) != weights.Shape().Dim(0) {
		panic(fmt.Errorf("cam: CAM: act shaped %s and weights %s, want [batch, height, width, channels] and [channels, classes]",
			act.Shape(), weights.Shape()))
	}
	return Einsum("bhwk,kc->bchw", act, weights)
}

// Spec implements [Method].
func (CAM) Spec() Spec {
	return Spec{
		Name: "cam",
		Unit: "score", Local: true, Signed: true, Choosy: true,
		Map: (*Pass).classMap,
		Total: func(p *Pass, m *Node) *Node {
			if !p.form.additive() {
				return nil
			}
			return Add(ReduceMean(m, 1, 2), p.Bias())
		},
	}
}
