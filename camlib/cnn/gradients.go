package cnn

import (
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph"
)

// reluGradient is the gradient before a ReLU with output y, given that after it.
func reluGradient(y, dy *Node) *Node {
	return Where(GreaterThan(y, ZerosLike(y)), dy, ZerosLike(y))
}

// poolGradient is the gradient before [maxPool] of y, [n, h, w, c], the output of a
// ReLU, given that after it. It is right where y is not zero, which the ReLU's
// gradient makes it.
func poolGradient(y, pool, dpool *Node) *Node {
	d := y.Shape().Dimensions
	pixels := make([]*Node, 4) // of all windows
	for i := range pixels {
		pixels[i] = Slice(y, AxisRange(), AxisRange(i/2).Stride(2), AxisRange(i%2).Stride(2))
		pixels[i] = Equal(pixels[i], pool)
	}
	if y.DType() == dtypes.BFloat16 { // so coarse that often several pixels are the largest: each gets its part
		count := ScalarZero(y.Graph(), y.DType())
		for _, p := range pixels {
			count = Add(count, ConvertDType(p, y.DType()))
		}
		dpool = Div(dpool, count)
	}
	for i, largest := range pixels {
		pixels[i] = Where(largest, dpool, ZerosLike(dpool))
	}
	rows := []*Node{Stack(pixels[:2], 3), Stack(pixels[2:], 3)}
	return Reshape(Stack(rows, 2), d...)
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
