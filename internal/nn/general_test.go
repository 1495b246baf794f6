package nn

import (
	"fmt"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/internal/backend"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestConvolve holds convolutions of many windows, and their gradients, to sums that are
// written out: of each place of the kernel, the part of the image that it meets.
func TestConvolve(t *testing.T) {
	one, two := [2]int{1, 1}, [2]int{2, 2}
	rows := []struct {
		x, kernel [4]int
		w         Window
		groups    int
	}{
		{[4]int{2, 5, 6, 3}, [4]int{1, 1, 3, 4}, Window{Strides: one, Dilations: one}, 1},
		{[4]int{2, 5, 6, 3}, [4]int{1, 1, 3, 4}, Window{Strides: two, Dilations: one}, 1},
		{[4]int{2, 7, 6, 3}, [4]int{3, 3, 3, 4}, Window{Strides: one, Dilations: one, Pads: [2][2]int{{1, 1}, {1, 1}}}, 1},
		{[4]int{2, 7, 6, 3}, [4]int{3, 2, 3, 4}, Window{Strides: two, Dilations: one, Pads: [2][2]int{{0, 1}, {2, 0}}}, 1},
		{[4]int{2, 9, 8, 3}, [4]int{3, 3, 3, 4}, Window{Strides: two, Dilations: two, Pads: [2][2]int{{2, 1}, {1, 2}}}, 1},
		{[4]int{2, 7, 6, 3}, [4]int{2, 2, 3, 4}, Window{Strides: one, Dilations: one, Pads: [2][2]int{{4, 3}, {0, 5}}}, 1}, // by more than the kernel reaches
		{[4]int{2, 7, 6, 4}, [4]int{3, 3, 2, 6}, Window{Strides: two, Dilations: one, Pads: [2][2]int{{1, 1}, {1, 1}}}, 2},
		{[4]int{2, 7, 6, 4}, [4]int{3, 3, 1, 4}, Window{Strides: one, Dilations: one, Pads: [2][2]int{{1, 1}, {1, 1}}}, 4},
		{[4]int{2, 7, 6, 4}, [4]int{3, 3, 1, 12}, Window{Strides: one, Dilations: one, Pads: [2][2]int{{1, 1}, {1, 1}}}, 4},
		{[4]int{2, 8, 7, 4}, [4]int{3, 3, 1, 4}, Window{Strides: two, Dilations: one, Pads: [2][2]int{{1, 1}, {1, 1}}}, 4},
		{[4]int{1, 11, 9, 4}, [4]int{5, 3, 1, 8}, Window{Strides: [2]int{3, 1}, Dilations: [2]int{1, 2}, Pads: [2][2]int{{2, 0}, {5, 1}}}, 4},
		{[4]int{2, 6, 5, 4}, [4]int{1, 1, 1, 4}, Window{Strides: two, Dilations: one}, 4},
		{[4]int{2, 5, 4, 2}, [4]int{2, 2, 1, 2}, Window{Strides: one, Dilations: one, Pads: [2][2]int{{3, 4}, {3, 3}}}, 2},
		{[4]int{2, 13, 14, 80}, [4]int{3, 3, 80, 82}, Window{Strides: one, Dilations: one, Pads: [2][2]int{{1, 1}, {1, 1}}}, 1},  // by tiles
		{[4]int{2, 7, 6, 128}, [4]int{3, 2, 128, 129}, Window{Strides: two, Dilations: one, Pads: [2][2]int{{1, 1}, {0, 1}}}, 1}, // by columns
	}
	of := func(b compute.Backend, row int, convolve func(x, kernel *Node) *Node) [][]float32 {
		d, k := rows[row].x, rows[row].kernel
		return flat(t, b, func(in []*Node) []*Node {
			y := convolve(in[0], in[1])
			loss := Add(y, MulScalar(Square(y), 0.1)) // whose gradient is another at each place
			return append([]*Node{y}, Gradient(ReduceAllSum(loss), in...)...)
		}, tensor(1, d[0], d[1], d[2], d[3]), tensor(2, k[0], k[1], k[2], k[3]))
	}
	onEach(t, func(t *testing.T, b compute.Backend) {
		for i, row := range rows {
			what := fmt.Sprintf("%v by %v, %+v, %d groups", row.x, row.kernel, row.w, row.groups)
			got := of(b, i, func(x, kernel *Node) *Node { return row.w.Convolve(x, kernel, row.groups) })
			want := of(backendtest.Go(t), i, func(x, kernel *Node) *Node { return written(row.w, x, kernel, row.groups) })
			backendtest.Near(t, what, got[0], want[0], 1e-5)
			backendtest.Near(t, what+": gradient", got[1], want[1], 1e-5)
			backendtest.Near(t, what+": gradient of the kernel", got[2], want[2], 1e-5)
		}
	})
}

// written is a convolution written out.
func written(w Window, x, kernel *Node, groups int) *Node {
	k := kernel.Shape().Dimensions
	for i, p := range w.Pads {
		x = padAlong(x, 1+i, p[0], p[1])
	}
	d := x.Shape().Dimensions
	var parts []*Node
	for g := range groups {
		var y *Node
		for i := range k[0] {
			for j := range k[1] {
				place := func(axis, at, size int) SliceAxisSpec {
					from := at * w.Dilations[axis]
					n := (size-w.reach(axis, k[axis]))/w.Strides[axis] + 1
					return AxisRange(from, from+(n-1)*w.Strides[axis]+1).Stride(w.Strides[axis])
				}
				part := Slice(x, AxisRange(), place(0, i, d[1]), place(1, j, d[2]), AxisRange(g*k[2], (g+1)*k[2]))
				weights := Reshape(Slice(kernel, AxisElem(i), AxisElem(j), AxisRange(), AxisRange(g*k[3]/groups, (g+1)*k[3]/groups)), k[2], k[3]/groups)
				term := Einsum("nhwi,io->nhwo", part, weights)
				if y == nil {
					y = term
				} else {
					y = Add(y, term)
				}
			}
		}
		parts = append(parts, y)
	}
	return Concatenate(parts, -1)
}

// TestByShifts: which convolutions are sums of shifted images.
func TestByShifts(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		xla := backend.KindOf(b) == backend.XLACPU
		flat(t, b, func(in []*Node) []*Node {
			x, kernel := in[0], in[1]
			half := func(x *Node) *Node { return ConvertDType(x, dtypes.BFloat16) }
			if byShifts(x, kernel, 4) != xla || byShifts(x, kernel, 1) || byShifts(half(x), half(kernel), 4) {
				t.Error("want XLA's on a CPU, of each channel by itself, in float32")
			}
			return []*Node{ScalarOne(x.Graph(), x.DType())}
		}, tensor(1, 1, 3, 3, 4), tensor(2, 3, 3, 1, 4))
	})
}
