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
	output := func(z *Node) *Node { return ReLU(AddBias(z, bias)) }
	if kindOf(x) != backend.XLACPU || !byTiles(x, w) {
		y = output(plainConvolution(x, w))
		return y, func(dy *Node) (dw, db, dx *Node) {
			dz := reluGradient(y, dy)
			return kernelGradient(x, w, dz), ReduceSum(dz, 0, 1, 2), plainConvolution(dz, turned(w))
		}
	}
	v, u := winogradInput(x), winogradKernel(w)
	if manyOutputs(w) {
		d := x.Shape().Dimensions
		y = output(winogradConvolve(v, u, d[0], d[1], d[2]))
	} else {
		y = output(plainConvolution(x, w))
	}
	return y, func(dy *Node) (dw, db, dx *Node) { return winogradGradient(y, dy, v, u) }
}
