package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// XGradCAM is the XGrad-CAM map of one convolutional layer,
//
//	L = ReLU(Σ_k w_k A_k),   w_k = Σ_ij g_ijk A_ijk / Σ_ij A_ijk,
//
// equations 6 and 7 of Fu et al. 2020 (arXiv:2008.02312): the gradient averaged
// by where the channel is active. A channel whose activations sum to 0 has weight
// 0; after a ReLU it is 0 everywhere, and its weight does not matter.
type XGradCAM struct{}

// Equation returns the maps. Shapes are those of [GradCAM.Equation].
func (XGradCAM) Equation(act, grad *Node) *Node {
	checkActGrad("XGradCAM", act, grad)
	sum := ReduceSum(act, 1, 2)
	weights := Div(ReduceSum(Mul(grad, act), 1, 2), sum)
	return Positive(WeightedSum(act, Where(Equal(sum, ZerosLike(sum)), ZerosLike(sum), weights)))
}

// Spec implements [Method].
func (m XGradCAM) Spec() Spec {
	return Spec{
		Name: "xgradcam",
		Unit: "score", Local: true,
		Map: func(p *Pass) *Node { return m.Equation(p.Act, p.Grad()) },
		// A gradient that is the same everywhere is its own weighted mean.
		Linear: func(p *Pass) *Node { return Positive(p.meanCAM()) },
	}
}
