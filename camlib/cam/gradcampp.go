package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// GradCAMPlusPlus is the Grad-CAM++ map of one convolutional layer,
//
//	L = ReLU(Σ_k w_k A_k),   w_k = Σ_ij α_ijk ReLU(g_ijk),
//	α_ijk = g² / (2 g² + g³ Σ_ab A_abk),
//
// equations 5, 6 and 19 of Chattopadhay et al. 2018 (arXiv:1710.11063), with the
// gradient of the score itself: the paper's factor exp(y) only scales the map.
// Nothing is added to the denominator. It divides out where it matters: α g is
// g/(2 + g Σ A) where g is positive, and where g is not its ReLU is 0.
//
// Activations below zero can make the denominator 0, and the map infinite.
type GradCAMPlusPlus struct{}

// Equation returns the maps. Shapes are those of [GradCAM.Equation].
func (GradCAMPlusPlus) Equation(act, grad *Node) *Node {
	checkActGrad("GradCAMPlusPlus", act, grad)
	g := Positive(grad)
	sum := ReduceAndKeep(act, ReduceSum, 1, 2)
	weights := ReduceSum(quotient(g, AddScalar(Mul(g, sum), 2)), 1, 2)
	return Positive(WeightedSum(act, weights))
}

// Spec implements [Method].
func (m GradCAMPlusPlus) Spec() Spec {
	return Spec{
		Name: "gradcam++",
		Unit: "activation", Local: true,
		Map: func(p *Pass) *Node { return m.Equation(p.Act, p.Grad()) },
		// With g = w_k/Z at every place, the weight is ReLU(w_k)/(2 + w_k F_k).
		Linear: func(p *Pass) *Node {
			w := Positive(p.Weights())
			return Positive(WeightedSum(p.Act, quotient(w, AddScalar(Mul(w, ReduceMean(p.Act, 1, 2)), 2))))
		},
	}
}
