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
	// Plain leaves convolutions to the backend, which may take longer to run but compiles them
	// sooner: for a graph that runs once.
	Plain bool
}

// everywhere is the window of a kernel that steps over no place.
var everywhere = Window{Strides: [2]int{1, 1}, Dilations: [2]int{1, 1}}

// reach is how many places a kernel of so many spans along an axis.
func (w Window) reach(axis, kernel int) int { return (kernel-1)*w.Dilations[axis] + 1 }

// Convolve is any convolution, of x [n, h, w, in] with a kernel [kh, kw, in/groups, out], in the
// form that the backend computes fastest, and so are its gradients. All forms differ by
// rounding alone.
func (w Window) Convolve(x, kernel *Node, groups int) *Node {
	if groups == 1 && w.pointwise(kernel) && w.Strides == [2]int{1, 1} {
		return product(x, kernel)
	}
	return WithGradient(w.forward(x, kernel, groups), []*Node{x, kernel}, func(dy *Node) []*Node {
		return []*Node{w.Gradient(dy, kernel, groups, x.Shape().Dimensions), w.KernelGradient(x, dy, kernel.Shape().Dimensions, groups)}
	})
}

// forward is Convolve without a gradient of its own. The numbers are those of the shapes where
// one form overtakes another, measured at batches of 1 and 8 on two cores with AVX-512.
func (w Window) forward(x, kernel *Node, groups int) *Node {
	once := [2]int{1, 1}
	switch {
	case w.Plain:
	case byShifts(x, kernel, groups):
		return w.shifts(x, kernel, once)
	case groups > 1 || kindOf(x) != backend.XLACPU || x.DType() != dtypes.Float32:
	case w.pointwise(kernel):
		return product(Slice(x, AxisRange(), AxisRange().Stride(w.Strides[0]), AxisRange().Stride(w.Strides[1])), kernel)
	case w.byWinograd(x, kernel):
		return tiled(x, kernel)
	case w.byColumns(x, kernel):
		k := kernel.Shape().Dimensions
		return product(Concatenate(w.taps(w.padded(x, once), k), -1), Reshape(kernel, 1, 1, -1, k[3]))
	}
	return w.general(x, kernel, once, groups)
}

// pointwise reports whether the kernel meets one place at a time, and no padding.
func (w Window) pointwise(kernel *Node) bool {
	k := kernel.Shape().Dimensions
	return k[0] == 1 && k[1] == 1 && w.Pads == [2][2]int{}
}

// product multiplies each place of x, [n, h, w, in], with a kernel [1, 1, in, out].
func product(x, kernel *Node) *Node {
	d, k := x.Shape().Dimensions, kernel.Shape().Dimensions
	return Reshape(MatMul(Reshape(x, -1, d[3]), Reshape(kernel, d[3], k[3])), d[0], d[1], d[2], k[3])
}

// byWinograd reports whether Winograd's form, see winograd.go, supports a convolution and is its
// fastest: where there are enough tiles for the kernel's transform, and enough channels for
// the tiles'. A form that is no faster than another takes longer to compile.
func (w Window) byWinograd(x, kernel *Node) bool {
	d, k := x.Shape().Dimensions, kernel.Shape().Dimensions
	same := everywhere
	same.Pads = [2][2]int{{1, 1}, {1, 1}}
	return w == same && k[0] == 3 && k[1] == 3 && k[2]*k[3] >= 40*(k[2]+k[3]) && d[0]*tilesOf(d[1])*tilesOf(d[2]) >= 32
}

// tilesOf is how many tiles of four cover so many places.
func tilesOf(places int) int { return (places + 3) / 4 }

// tiled is Winograd's form for images of any size: it fills them up to whole tiles.
func tiled(x, kernel *Node) *Node {
	d := x.Shape().Dimensions
	h, w := 4*tilesOf(d[1]), 4*tilesOf(d[2])
	x = padAlong(padAlong(x, 1, 0, h-d[1]), 2, 0, w-d[2])
	y := winogradConvolve(winogradInput(x), winogradKernel(kernel), d[0], h, w)
	return Slice(y, AxisRange(), AxisRange(0, d[1]), AxisRange(0, d[2]))
}

// byColumns reports whether one product of all that the kernel meets is the fastest form: of
// many channels, where an image has few places.
func (w Window) byColumns(x, kernel *Node) bool {
	k := kernel.Shape().Dimensions
	return min(k[2], k[3]) >= 128 && w.places(x, k, 0)*w.places(x, k, 1) <= 16*16
}

// places is how many places the result has along an axis.
func (w Window) places(x *Node, kernel []int, axis int) int {
	return (x.Shape().Dim(1+axis)+w.Pads[axis][0]+w.Pads[axis][1]-w.reach(axis, kernel[axis]))/w.Strides[axis] + 1
}

// Gradient is the gradient with respect to x, of shape d, of [Window.Convolve], for that with
// respect to its result: the convolution of dy, with zeros between its places where x was
// stepped over, by the kernel turned by 180° with inputs and outputs exchanged in each group.
func (w Window) Gradient(dy, kernel *Node, groups int, d []int) *Node {
	k := kernel.Shape().Dimensions
	back := Window{Strides: [2]int{1, 1}, Dilations: w.Dilations, Plain: w.Plain}
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
		if w.Strides == [2]int{1, 1} {
			dx = back.forward(dy, turned, groups)
		} else {
			dx = back.general(dy, turned, w.Strides, groups)
		}
	}
	return Slice(dx, AxisRange(), AxisRange(before[0], before[0]+d[1]), AxisRange(before[1], before[1]+d[2]))
}

// KernelGradient is the gradient with respect to the kernel, of shape k, of [Window.Convolve],
// for that with respect to its result.
func (w Window) KernelGradient(x, dy *Node, k []int, groups int) *Node {
	var all []*Node
	dy = Reshape(dy, -1, groups, k[3]/groups)
	for _, x := range w.taps(w.padded(x, [2]int{1, 1}), k) {
		dw := Einsum("pgi,pgo->igo", Reshape(x, -1, groups, k[2]), dy)
		all = append(all, Reshape(dw, 1, k[2], k[3]))
	}
	return Reshape(Concatenate(all, 0), k...)
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
	var y *Node
	for i, x := range w.taps(w.padded(x, steps), k) {
		term := Mul(x, Reshape(Slice(kernel, AxisElem(i/k[1]), AxisElem(i%k[1])), 1, 1, 1, k[3]))
		if y == nil {
			y = term
		} else {
			y = Add(y, term)
		}
	}
	return y
}

// padded is x with zeros on its sides and, between its places, so many steps. It has no gradient.
func (w Window) padded(x *Node, steps [2]int) *Node {
	pads := make([]compute.PadAxis, 3)
	for i, p := range w.Pads {
		pads[1+i] = compute.PadAxis{Start: p[0], End: p[1], Interior: steps[i] - 1}
	}
	return Settled(Pad(x, ScalarZero(x.Graph(), x.DType()), pads...))
}

// taps are, for each place of a kernel row by row, the places of x, [n, h, w, c], that it meets,
// [n, oh, ow, c].
func (w Window) taps(x *Node, kernel []int) (all []*Node) {
	part := func(axis, at int) SliceAxisSpec {
		size := (x.Shape().Dim(1+axis) - w.reach(axis, kernel[axis])) / w.Strides[axis]
		from := at * w.Dilations[axis]
		return AxisRange(from, from+size*w.Strides[axis]+1).Stride(w.Strides[axis])
	}
	for i := range kernel[0] {
		for j := range kernel[1] {
			all = append(all, Slice(x, AxisRange(), part(0, i), part(1, j)))
		}
	}
	return all
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
