// Package nn holds the operations that networks are built of, as graphs, in the form that
// each backend computes fastest: 3×3 convolutions, also by Winograd's method, ReLU, 2×2
// max-pooling, and their gradients by hand.
//
// What overflows must stay visible: a NaN or an infinity is never made a number again.
package nn

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/internal/backend"
)

// ReLU is max(x, 0) with a gradient of 0 where x is 0, as in PyTorch and TensorFlow;
// GoMLX's Max would give 1 there. The Abs changes no value: it keeps XLA on a CPU from a
// form of this that its compiler unrolls for 0.3 s. x − x is 0, but NaN where x is NaN or
// −∞: an overflow must not look like an inactive unit. So whatever overflows makes the
// scores infinite or NaN, and there it is looked for.
func ReLU(x *Node) *Node {
	return Where(GreaterThan(x, ZerosLike(x)), Abs(x), StopGradient(Sub(x, x)))
}

// MaxPool2x2 is 2×2 max-pooling, [n, h, w, c] to [n, h/2, w/2, c]. Where several of a window's
// values are the largest, as in a picture's black margin, the first row by row gets the
// gradient, as in PyTorch. It is written as maxima of the windows' four pixels because the
// gradient of that is a mask, forty times faster under XLA on a CPU than the
// SelectAndScatter that GoMLX's MaxPool needs. A NaN becomes +∞, since XLA's maximum on a
// CPU may lose a NaN.
func MaxPool2x2(x *Node) *Node {
	inf := BroadcastToDims(Infinity(x.Graph(), x.DType(), 1), x.Shape().Dimensions...)
	p := windows(Where(LessThan(x, inf), x, inf))
	return Max(Max(p[0], p[1]), Max(p[2], p[3]))
}

// windows returns, for each pixel of a 2×2 window row by row, that of all windows,
// [n, h/2, w/2, c].
func windows(x *Node) (pixels []*Node) {
	for i := range 4 {
		pixels = append(pixels, Slice(x, AxisRange(), AxisRange(i/2).Stride(2), AxisRange(i%2).Stride(2)))
	}
	return pixels
}

// Settled is x, which XLA on a CPU then computes once, before all that use it, and not anew in
// each of them.
func Settled(x *Node) *Node {
	if kindOf(x) == backend.XLACPU {
		return OptimizationBarrier(x)
	}
	return x
}

// AddBias adds a bias, [channels], along the last axis.
func AddBias(x, bias *Node) *Node { return Add(x, ExpandLeftToRank(bias, x.Rank())) }

// FromBytes turns the bytes of pixels into numbers from 0 to 1.
func FromBytes(pixels *Node) *Node { return DivScalar(ConvertDType(pixels, dtypes.Float32), 255) }
