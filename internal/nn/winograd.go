package nn

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/internal/backend"
)

// Winograd convolution F(4×4, 3×3): a 4×4 tile of the output y of a 3×3
// convolution of the 6×6 input tile d with the kernel g is
//
//	y = Aᵀ [(G g Gᵀ) ∘ (Bᵀ d B)] A
//
// (Lavin & Gray 2015, arXiv:1509.09308, section 4.3): 36 multiplications where
// the direct sum takes 144. Summed over the input channels, each of the 36
// products is one matrix product of [tiles, in] with [in, out].
//
// All steps but ∘ are linear, so each gradient is the transposed transform. The
// large transforms are done along one axis and then along the other, with a
// concatenation after each: it forces XLA to materialize the intermediate once instead of
// recomputing it in every consumer.

// A matrix of a transform.
type matrix [][]float64

// The transforms for the points 0, 1, -1, 2, -2 and ∞ (section 4.3 of the paper).
var (
	inputBT = matrix{
		{4, 0, -5, 0, 1, 0},
		{0, -4, -4, 1, 1, 0},
		{0, 4, -4, -1, 1, 0},
		{0, -2, -1, 2, 1, 0},
		{0, 2, -1, -2, 1, 0},
		{0, 4, 0, -5, 0, 1},
	}
	kernelG = matrix{
		{1. / 4, 0, 0},
		{-1. / 6, -1. / 6, -1. / 6},
		{-1. / 6, 1. / 6, -1. / 6},
		{1. / 24, 1. / 12, 1. / 6},
		{1. / 24, -1. / 12, 1. / 6},
		{0, 0, 1},
	}
	outputAT = matrix{
		{1, 1, 1, 1, 1, 0},
		{0, 1, -1, 2, -2, 0},
		{0, 1, 1, 4, 4, 0},
		{0, 1, -1, 8, -8, 1},
	}
)

// t returns the transpose.
func (m matrix) t() matrix {
	r := make(matrix, len(m[0]))
	for i := range r {
		r[i] = make([]float64, len(m))
		for j := range m {
			r[i][j] = m[j][i]
		}
	}
	return r
}

// both applies m along the first two axes of x, [p, p, …], which gives [k, k, …].
func (m matrix) both(x *Node) *Node {
	if kindOf(x) == backend.PureGo { // has no fast product of so small a matrix
		x = Stack(m.times(unstack(x, 0)), 0)
		return Stack(m.times(unstack(x, 1)), 1)
	}
	var square [][]float64 // m ⊗ m
	for _, a := range m {
		for _, b := range m {
			var row []float64
			for _, p := range a {
				for _, q := range b {
					row = append(row, p*q)
				}
			}
			square = append(square, row)
		}
	}
	d := slices.Clone(x.Shape().Dimensions)
	y := MatMul(ConstAsDType(x.Graph(), x.DType(), square), Reshape(x, d[0]*d[1], -1))
	d[0], d[1] = len(m), len(m)
	return Reshape(y, d...)
}

// times returns m x, leaving out the zeros and the multiplications by one.
func (m matrix) times(x []*Node) []*Node {
	out := make([]*Node, len(m))
	for i, row := range m {
		for k, factor := range row {
			switch {
			case factor == 0:
			case out[i] == nil:
				out[i] = multiply(x[k], factor)
			case factor < 0:
				out[i] = Sub(out[i], multiply(x[k], -factor))
			default:
				out[i] = Add(out[i], multiply(x[k], factor))
			}
		}
	}
	return out
}

func multiply(x *Node, factor float64) *Node {
	if factor == 1 {
		return x
	}
	return MulScalar(x, factor)
}

// tiles applies m along both axes of every tile of images [n, h, w, c], given as the
// tiles' columns by everyFourth. The tiles are as large as m is wide, each four pixels
// from the last. The result is [k², tiles, c], k the rows of m.
func (m matrix) tiles(columns []*Node) *Node {
	x := Stack(m.times(columns), 0) // [k, n, h, tw, c]
	rows := everyFourth(x, 2, len(m[0]))
	for i, x := range rows {
		rows[i] = Reshape(x, len(m), -1, x.Shape().Dim(4))
	}
	return Concatenate(m.times(rows), 0)
}

// everyFourth returns, for each pixel of a tile of so many along an axis, that of all tiles.
func everyFourth(x *Node, axis, tile int) (pixels []*Node) {
	beforeLast := x.Shape().Dim(axis) - tile
	for i := range tile {
		pixels = append(pixels, cut(x, axis, AxisRange(i, i+beforeLast+1).Stride(4)))
	}
	return pixels
}

// cut is a slice along one axis.
func cut(x *Node, axis int, part SliceAxisSpec) *Node {
	all := make([]SliceAxisSpec, x.Rank())
	for a := range all {
		all[a] = AxisRange()
	}
	all[axis] = part
	return Slice(x, all...)
}

// winogradInput returns the transformed inputs Bᵀ d B, [36, tiles, in], of x
// [n, 4t, 4t, in].
func winogradInput(x *Node) *Node { return inputBT.tiles(everyFourth(PadSides(x, 1), 2, 6)) }

// winogradKernel returns the transformed kernel G g Gᵀ, [36, in, out], of w [3, 3, in, out].
func winogradKernel(w *Node) *Node {
	d := w.Shape().Dimensions
	return Reshape(kernelG.both(w), 36, d[2], d[3])
}

// winogradConvolve is the SAME convolution y, [n, h, w, out], of transformed inputs v
// and a transformed kernel u; h and w are multiples of four.
func winogradConvolve(v, u *Node, n, h, w int) *Node {
	out := u.Shape().Dim(2)
	y := outputAT.both(Reshape(Einsum("kti,kio->kto", v, u), 6, 6, n, h/4, w/4, out))
	return Reshape(TransposeAllAxes(y, 2, 3, 0, 4, 1, 5), n, h, w, out)
}

// winogradGradient returns, for the gradient dy of the loss with respect to a
// convolution's output [n, h, w, out] after a ReLU, y, or before any where y is nil, those with
// respect to its kernel, a bias and its input.
func winogradGradient(y, dy, v, u *Node) (dw, db, dx *Node) {
	d := dy.Shape().Dimensions
	in, out := u.Shape().Dim(1), u.Shape().Dim(2)
	columns := everyFourth(dy, 2, 4)
	if y != nil {
		for i, y := range everyFourth(y, 2, 4) { // after the cut, or XLA would compute dy's sums once more for every column
			columns[i] = reluGradient(y, columns[i])
		}
	}
	dm := outputAT.t().tiles(columns)
	du := Einsum("kti,kto->kio", v, dm)
	dw = kernelG.t().both(Reshape(du, 6, 6, in, out))
	db = ReduceSum(Slice(dm, AxisElem(7)), 0, 1) // row 1 of A is all ones, so this is the sum of dz over a tile
	dv := Reshape(Einsum("kto,kio->kti", dm, u), 6, 6, d[0], d[1]/4, d[2]/4, in)
	return dw, db, addTiles(addTiles(dv)) // rows, then columns
}

// addTiles is, along one axis, the transpose of the transform of the inputs: of x,
// [6, a, b, t, …], it makes [a, b, 4t, …], with B applied to the six. Each
// pixel gets the sum from all tiles that reach it: of the six of a tile the middle four are
// its own, the first is the tile's before it and the last the tile's after it.
func addTiles(x *Node) *Node {
	p := inputBT.t().times(unstack(x, 0))
	const axis = 2
	p[4], p[1] = Add(p[4], shift(p[0], axis, -1)), Add(p[1], shift(p[5], axis, 1))
	y := Stack(p[1:5], axis+1)
	d := slices.Clone(p[0].Shape().Dimensions)
	d[axis] *= 4
	return Reshape(y, d...)
}

// unstack returns the parts of x along an axis.
func unstack(x *Node, axis int) (all []*Node) {
	for i := range x.Shape().Dim(axis) {
		all = append(all, Squeeze(cut(x, axis, AxisElem(i)), axis))
	}
	return all
}

// shift moves x one place along an axis, to higher places when by is 1 and to lower
// ones when it is -1, and fills up with zeros.
func shift(x *Node, axis, by int) *Node {
	if x.Shape().Dim(axis) == 1 {
		return ZerosLike(x)
	}
	pads := make([]PadAxis, x.Rank())
	kept := AxisRange(0, x.Shape().Dim(axis)-1)
	if by > 0 {
		pads[axis].Start = by
	} else {
		pads[axis].End, kept = -by, AxisRangeToEnd(-by)
	}
	return Pad(cut(x, axis, kept), ScalarZero(x.Graph(), x.DType()), pads...)
}
