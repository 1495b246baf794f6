package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// GradCAM is the Grad-CAM map of one convolutional layer,
//
//	L = ReLU(Σ_k α_k A_k),   α_k = 1/Z Σ_ij ∂y/∂A_ijk,
//
// equations 1 and 2 of Selvaraju et al. 2017 (arXiv:1610.02391). It is never negative,
// and not scaled.
type GradCAM struct{}

// Equation returns the maps, [batch, height, width]. Both act, the activations A, and
// grad, the gradient of one class score y per image with respect to them, are shaped
// [batch, height, width, channels].
func (m GradCAM) Equation(act, grad *Node) *Node { return Positive(m.Signed(act, grad)) }

// Signed is [GradCAM.Equation] before its ReLU, Σ_k α_k A_k. Where the network ends in
// global average pooling and a linear layer, Z times it is [CAM].
func (GradCAM) Signed(act, grad *Node) *Node {
	checkActGrad("GradCAM", act, grad)
	return WeightedSum(act, ReduceMean(grad, 1, 2))
}

// Spec implements [Method].
func (m GradCAM) Spec() Spec {
	return Spec{
		Name: "gradcam",
		Unit: "score", Local: true,
		Map: func(p *Pass) *Node { return m.Equation(p.Act, p.Grad()) },
		// Identity 2: ReLU(CAM)/Z.
		Linear: func(p *Pass) *Node { return Positive(p.meanCAM()) },
	}
}
