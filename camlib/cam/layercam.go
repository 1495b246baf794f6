package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// LayerCAM is the LayerCAM map of one convolutional layer,
//
//	L_ij = ReLU(Σ_k ReLU(g_ijk) A_ijk),
//
// equations 5 to 7 of Jiang et al. 2021 (IEEE Transactions on Image Processing 30):
// only places whose own gradient speaks for the class count.
type LayerCAM struct{}

// Equation returns the maps. Shapes are those of [GradCAM.Equation].
func (LayerCAM) Equation(act, grad *Node) *Node {
	checkActGrad("LayerCAM", act, grad)
	return Positive(ReduceSum(Mul(Positive(grad), act), -1))
}

// Spec implements [Method].
func (m LayerCAM) Spec() Spec {
	return Spec{
		Name: "layercam",
		Unit: "score", Local: true,
		Map: func(p *Pass) *Node { return m.Equation(p.Act, p.Grad()) },
		// Σ_k ReLU(w_k) A_k / Z
		Linear: func(p *Pass) *Node {
			return Positive(DivScalar(WeightedSum(p.Act, Positive(p.Weights())), p.Places()))
		},
	}
}
