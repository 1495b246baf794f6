package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// ShapleyCAM is the ShapleyCAM map of one convolutional layer,
//
//	L = ReLU(Σ_k α_k A_k),   α_k = 1/Z Σ_ij (g − ½ H A)_ijk,
//
// Cai 2025 (arXiv:2501.06261): the Shapley values of the activations as players,
// with the score taken to second order around A; H is its Hessian. For a score that
// is piecewise linear in the activations H is 0, and the map is [GradCAM]'s. The
// paper explains y_c + log P_c rather than the score; [Func] can.
//
// The error is [ErrDerivative] where GoMLX has no second derivative of what follows the
// layer, as of convolutions with a stride and of paddings.
type ShapleyCAM struct{}

// Equation returns the maps. Shapes are those of [GradCAM.Equation]; curved is H A, of
// the same shape.
func (ShapleyCAM) Equation(act, grad, curved *Node) *Node {
	checkActGrad("ShapleyCAM", act, curved)
	return GradCAM{}.Equation(act, Sub(grad, MulScalar(curved, 0.5)))
}

// Spec implements [Method].
func (m ShapleyCAM) Spec() Spec {
	return Spec{
		Name: "shapleycam",
		Unit: "score", Local: true, Choosy: true,
		Map: func(p *Pass) *Node {
			grad := p.Grad()
			return m.Equation(p.Act, grad, p.curved(grad))
		},
		Sums:   true,
		Linear: func(p *Pass) *Node { return Positive(p.meanCAM()) },
	}
}

// curved returns H A, the gradient of g·A with A held fixed in it.
func (p *Pass) curved(grad *Node) *Node {
	defer func() {
		if recover() != nil {
			panic(fail(ErrDerivative, "shapleycam: GoMLX has no second derivative of what follows layer %q, want a later layer, or gradcam, which takes any", p.net.ExplainedLayer()))
		}
	}()
	return Gradient(ReduceAllSum(Mul(grad, StopGradient(p.Act))), p.Act)[0]
}
