package cam

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
)

// GradCAM returns the Grad-CAM map of one convolutional layer,
//
//	L = ReLU(Σ_k α_k A_k),   α_k = 1/Z Σ_ij ∂y/∂A_ijk,
//
// equations 1 and 2 of Selvaraju et al. 2017 (arXiv:1610.02391).
//
// Both act, the activations A, and grad, the gradient of one class score y
// per image with respect to them, are shaped [batch, height, width, channels].
// The result is shaped [batch, height, width], never negative, and not scaled.
func GradCAM(act, grad *Node) *Node {
	return positive(SignedGradCAM(act, grad))
}

// SignedGradCAM returns [GradCAM] before its ReLU, Σ_k α_k A_k. Where the
// network ends in global average pooling and a linear layer, Z times it is
// [CAM].
func SignedGradCAM(act, grad *Node) *Node {
	checkActGrad("GradCAM", act, grad)
	return weighted(act, ReduceMean(grad, 1, 2))
}

// weighted is Σ_k w_k A_k, with weights shaped [batch, channels]. XLA runs it as one
// loop on the CPU, and the same as an einsum far slower.
func weighted(act, weights *Node) *Node { return ReduceSum(Mul(act, InsertAxes(weights, 1, 1)), -1) }

func checkActGrad(name string, act, grad *Node) {
	if act.Rank() != 4 || !act.Shape().Equal(grad.Shape()) {
		panic(fmt.Errorf("cam: %s: act shaped %s and grad %s, want both [batch, height, width, channels]",
			name, act.Shape(), grad.Shape()))
	}
}

// positive is max(m, 0), except that it keeps what is not finite, which must be seen.
func positive(m *Node) *Node {
	return Where(LogicalAnd(LessThan(m, ZerosLike(m)), IsFinite(m)), ZerosLike(m), m)
}

// quotient is a/b, and NaN where b has overflowed: a weight of 0 would hide that.
func quotient(a, b *Node) *Node { return Add(Div(a, b), Sub(b, b)) }

var gradCAM = Method{
	Name: "gradcam",
	Unit: "score",
	Map:  func(p *Pass) *Node { return GradCAM(p.Act, p.Grad()) },
	Linear: func(p *Pass) *Node { // identity 2: ReLU(CAM)/Z
		return positive(p.meanCAM())
	},
}

// meanCAM is CAM of the explained score over Z, what the gradient methods come to
// for a linear head, in whose gradient w_k/Z no place differs from another.
func (p *Pass) meanCAM() *Node {
	if p.only != nil {
		return DivScalar(p.classMap(), p.places())
	}
	return DivScalar(weighted(p.Act, p.Weights()), p.places())
}
