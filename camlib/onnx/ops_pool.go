package onnx

import (
	"math"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
)

func init() {
	register(map[string]operator{
		"MaxPool": maxPool, "AveragePool": averagePool, "LpPool": lpPool, "LRN": lrn,
		"GlobalAveragePool": globalPool(func(x *Node, _ *call) *Node { return ReduceAndKeep(x, ReduceMean, 1, 2) }),
		"GlobalMaxPool":     globalPool(func(x *Node, _ *call) *Node { return ReduceAndKeep(x, reduceMax, 1, 2) }),
		"GlobalLpPool": globalPool(func(x *Node, c *call) *Node {
			p := float64(c.intAttr("p", 2))
			return root(ReduceAndKeep(power(x, p), ReduceSum, 1, 2), p)
		}),
	})
}

// globalPool is an operator that makes one place of all: [n, c, h, w] to [n, c, 1, 1].
func globalPool(f func(x *Node, c *call) *Node) operator {
	return func(c *call) []*value {
		v := c.arg(0)
		if v.rank() == 4 {
			return one(channelsLast(f(c.lastNode(v), c)))
		}
		if v.rank() < 3 {
			c.fail("an input of shape %v, want [n, channels, …]", v.dims)
		}
		x := Reshape(c.logicalNode(v), v.dims[0], v.dims[1], -1, 1)
		return one(logical(Reshape(toLogical(f(toLast(x), c)), append([]int{v.dims[0], v.dims[1]}, slices.Repeat([]int{1}, v.rank()-2)...)...)))
	}
}

func power(x *Node, p float64) *Node {
	switch p {
	case 1:
		return Abs(x)
	case 2:
		return Mul(x, x)
	}
	return Pow(Abs(x), ConstAs(x, p))
}

func root(x *Node, p float64) *Node {
	switch p {
	case 1:
		return x
	case 2:
		return Sqrt(x)
	}
	return Pow(x, ConstAs(x, 1/p))
}

// pooled is a window over images of which the pads reach so far that no place of it is
// left out, and the number of places of the result. ceil_mode counts a last window that
// leaves the image, if it begins in it or in the pads before it.
func (c *call) pooled(flat bool, size []int) (w window, out []int) {
	kernel := c.intsAttr("kernel_shape")
	if flat {
		kernel = append([]int{1}, kernel...)
	}
	w = c.imageWindow(flat, kernel, size)
	out = make([]int, 2)
	for i := range 2 {
		whole := size[i] + w.pads[i][0] + w.pads[i][1] - w.reach(i)
		if whole < 0 {
			c.fail("a kernel of %v places over an image of %v with pads %v, want a smaller one", kernel, size, w.pads)
		}
		out[i] = whole/w.strides[i] + 1
		if c.intAttr("ceil_mode", 0) != 0 && whole%w.strides[i] != 0 && out[i]*w.strides[i] < size[i]+w.pads[i][0] {
			out[i]++
		}
	}
	return w, out
}

// fill pads x, [n, h, w, c], with a number so that windows fit for so many places of the
// result along an axis, 1 or 2.
func fill(x *Node, axis int, w window, out int, with float64) *Node {
	i := axis - 1
	parts := []*Node{x}
	more := func(n int) *Node {
		d := slices.Clone(x.Shape().Dimensions)
		d[axis] = n
		return BroadcastToDims(ConstAs(x, with), d...)
	}
	if w.pads[i][0] > 0 {
		parts = append([]*Node{more(w.pads[i][0])}, parts...)
	}
	after := (out-1)*w.strides[i] + w.reach(i) - w.pads[i][0] - x.Shape().Dim(axis)
	if after > 0 {
		parts = append(parts, more(after))
	}
	if len(parts) == 1 {
		return x
	}
	return Concatenate(parts, axis)
}

// taps are, for each place of a kernel along an axis, what of x it meets.
func taps(x *Node, axis int, w window, out int) (all []*Node) {
	i := axis - 1
	for k := range w.kernel[i] {
		from := k * w.dilations[i]
		all = append(all, SliceAxis(x, axis, AxisRange(from, from+(out-1)*w.strides[i]+1).Stride(w.strides[i])))
	}
	return all
}

// maxPool is MaxPool (1, 8, 10, 11, 12, 22), without the second output. It is written as
// maxima of slices, along one axis and then the other: the gradient of that is a mask,
// many times faster under XLA on a CPU than the SelectAndScatter that GoMLX's MaxPool needs.
// Where several of a window's values are the largest, the first row by row gets the
// gradient, as in PyTorch. A NaN becomes +∞, since XLA's maximum on a CPU may lose a NaN.
func maxPool(c *call) []*value {
	if len(c.n.outputs) > 1 && c.n.outputs[1] != "" {
		c.fail("the indices of the largest, want a pool without them: export without return_indices")
	}
	const least = -3e38 // as good as −∞, without its NaN; also in bfloat16
	x, flat := c.images(0), c.arg(0).rank() == 3
	w, out := c.pooled(flat, x.Shape().Dimensions[1:3])
	low := float64(math.MinInt32)
	if x.DType().IsFloat() {
		low = least
		inf := BroadcastToDims(Infinity(c.g, x.DType(), 1), x.Shape().Dimensions...)
		x = Where(LessThan(x, inf), x, inf)
	}
	for _, axis := range []int{2, 1} {
		all := taps(fill(x, axis, w, out[axis-1], low), axis, w, out[axis-1])
		x = all[0]
		for _, y := range all[1:] {
			x = Max(x, y)
		}
	}
	return one(c.fromImages(x, flat))
}

// averagePool is AveragePool (1, 7, 10, 11, 19, 22). count_include_pad counts the pads of
// the attribute, not what ceil_mode adds after them.
func averagePool(c *call) []*value {
	x, flat := c.images(0), c.arg(0).rank() == 3
	size := slices.Clone(x.Shape().Dimensions[1:3])
	w, out := c.pooled(flat, size)
	y := sumPool(x, w, out)
	var counts []*Node
	full := 1
	for i := range 2 {
		n := make([]float32, out[i])
		from, to := 0, size[i]
		if c.intAttr("count_include_pad", 0) != 0 {
			from, to = -w.pads[i][0], size[i]+w.pads[i][1]
		}
		for o := range n {
			for k := range w.kernel[i] {
				if at := o*w.strides[i] - w.pads[i][0] + k*w.dilations[i]; at >= from && at < to {
					n[o]++
				}
			}
			n[o] = max(n[o], 1)
		}
		full *= w.kernel[i]
		if slices.Min(n) == slices.Max(n) && int(n[0]) == w.kernel[i] {
			counts = append(counts, nil)
			continue
		}
		d := []int{1, 1, 1, 1}
		d[i+1] = out[i]
		counts = append(counts, Reshape(c.float(Const(c.g, n)), d...))
	}
	for i, n := range counts {
		if n != nil {
			y, full = Div(y, n), full/w.kernel[i]
		}
	}
	if full > 1 {
		y = DivScalar(y, full)
	}
	return one(c.fromImages(y, flat))
}

// lpPool is LpPool (1, 2, 11, 18, 22): the p-norm of each window.
func lpPool(c *call) []*value {
	x, flat := c.images(0), c.arg(0).rank() == 3
	w, out := c.pooled(flat, x.Shape().Dimensions[1:3])
	p := float64(c.intAttr("p", 2))
	return one(c.fromImages(root(sumPool(power(x, p), w, out), p), flat))
}

// sumPool adds up each window's values, along one axis and then the other.
func sumPool(x *Node, w window, out []int) *Node {
	d := x.Shape().Dimensions
	if out[0] == 1 && out[1] == 1 && w.kernel[0] == d[1] && w.kernel[1] == d[2] && slices.Equal(w.pads, [][2]int{{}, {}}) {
		return ReduceAndKeep(x, ReduceSum, 1, 2)
	}
	for _, axis := range []int{2, 1} {
		all := taps(fill(x, axis, w, out[axis-1], 0), axis, w, out[axis-1])
		x = all[0]
		for _, y := range all[1:] {
			x = Add(x, y)
		}
	}
	return x
}

// lrn is LRN (1, 13): x / (bias + α/size · Σ x²)^β, the sum over size channels about each.
func lrn(c *call) []*value {
	v := c.arg(0)
	if v.rank() != 4 {
		c.fail("an input of shape %v, want [n, channels, height, width]", v.dims)
	}
	x, size := c.lastNode(v), c.intAttr("size", 0)
	if size < 1 || size > maxReach {
		c.fail("size %d, want 1 to %d", size, maxReach)
	}
	channels := x.Shape().Dim(3)
	c.matrix(channels, channels)
	band := make([][]float32, channels) // which channels are summed: a matrix
	for i := range band {
		band[i] = make([]float32, channels)
		for k := max(0, i-(size-1)/2); k <= min(channels-1, i+size/2); k++ {
			band[i][k] = 1
		}
	}
	sum := Einsum("nhwc,kc->nhwk", Mul(x, x), c.float(Const(c.g, band)))
	base := AddScalar(MulScalar(sum, c.floatAttr("alpha", 1e-4)/float64(size)), c.floatAttr("bias", 1))
	return one(channelsLast(Div(x, Pow(base, ConstAs(x, c.floatAttr("beta", 0.75))))))
}
