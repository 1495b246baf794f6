package cnn

import (
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/ml/context"
)

// reluGradient is the gradient before a ReLU with output y, given that after it.
func reluGradient(y, dy *Node) *Node {
	return Where(GreaterThan(y, ZerosLike(y)), dy, ZerosLike(y))
}

// poolGradient is the gradient before the ReLU with output y, [n, h, w, c],
// which [maxPool] follows, given that after the pool.
func poolGradient(y, pool, dpool *Node) *Node {
	d := y.Shape().Dimensions
	windows := []int{d[0], d[1] / 2, 2, d[2] / 2, 2, d[3]}
	up := func(x *Node) *Node { return Reshape(BroadcastToDims(InsertAxes(x, 2, 3), windows...), d...) }
	largest := LogicalAnd(Equal(y, up(pool)), GreaterThan(y, ZerosLike(y)))
	if y.DType() == dtypes.BFloat16 { // so coarse that often several pixels are the largest: each gets its part
		count := ReduceSum(Reshape(ConvertDType(largest, y.DType()), windows...), 2, 4)
		dpool = Div(dpool, MaxScalar(count, 1))
	}
	return Where(largest, up(dpool), ZerosLike(y))
}

// convGradient returns the gradients, float32, of a layer's weights and biases, and
// that of its input x, given dz, that of its convolution's output. The last is a
// convolution with the kernel turned, which backends compute faster than what
// automatic differentiation writes.
func convGradient(ctx *context.Context, x, dz *Node) (weights []*Node, dx *Node) {
	w := variable(ctx, "weights", x)
	dw := kernelGradient(x, w, dz)
	float := func(x *Node) *Node { return ConvertDType(x, dtypes.Float32) }
	return []*Node{float(dw), ReduceSum(float(dz), 0, 1, 2)}, plainConvolution(dz, turned(w))
}

// turned is a kernel [3, 3, in, out] turned by 180°, [3, 3, out, in].
func turned(w *Node) *Node {
	d := w.Shape().Dimensions
	taps := Reshape(w, 9, d[2], d[3])
	var all []*Node
	for i := range 9 {
		all = append(all, Slice(taps, AxisRange(8-i, 9-i)))
	}
	return TransposeAllAxes(Reshape(Concatenate(all, 0), d...), 0, 1, 3, 2)
}
