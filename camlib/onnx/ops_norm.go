package onnx

import (
	. "github.com/gomlx/gomlx/core/graph"
)

func init() {
	register(map[string]operator{
		"BatchNormalization": batchNorm, "InstanceNormalization": instanceNorm, "GroupNormalization": groupNorm,
		"LayerNormalization": layerNorm, "RMSNormalization": rmsNorm, "MeanVarianceNormalization": meanVarianceNorm, "LpNormalization": lpNorm,
		"Softmax": softmax, "LogSoftmax": logSoftmax, "Hardmax": hardmax,
	})
}

// channelVector is an input [c] in the shape that is broadcast along a value's axis 1.
func (c *call) channelVector(i int, of *value) *Node {
	d := make([]int, of.rank())
	for a := range d {
		d[a] = 1
	}
	d[of.physicalAxis(1)] = -1
	return Reshape(c.x(i), d...)
}

// batchNorm is BatchNormalization (7, 9, 14, 15) as it is outside of training,
//
//	(x − mean) / √(var + ε) · scale + B,
//
// each [c], as one product and one sum.
func batchNorm(c *call) []*value {
	v := c.arg(0)
	if v.rank() < 2 {
		c.fail("an input of shape %v, want [n, channels, …]", v.dims)
	}
	if c.intAttr("training_mode", 0) != 0 {
		c.fail("training_mode, want a network exported for inference: call model.eval() before the export")
	}
	scale, shift, mean, variance := c.x(1), c.x(2), c.x(3), c.x(4)
	factor := Div(scale, Sqrt(AddScalar(variance, c.floatAttr("epsilon", 1e-5))))
	offset := Sub(shift, Mul(mean, factor))
	d := make([]int, v.rank())
	for a := range d {
		d[a] = 1
	}
	d[v.physicalAxis(1)] = -1
	return same(v, Add(Mul(c.physical(v), Reshape(factor, d...)), Reshape(offset, d...)))
}

// standard is (x − mean) / √(var + ε) over some axes.
func standard(x *Node, epsilon float64, axes ...int) *Node {
	x = Sub(x, ReduceAndKeep(x, ReduceMean, axes...))
	return Div(x, Sqrt(AddScalar(ReduceAndKeep(Mul(x, x), ReduceMean, axes...), epsilon)))
}

// instanceNorm is InstanceNormalization (1, 6, 22): each channel of each image by itself.
func instanceNorm(c *call) []*value {
	v := c.arg(0)
	var axes []int
	for a := 2; a < v.rank(); a++ {
		axes = append(axes, v.physicalAxis(a))
	}
	if axes == nil {
		c.fail("an input of shape %v, want [n, channels, …]", v.dims)
	}
	x := standard(c.physical(v), c.floatAttr("epsilon", 1e-5), axes...)
	return same(v, Add(Mul(x, c.channelVector(1, v)), c.channelVector(2, v)))
}

// groupNorm is GroupNormalization (18, 21): groups of channels; scale and bias are one of
// each group in version 18, one of each channel since.
func groupNorm(c *call) []*value {
	v, groups := c.arg(0), c.intAttr("num_groups", 0)
	if v.rank() < 3 || groups < 1 || v.dims[1]%groups != 0 {
		c.fail("%d groups of an input of shape %v, want [n, channels, …] with as many channels in each", groups, v.dims)
	}
	each := v.dims[1] / groups
	x := standard(Reshape(c.logicalNode(v), v.dims[0], groups, -1), c.floatAttr("epsilon", 1e-5), 2)
	x = Reshape(x, v.dims[0], groups, each, -1)
	vector := func(i int) *Node {
		if w := c.x(i); w.Shape().Size() == groups && c.n.opset < 21 {
			return Reshape(w, 1, groups, 1, 1)
		}
		return Reshape(c.x(i), 1, groups, each, 1)
	}
	return one(logical(Reshape(Add(Mul(x, vector(1)), vector(2)), v.dims...)).like(v))
}

// layerNorm is LayerNormalization (17): over all axes from one on.
func layerNorm(c *call) []*value {
	v := c.arg(0)
	axis := c.axis(c.intAttr("axis", -1), v.rank())
	var axes []int
	for a := axis; a < v.rank(); a++ {
		axes = append(axes, a)
	}
	x := c.logicalNode(v)
	centered := Sub(x, ReduceAndKeep(x, ReduceMean, axes...))
	inverse := Reciprocal(Sqrt(AddScalar(ReduceAndKeep(Mul(centered, centered), ReduceMean, axes...), c.floatAttr("epsilon", 1e-5))))
	y := Mul(Mul(centered, inverse), ExpandLeftToRank(c.x(1), v.rank()))
	if c.has(2) {
		y = Add(y, ExpandLeftToRank(c.x(2), v.rank()))
	}
	return []*value{logical(y).like(v), logical(ReduceAndKeep(x, ReduceMean, axes...)), logical(inverse)}
}

// rmsNorm is RMSNormalization (23): x / √(mean x² + ε) · scale.
func rmsNorm(c *call) []*value {
	v := c.arg(0)
	var axes []int
	for a := c.axis(c.intAttr("axis", -1), v.rank()); a < v.rank(); a++ {
		axes = append(axes, a)
	}
	x := c.logicalNode(v)
	x = Div(x, Sqrt(AddScalar(ReduceAndKeep(Mul(x, x), ReduceMean, axes...), c.floatAttr("epsilon", 1e-5))))
	return one(logical(Mul(x, ExpandLeftToRank(c.x(1), v.rank()))).like(v))
}

// meanVarianceNorm is MeanVarianceNormalization (9, 13).
func meanVarianceNorm(c *call) []*value {
	v, axes := c.arg(0), c.intsAttr("axes")
	if axes == nil {
		axes = []int{0, 2, 3}
	}
	x := c.logicalNode(v)
	axes = c.axes(axes, v.rank())
	x = Sub(x, ReduceAndKeep(x, ReduceMean, axes...))
	return one(logical(Div(x, AddScalar(Sqrt(ReduceAndKeep(Mul(x, x), ReduceMean, axes...)), 1e-9))).like(v))
}

// lpNorm is LpNormalization (1, 22): x over its 1- or 2-norm along an axis.
func lpNorm(c *call) []*value {
	v := c.arg(0)
	axis := v.physicalAxis(c.axis(c.intAttr("axis", -1), v.rank()))
	x, p := c.physical(v), float64(c.intAttr("p", 2))
	sum := ReduceAndKeep(power(x, p), ReduceSum, axis)
	sum = Where(Equal(sum, ZerosLike(sum)), OnesLike(sum), sum) // 0 over 1 is 0, as wanted
	return same(v, Div(x, root(sum, p)))
}

// softmaxAxes are the axes of Softmax and its like: one, the last by default, since opset
// 13; before, all from one on, the second by default.
func (c *call) softmaxAxes(v *value) []int {
	if c.n.opset >= 13 {
		return []int{v.physicalAxis(c.axis(c.intAttr("axis", -1), v.rank()))}
	}
	first := c.intAttr("axis", 1)
	if first == v.rank() {
		return nil
	}
	var axes []int
	for a := c.axis(first, v.rank()); a < v.rank(); a++ {
		axes = append(axes, v.physicalAxis(a))
	}
	return axes
}

// exponents are x less its largest along some axes, and the exponential of that.
func exponents(x *Node, axes []int) (less, exp *Node) {
	less = Sub(x, StopGradient(ReduceAndKeep(x, ReduceMax, axes...)))
	return less, Exp(less)
}

// softmax is Softmax (1, 11, 13).
func softmax(c *call) []*value {
	v := c.arg(0)
	_, e := exponents(c.physical(v), c.softmaxAxes(v))
	return same(v, Div(e, ReduceAndKeep(e, ReduceSum, c.softmaxAxes(v)...)))
}

// logSoftmax is LogSoftmax (1, 11, 13).
func logSoftmax(c *call) []*value {
	v := c.arg(0)
	less, e := exponents(c.physical(v), c.softmaxAxes(v))
	return same(v, Sub(less, Log(ReduceAndKeep(e, ReduceSum, c.softmaxAxes(v)...))))
}

// hardmax is Hardmax (1, 11, 13): 1 at the first of the largest, 0 elsewhere.
func hardmax(c *call) []*value {
	v := c.arg(0)
	x := c.logicalNode(v)
	var axis int
	d := v.dims
	if c.n.opset >= 13 {
		axis = c.axis(c.intAttr("axis", -1), v.rank())
	} else {
		first := c.axis(c.intAttr("axis", 1), v.rank())
		d = append(append([]int{}, v.dims[:first]...), product(v.dims[first:]))
		x, axis = Reshape(x, d...), first
	}
	y := OneHot(ArgMax(x, axis), d[axis], x.DType())
	if axis != len(d)-1 { // OneHot adds its axis at the end
		order := make([]int, 0, len(d))
		for a := range d {
			switch {
			case a < axis:
				order = append(order, a)
			case a == axis:
				order = append(order, len(d)-1)
			default:
				order = append(order, a-1)
			}
		}
		y = TransposeAllAxes(y, order...)
	}
	return one(logical(Reshape(y, v.dims...)).like(v))
}
