package cnn

import (
	. "github.com/gomlx/gomlx/pkg/core/graph"
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
// An activation [n, 4t, 4t, c] is held as a 4×4 grid of planes [n, t, t, c],
// the plane (i, j) having the pixels of row i and column j of every tile, so
// that no transform gathers anything: each is a few sums of whole planes.
//
// All steps but ∘ are linear, so each gradient is the transposed transform.

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

// grid is a square of nodes of one shape.
type grid [][]*Node

func newGrid(size int, at func(i, j int) *Node) grid {
	g := make(grid, size)
	for i := range g {
		g[i] = make([]*Node, size)
		for j := range g[i] {
			g[i][j] = at(i, j)
		}
	}
	return g
}

// each applies f to every node.
func (g grid) each(f func(x *Node) *Node) grid {
	return newGrid(len(g), func(i, j int) *Node { return f(g[i][j]) })
}

// with applies f to every pair of nodes.
func (g grid) with(other grid, f func(x, y *Node) *Node) grid {
	return newGrid(len(g), func(i, j int) *Node { return f(g[i][j], other[i][j]) })
}

// list returns the nodes row by row; asGrid puts them back.
func (g grid) list() (nodes []*Node) {
	for _, row := range g {
		nodes = append(nodes, row...)
	}
	return nodes
}

func asGrid(nodes []*Node, size int) grid {
	return newGrid(size, func(i, j int) *Node { return nodes[i*size+j] })
}

// transform returns m g mᵀ.
func (m matrix) transform(g grid) grid {
	rows := make(grid, len(g))
	for i, row := range g {
		rows[i] = m.times(row)
	}
	columns := make(grid, len(m))
	for j := range columns {
		column := make([]*Node, len(rows))
		for i := range rows {
			column[i] = rows[i][j]
		}
		columns[j] = m.times(column)
	}
	return newGrid(len(m), func(i, j int) *Node { return columns[j][i] })
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

// planes cuts an activation [n, 4t, 4t, c] into its 4×4 grid; unplanes puts it
// back together.
func planes(x *Node) grid {
	return newGrid(4, func(i, j int) *Node {
		return Slice(x, AxisRange(), AxisRange(i).Stride(4), AxisRange(j).Stride(4), AxisRange())
	})
}

func unplanes(p grid) *Node {
	d := p[0][0].Shape().Dimensions
	n, t, c := d[0], d[1], d[3]
	rows := make([]*Node, 4)
	for i, row := range p {
		columns := make([]*Node, 4)
		for j, x := range row {
			columns[j] = Reshape(x, n, t, 1, t, c)
		}
		rows[i] = Reshape(Concatenate(columns, -1), n, t, 1, t*4*c)
	}
	return Reshape(Concatenate(rows, 2), n, t*4, t*4, c)
}

// shift moves the tiles of a plane one place along an axis, to higher places
// when by is 1 and to lower ones when it is -1, and fills up with zeros.
func shift(x *Node, axis, by int) *Node {
	pads := make([]PadAxis, x.Rank())
	pads[axis] = PadAxis{Start: by, End: -by}
	return Pad(x, ScalarZero(x.Graph(), x.DType()), pads...)
}

// The 6×6 input tile reaches one pixel over its 4×4 output tile on each side:
// its row 0 is row 3 of the tile above, its row 5 is row 0 of the tile below,
// and the same for columns. reach gives, for a row or column of the input
// tile, the plane it lies in and the shift that brings the neighbour's here.
func reach(i int) (plane, by int) {
	switch i {
	case 0:
		return 3, 1
	case 5:
		return 0, -1
	}
	return i - 1, 0
}

// moved shifts x along axis unless by is 0.
func moved(x *Node, axis, by int) *Node {
	if by == 0 {
		return x
	}
	return shift(x, axis, by)
}

// winogradInput returns the 36 transformed inputs Bᵀ d B, each [tiles, c], of
// planes [n, t, t, c].
func winogradInput(p grid) grid {
	tile := newGrid(6, func(i, j int) *Node {
		pi, di := reach(i)
		pj, dj := reach(j)
		return moved(moved(p[pi][pj], 2, dj), 1, di)
	})
	return inputBT.transform(tile).each(matrixOf)
}

// winogradInputGradient is the transpose of winogradInput: each pixel gets the
// sum from all tiles that reach it.
func winogradInputGradient(v grid, planeDims []int) grid {
	tile := inputBT.t().transform(v.each(func(x *Node) *Node { return Reshape(x, planeDims...) }))
	sum := newGrid(4, func(_, _ int) *Node { return nil })
	for i := range tile {
		pi, di := reach(i)
		for j := range tile[i] {
			pj, dj := reach(j)
			x := moved(moved(tile[i][j], 2, -dj), 1, -di)
			if sum[pi][pj] != nil {
				x = Add(sum[pi][pj], x)
			}
			sum[pi][pj] = x
		}
	}
	return sum
}

// winogradKernel returns the 36 transformed kernels G g Gᵀ, each [in, out].
func winogradKernel(w *Node) grid {
	d := w.Shape().Dimensions
	return kernelG.transform(newGrid(3, func(i, j int) *Node {
		return Reshape(Slice(w, AxisElem(i), AxisElem(j)), d[2], d[3])
	}))
}

// winogradConvolve returns the planes of the SAME convolution of planes with a
// transformed kernel, and the transformed inputs that its gradient needs.
func winogradConvolve(p, u grid) (y, v grid) {
	v = winogradInput(p)
	dims := append([]int(nil), p[0][0].Shape().Dimensions...)
	dims[3] = u[0][0].Shape().Dim(1)
	product := v.with(u, Dot)
	y = outputAT.transform(product).each(func(x *Node) *Node { return Reshape(x, dims...) })
	return y, v
}

// winogradGradient returns, for the gradient dy of the cost with respect to the
// planes of a convolution's output, those with respect to its kernel, to a bias
// added to it and to its input's planes. v are the transformed inputs of
// [winogradConvolve], u is the transformed kernel.
func winogradGradient(dy, v, u grid) (dw, db *Node, dx grid) {
	dims := append([]int(nil), dy[0][0].Shape().Dimensions...)
	dims[3] = u[0][0].Shape().Dim(0)
	dw, db, dm := winogradKernelGradient(dy, v)
	dv := dm.with(u, func(m, u *Node) *Node { return Einsum("to,io->ti", m, u) })
	return dw, db, winogradInputGradient(dv, dims)
}

// winogradKernelGradient is the part of winogradGradient that needs no kernel; dm is
// the gradient with respect to the 36 products.
func winogradKernelGradient(dy, v grid) (dw, db *Node, dm grid) {
	dm = outputAT.t().transform(dy.each(matrixOf))
	du := v.with(dm, func(v, m *Node) *Node { return Einsum("ti,to->io", v, m) })
	dg := kernelG.t().transform(du).each(func(x *Node) *Node { return InsertAxes(x, 0) })
	dw = Reshape(Concatenate(dg.list(), 0), append([]int{3, 3}, du[0][0].Shape().Dimensions...)...)
	db = ReduceSum(dm[1][1], 0) // row 1 of A is all ones, so this is the sum of dy over the tile
	return dw, db, dm
}

// matrixOf flattens a plane [n, t, t, c] to [n·t·t, c].
func matrixOf(x *Node) *Node { return Reshape(x, -1, x.Shape().Dim(-1)) }
