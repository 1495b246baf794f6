package nn

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/internal/backend"
)

// Conv is the SAME convolution of x, [n, h, w, in], with the kernel w,
// [3, 3, in, out], in the form that the backend computes fastest. All forms differ by
// rounding alone.
func Conv(x, w *Node) *Node {
	if tileable(x, w) {
		return tiledConvolution(x, w)
	}
	return plainConvolution(x, w)
}

// plainConvolution is [Conv] without Winograd's.
func plainConvolution(x, w *Node) *Node {
	switch kind := kindOf(x); {
	case kind == backend.PureGo:
		return columnsConvolution(x, w)
	case kind == backend.XLACPU && x.Shape().Dim(3) == colors: // XLA convolves four channels faster than three
		return directConvolution(withBlack(x, 3), withBlack(w, 2))
	}
	return directConvolution(x, w)
}

// colors is the number of channels of a picture.
const colors = 3

func kindOf(x *Node) backend.Kind { return backend.KindOf(x.Graph().Backend()) }

// withBlack adds a channel of zeros along an axis.
func withBlack(x *Node, axis int) *Node {
	shape := x.Shape().Clone()
	shape.Dimensions[axis] = 1
	return Concatenate([]*Node{x, Zeros(x.Graph(), shape)}, axis)
}

// kernelGradient is the gradient with respect to the kernel w of a convolution of x,
// given dz, that with respect to its output.
func kernelGradient(x, w, dz *Node) *Node {
	d := w.Shape().Dimensions
	if kindOf(x) == backend.PureGo || d[2] == colors { // pure Go multiplies faster than it convolves; few columns are faster anywhere
		return Reshape(Einsum("pk,po->ko", columns(x), Reshape(dz, -1, d[3])), d...)
	}
	y := directConvolution(x, w)
	return Gradient(ReduceAllSum(Mul(y, StopGradient(dz))), w)[0] // y itself is not computed: only its gradient is used
}

// directConvolution leaves it to the backend. The stride is GoMLX's default,
// named because its pure-Go backend has none.
func directConvolution(x, w *Node) *Node { return Convolve(x, w).Strides(1).PadSame().Done() }

// columnsConvolution is one matrix product. The pure-Go backend multiplies matrices
// far faster than it convolves.
func columnsConvolution(x, w *Node) *Node {
	d, k := x.Shape().Dimensions, w.Shape().Dimensions
	return Reshape(MatMul(columns(x), Reshape(w, 9*d[3], k[3])), d[0], d[1], d[2], k[3])
}

// columns has for each pixel of x its 3×3 neighbourhood as a row of 9·in numbers.
func columns(x *Node) *Node {
	d := x.Shape().Dimensions
	all := everywhere.taps(PadSides(x, 1), []int{3, 3})
	return Reshape(Concatenate(all, -1), d[0]*d[1]*d[2], 9*d[3])
}

// tileable reports whether the Winograd form supports these shapes and is worth its extra
// compile time, a quarter of a second: with so many pixels it soon is.
func tileable(x, w *Node) bool {
	d := x.Shape().Dimensions
	return kindOf(x).OnCPU() && d[0]*d[1]*d[2] >= 8*16*16 && manyOutputs(w) && byTiles(x, w)
}

// byTiles reports whether Winograd's form supports these shapes and is less work than the
// direct gradients. With few outputs, its transforms still cost as much as it spares
// of the direct convolution.
func byTiles(x, w *Node) bool {
	d := x.Shape().Dimensions
	return d[1]%4 == 0 && d[2]%4 == 0 && w.Shape().Dim(2) >= 32 && x.DType() == dtypes.Float32
}

func manyOutputs(w *Node) bool { return w.Shape().Dim(3) >= 64 }

// tiledConvolution is Winograd's convolution, see winograd.go. Its gradient is that
// of directConvolution.
func tiledConvolution(x, w *Node) *Node {
	return WithGradient(tiled(x, w), []*Node{x, w}, func(dy *Node) []*Node {
		return Gradient(ReduceAllSum(Mul(directConvolution(x, w), StopGradient(dy))), x, w)
	})
}
