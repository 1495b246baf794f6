package onnx

import . "github.com/gomlx/gomlx/core/graph"

// withGradient returns y, which depends on x, with another gradient than its own: dx makes
// that with respect to x of the one with respect to y.
//
// GoMLX has custom gradients of an identity only. So z is x and zeros of y's shape behind
// such an identity: y, constant to the gradient, plus the zeros is y, and y's gradient
// arrives at z. The compiler takes the zeros out again.
func withGradient(y, x *Node, dx func(dy *Node) *Node) *Node {
	flat := func(x *Node) *Node { return Reshape(x, -1) }
	n := x.Shape().Size()
	zeros := func(z *Node) *Node { return Reshape(Slice(z, AxisRangeToEnd(n)), y.Shape().Dimensions...) }
	z := IdentityWithCustomGradient(Concatenate([]*Node{flat(x), flat(ZerosLike(y))}, 0), func(_, v *Node) *Node {
		dy := zeros(v)
		return Concatenate([]*Node{flat(dx(dy)), flat(ZerosLike(y))}, 0)
	})
	return Add(StopGradient(y), zeros(z))
}
