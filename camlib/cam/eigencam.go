package cam

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// EigenCAM is the Eigen-CAM map of one convolutional layer,
//
//	L = A v,   A = U Σ Vᵀ of shape [Z, channels],  v the first column of V,
//
// Muhammad and Yeasin 2020 (arXiv:2008.00299): the activations along the direction
// in which they are largest. It asks for no class. The sign of v, which a singular
// value decomposition leaves open, is that with which the map agrees with the sum of
// the activations, Σ_ij L_ij Σ_k A_ijk ≥ 0; after a ReLU no value is negative then.
// Nothing is subtracted from A first, as in the paper; pytorch-grad-cam 1.5 takes
// the mean out and leaves the sign to chance. It is in units of the activations.
type EigenCAM struct{}

// Equation returns the maps, [batch, height, width], of act, [batch, height, width,
// channels].
func (EigenCAM) Equation(act *Node) *Node {
	checkActGrad("EigenCAM", act, act)
	return principal(act)
}

// Spec implements [Method].
func (m EigenCAM) Spec() Spec {
	return Spec{
		Name: "eigencam",
		Unit: "activation", Local: true,
		Map: func(p *Pass) *Node { return m.Equation(p.Act) },
	}
}

// EigenGradCAM is [EigenCAM] of g∘A, the activations weighted with their gradient: the
// direction in which what places do for the class is largest. The idea is
// pytorch-grad-cam's, which takes the mean out here too. The sign is that with which the
// map agrees with [HiResCAM], Σ_ij L_ij Σ_k g_ijk A_ijk ≥ 0. It is signed.
type EigenGradCAM struct{}

// Equation returns the maps. Shapes are those of [GradCAM.Equation].
func (EigenGradCAM) Equation(act, grad *Node) *Node {
	checkActGrad("EigenGradCAM", act, grad)
	return principal(Mul(grad, act))
}

// Spec implements [Method].
func (m EigenGradCAM) Spec() Spec {
	return Spec{
		Name: "eigengradcam",
		Unit: "score", Signed: true, Local: true,
		Map: func(p *Pass) *Node { return m.Equation(p.Act, p.Grad()) },
	}
}

// principal projects a [batch, h, w, k] on its first right singular vector, with the
// sign with which that agrees with the sum over k.
//
// The vector is the first eigenvector of G = aᵀa. Squaring G again and again leaves
// only that one: after 12 squarings an eigenvalue 1 % smaller has a share of e⁻⁸¹.
func principal(a *Node) *Node {
	const squarings = 12
	g := Einsum("bhwk,bhwl->bkl", a, a)
	for range squarings {
		size := ReduceAndKeep(Abs(g), ReduceMax, 1, 2)
		g = Div(g, Where(Equal(size, ZerosLike(size)), OnesLike(size), size))
		g = Einsum("bkl,blm->bkm", g, g)
	}
	// Every column of v vᵀ is a multiple of v; the largest is the most exact.
	k := g.Shape().Dim(1)
	diagonal := ReduceSum(Mul(g, InsertAxes(DiagonalWithValue(ScalarOne(g.Graph(), g.DType()), k), 0)), -1)
	best := OneHot(ArgMax(diagonal, -1, dtypes.Int32), k, g.DType())
	v := Einsum("bkl,bl->bk", g, best)
	norm := Sqrt(ReduceAndKeep(Square(v), ReduceSum, -1))
	v = Div(v, Where(Equal(norm, ZerosLike(norm)), OnesLike(norm), norm))
	m := WeightedSum(a, v)
	agrees := ReduceAndKeep(Mul(m, ReduceSum(a, -1)), ReduceSum, 1, 2)
	sign := Where(LessThan(agrees, ZerosLike(agrees)), Neg(OnesLike(agrees)), OnesLike(agrees))
	return Mul(m, Add(sign, Sub(agrees, agrees))) // of an overflow NaN, not a sign
}
