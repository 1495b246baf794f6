package nn

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/internal/backend"
)

// Backward returns the gradients with respect to the weights and biases of a layer and, if
// needed, to its input, for the gradient dy with respect to its output.
type Backward func(dy *Node) (dw, db, dx *Node)

// ConvReLU returns the output y of a convolution with bias and ReLU, and the way back.
// Backends compute these gradients faster than those of automatic differentiation.
func ConvReLU(x, w, bias *Node) (y *Node, back Backward) {
	z, v, u := convolve(x, w)
	y = ReLU(AddBias(z, bias))
	return y, func(dy *Node) (dw, db, dx *Node) {
		if v != nil {
			return winogradGradient(y, dy, v, u)
		}
		dz := reluGradient(y, dy)
		return kernelGradient(x, w, dz), ReduceSum(dz, 0, 1, 2), plainConvolution(dz, turned(w))
	}
}

// convolve returns a convolution and, where its gradients are computed by Winograd's method,
// the transformed input and kernel.
func convolve(x, w *Node) (z, v, u *Node) {
	if kindOf(x) != backend.XLACPU || !byTiles(x, w) {
		return plainConvolution(x, w), nil, nil
	}
	v, u = winogradInput(x), winogradKernel(w)
	if !manyOutputs(w) {
		return plainConvolution(x, w), v, u
	}
	d := x.Shape().Dimensions
	return winogradConvolve(v, u, d[0], d[1], d[2]), v, u
}
