package nn

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/internal/backend"
)

// Window is how a kernel goes over images, along the height and the width.
type Window struct {
	Strides, Dilations [2]int
	Pads               [2][2]int // places of zeros before and after
}

// reach is how many places a kernel of so many spans along an axis.
func (w Window) reach(axis, kernel int) int { return (kernel-1)*w.Dilations[axis] + 1 }

// plain reports whether the kernel goes over all places and no others.
func (w Window) plain() bool {
	return w.Strides == [2]int{1, 1} && w.Pads == [2][2]int{}
}

// Convolve is any convolution, of x [n, h, w, in] with a kernel [kh, kw, in/groups, out], in the
// form that the backend computes fastest. All forms differ by rounding alone. It has a gradient
// with respect to x; where kernels are stepped or in groups none with respect to the kernel.
func (w Window) Convolve(x, kernel *Node, groups int) *Node {
	d := kernel.Shape().Dimensions
	if groups == 1 && d[0] == 1 && d[1] == 1 && w.plain() {
		s := x.Shape().Dimensions
		y := Einsum("pk,ko->po", Reshape(x, -1, d[2]), Reshape(kernel, d[2], d[3]))
		return Reshape(y, s[0], s[1], s[2], d[3])
	}
	if groups == 1 && (w.Strides == [2]int{1, 1} || w.Dilations == [2]int{1, 1}) && w.Pads[0][0] < w.reach(0, d[0]) && w.Pads[1][0] < w.reach(1, d[1]) {
		return w.general(x, kernel, [2]int{1, 1}, 1)
	}
	// GoMLX's gradient splits the groups, and does not take strides with dilations.
	return WithGradient(w.forward(x, kernel, groups), []*Node{x}, func(dy *Node) []*Node {
		return []*Node{w.Gradient(dy, kernel, groups, x.Shape().Dimensions)}
	})
}

// forward is Convolve without a gradient of its own.
func (w Window) forward(x, kernel *Node, groups int) *Node {
	if byShifts(x, kernel, groups) {
		return w.shifts(x, kernel, [2]int{1, 1})
	}
	return w.general(x, kernel, [2]int{1, 1}, groups)
}

// Gradient is the gradient with respect to x, of shape d, of [Window.Convolve], for that with
// respect to its result: the convolution of dy, with zeros between its places where x was
// stepped over, by the kernel turned by 180° with inputs and outputs exchanged in each group.
func (w Window) Gradient(dy, kernel *Node, groups int, d []int) *Node {
	k := kernel.Shape().Dimensions
	back := Window{Strides: [2]int{1, 1}, Dilations: w.Dilations}
	before := [2]int{}
	for i := range 2 {
		reach, span := w.reach(i, k[i]), (dy.Shape().Dim(1+i)-1)*w.Strides[i]+1
		low := reach - 1 - w.Pads[i][0]
		before[i] = max(0, -low) // what to cut off, where x was padded by more than the kernel reaches
		back.Pads[i] = [2]int{max(0, low), max(0, d[1+i]+before[i]+reach-1-span-max(0, low))}
	}
	turned := Reverse(kernel, 0, 1)
	var dx *Node
	if byShifts(dy, kernel, groups) {
		dx = back.shifts(dy, turned, w.Strides)
		s := dx.Shape().Dimensions
		dx = ReduceSum(Reshape(dx, s[0], s[1], s[2], groups, s[3]/groups), -1)
	} else {
		turned = Reshape(turned, k[0], k[1], k[2], groups, k[3]/groups)
		turned = Reshape(TransposeAllAxes(turned, 0, 1, 4, 3, 2), k[0], k[1], k[3]/groups, groups*k[2])
		dx = back.general(dy, turned, w.Strides, groups)
	}
	return Slice(dx, AxisRange(), AxisRange(before[0], before[0]+d[1]), AxisRange(before[1], before[1]+d[2]))
}

// channelsLast are the axes of [n, h, w, c] and [h, w, in, out].
var channelsLast = compute.ConvolveAxesConfig{
	InputBatch: 0, InputSpatial: []int{1, 2}, InputChannels: 3,
	KernelSpatial: []int{0, 1}, KernelInputChannels: 2, KernelOutputChannels: 3,
	OutputBatch: 0, OutputSpatial: []int{1, 2}, OutputChannels: 3,
}

// general leaves it to the backend. Between the places of x lie so many steps.
func (w Window) general(x, kernel *Node, steps [2]int, groups int) *Node {
	var between []int // nil, so that a gradient is known
	if steps != [2]int{1, 1} {
		between = steps[:]
	}
	return ConvGeneral(x, kernel, channelsLast, w.Strides[:], w.Pads[:], between, w.Dilations[:], groups, 1)
}

// byShifts reports whether each channel is convolved by itself and XLA computes that on a CPU,
// which it does place by place: [Window.shifts] takes a tenth to a thirtieth of the time.
func byShifts(x, kernel *Node, groups int) bool {
	return kindOf(x) == backend.XLACPU && groups > 1 && kernel.Shape().Dim(2) == 1 && x.DType() == dtypes.Float32
}

// shifts is the convolution of each channel of x, [n, h, w, in], with kernels of its own,
// [kh, kw, 1, out], as a sum of shifted images, which XLA computes in one pass. Between the
// places of x lie so many steps. It has no gradient.
func (w Window) shifts(x, kernel *Node, steps [2]int) *Node {
	k := kernel.Shape().Dimensions
	if d := x.Shape().Dimensions; d[3] != k[3] {
		each := k[3] / d[3]
		x = Reshape(BroadcastToDims(InsertAxes(x, -1), append(slices.Clone(d), each)...), d[0], d[1], d[2], k[3])
	}
	pads := make([]compute.PadAxis, 3)
	for i, p := range w.Pads {
		pads[1+i] = compute.PadAxis{Start: p[0], End: p[1], Interior: steps[i] - 1}
	}
	// Without the barrier XLA would compute what x and the pads are made of for every shift.
	x = OptimizationBarrier(Pad(x, ScalarZero(x.Graph(), x.DType()), pads...))
	var size [2]int
	for i := range size {
		size[i] = (x.Shape().Dim(1+i)-w.reach(i, k[i]))/w.Strides[i] + 1
	}
	part := func(axis, at int) SliceAxisSpec {
		from := at * w.Dilations[axis]
		return AxisRange(from, from+(size[axis]-1)*w.Strides[axis]+1).Stride(w.Strides[axis])
	}
	var y *Node
	for i := range k[0] {
		for j := range k[1] {
			weights := Reshape(Slice(kernel, AxisElem(i), AxisElem(j)), 1, 1, 1, k[3])
			term := Mul(Slice(x, AxisRange(), part(0, i), part(1, j)), weights)
			if y == nil {
				y = term
			} else {
				y = Add(y, term)
			}
		}
	}
	return y
}

// WithGradient returns y, which depends on x, with other gradients than its own: dx makes those
// with respect to x of the one with respect to y.
//
// GoMLX has custom gradients of an identity only. So z is x and zeros of y's shape behind
// such an identity: y, constant to the gradient, plus the zeros is y, and y's gradient
// arrives at z. The compiler takes the zeros out again.
func WithGradient(y *Node, x []*Node, dx func(dy *Node) []*Node) *Node {
	flat := func(all []*Node) *Node {
		var parts []*Node
		for _, x := range append(slices.Clone(all), ZerosLike(y)) {
			parts = append(parts, Reshape(x, -1))
		}
		return Concatenate(parts, 0)
	}
	last := func(z *Node) *Node {
		return Reshape(Slice(z, AxisRangeToEnd(z.Shape().Size()-y.Shape().Size())), y.Shape().Dimensions...)
	}
	z := IdentityWithCustomGradient(flat(x), func(_, v *Node) *Node { return flat(dx(last(v))) })
	return Add(StopGradient(y), last(z))
}
