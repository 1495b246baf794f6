package cnn

import (
	"strings"

	"github.com/gomlx/gomlx/backends"
	. "github.com/gomlx/gomlx/pkg/core/graph"

	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/internal/backend"
	"github.com/camlab-go/camlab/internal/rim"
)

// convolve is the SAME convolution of x [n, h, w, in] with the kernel w
// [3, 3, in, out], in the way that the backend computes fastest. All ways
// differ by rounding alone.
func convolve(x, w *Node) *Node {
	switch {
	case !strings.Contains(DescribeBackend(x.Graph().Backend()), "CPU"):
	case tileable(x, w):
		return tiledConvolution(x, w)
	case x.Shape().Dim(3) == cifar10.Channels:
		return directConvolution(black(x, 3), black(w, 2)) // XLA's convolution likes its channels in fours
	}
	return plainConvolution(x, w)
}

// black adds a channel of zeros.
func black(x *Node, axis int) *Node {
	shape := x.Shape().Clone()
	shape.Dimensions[axis] = 1
	return Concatenate([]*Node{x, Zeros(x.Graph(), shape)}, axis)
}

// plainConvolution is convolve without Winograd's.
func plainConvolution(x, w *Node) *Node {
	if isGo(x.Graph().Backend()) {
		return columnsConvolution(x, w)
	}
	return directConvolution(x, w)
}

// kernelGradient is the gradient with respect to the kernel w of a convolution of x,
// given dz, that with respect to its output.
func kernelGradient(x, w, dz *Node) *Node {
	if isGo(x.Graph().Backend()) { // which has no gradient of a convolution, nor of a slice
		dw := Einsum("pk,po->ko", columns(x), Reshape(dz, -1, dz.Shape().Dim(3)))
		return Reshape(dw, w.Shape().Dimensions...)
	}
	y := directConvolution(x, w)
	return Gradient(ReduceAllSum(Mul(y, dz)), w)[0] // y itself is not computed: only its gradient is used
}

// isGo tells whether a backend is GoMLX's pure-Go one.
func isGo(b backends.Backend) bool { return backend.IsGo(b) }

// directConvolution leaves it to the backend. The stride is GoMLX's default,
// named because its pure-Go backend has none.
func directConvolution(x, w *Node) *Node { return Convolve(x, w).Strides(1).PadSame().Done() }

// columnsConvolution is one matrix product. The pure-Go backend multiplies matrices
// far faster than it convolves.
func columnsConvolution(x, w *Node) *Node {
	d, k := x.Shape().Dimensions, w.Shape().Dimensions
	return Reshape(Dot(columns(x), Reshape(w, 9*d[3], k[3])), d[0], d[1], d[2], k[3])
}

// columns has for each pixel of x its 3×3 neighbourhood as a row of 9·in numbers.
func columns(x *Node) *Node {
	d := x.Shape().Dimensions
	x = rim.Add(x, 1)
	var all []*Node
	for i := range 3 {
		for j := range 3 {
			all = append(all, Slice(x, AxisRange(), AxisRange(i, i+d[1]), AxisRange(j, j+d[2])))
		}
	}
	return Reshape(Concatenate(all, -1), d[0]*d[1]*d[2], 9*d[3])
}

// tileable tells whether tiledConvolution takes a convolution, with as many
// channels out as in, and pays: the sums over the channels are most of the work,
// so many images make up for the quarter second more that XLA compiles, and so few
// tiles stay in a processor's cache.
func tileable(x, w *Node) bool {
	d, k := x.Shape().Dimensions, w.Shape().Dimensions
	return d[0] >= 16 && d[0]*d[1]*d[2] <= 64*16*16 && d[1]%4 == 0 && d[2]%4 == 0 && k[2] == k[3] && k[2] >= 64
}

// tiledConvolution is Winograd's convolution, see winograd.go, of all 6×6 tiles D at
// once,
//
//	Y = (A⊗A)ᵀ [ (G⊗G) g ∘ (B⊗B)ᵀ D ],   ∘ a matrix product for each of the 36 places:
//
// three products of matrices and a quarter of the multiplications. Its gradient
// is that of directConvolution: GoMLX's own of these products is many times slower.
func tiledConvolution(x, w *Node) *Node {
	g, dtype := x.Graph(), x.DType()
	d := x.Shape().Dimensions
	n, th, tw, c := d[0], d[1]/4, d[2]/4, d[3]
	tiles := n * th * tw
	square := func(m matrix) *Node { return ConstAsDType(g, dtype, m.square()) }
	overlapping := func(x *Node, axis, tiles int) *Node { // Bᵀ of each tile's 6 pixels along an axis, put first
		part := make([]SliceAxisSpec, x.Rank())
		for a := range part {
			part[a] = AxisRange()
		}
		var pixels []*Node
		for i := range 6 {
			part[axis] = AxisRange(i, i+4*tiles-3).Stride(4)
			pixels = append(pixels, Slice(x, part...))
		}
		return Stack(inputBT.times(pixels), 0)
	}
	v := overlapping(overlapping(rim.Add(x, 1), 2, tw), 2, th) // [6, 6, n, th, tw, c]
	v = Reshape(v, 36, tiles, c)
	u := Reshape(Dot(square(kernelG), Reshape(w, 9, c*c)), 36, c, c)
	y := Dot(square(outputAT), Reshape(Einsum("kti,kio->kto", v, u), 36, tiles*c))
	y = TransposeAllAxes(Reshape(y, 4, 4, n, th, tw, c), 2, 3, 0, 4, 1, 5)
	return withGradient(Reshape(y, d...), x, w, directConvolution)
}

// square returns m ⊗ m, row by row what [matrix.transform] does to a square of numbers.
func (m matrix) square() [][]float64 {
	var out [][]float64
	for _, a := range m {
		for _, b := range m {
			var row []float64
			for _, p := range a {
				for _, q := range b {
					row = append(row, p*q)
				}
			}
			out = append(out, row)
		}
	}
	return out
}

// withGradient returns y, of x's shape, with the gradient of f(x, w) instead of
// its own.
//
// GoMLX has custom gradients of an identity only. So z is x and w behind such an
// identity, and y + z − z, with y and the second z constant to the gradient, has
// y's value, while y's gradient arrives at z.
func withGradient(y, x, w *Node, f func(x, w *Node) *Node) *Node {
	size, dims, kernel := x.Shape().Size(), x.Shape().Dimensions, w.Shape().Dimensions
	flat := func(x, w *Node) *Node { return Concatenate([]*Node{Reshape(x, -1), Reshape(w, -1)}, 0) }
	front := func(z *Node) *Node { return Reshape(Slice(z, AxisRange(0, size)), dims...) }
	z := IdentityWithCustomGradient(flat(x, w), func(z, v *Node) *Node {
		x, w := front(z), Reshape(Slice(z, AxisRangeToEnd(size)), kernel...)
		grad := Gradient(ReduceAllSum(Mul(f(x, w), StopGradient(front(v)))), x, w)
		return flat(grad[0], grad[1])
	})
	x = front(z)
	return Add(StopGradient(y), Sub(x, StopGradient(x)))
}
