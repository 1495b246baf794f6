package onnx

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/internal/nn"
)

// Reductions, by ONNX's definitions: axes are an attribute until opset 12, 17 or so, and an
// input since.
func init() {
	type reduction = func(x *Node, axes ...int) *Node
	for name, f := range map[string]reduction{
		"ReduceSum": ReduceSum, "ReduceMean": ReduceMean, "ReduceMax": reduceMax, "ReduceMin": reduceMin, "ReduceProd": reduceProd,
		"ReduceL1":        func(x *Node, axes ...int) *Node { return ReduceSum(Abs(x), axes...) },
		"ReduceL2":        func(x *Node, axes ...int) *Node { return Sqrt(ReduceSum(Mul(x, x), axes...)) },
		"ReduceSumSquare": func(x *Node, axes ...int) *Node { return ReduceSum(Mul(x, x), axes...) },
		"ReduceLogSum":    func(x *Node, axes ...int) *Node { return Log(ReduceSum(x, axes...)) },
		"ReduceLogSumExp": func(x *Node, axes ...int) *Node {
			_, e := exponents(x, axes)
			most := StopGradient(ReduceMax(x, axes...))
			return Add(Log(ReduceSum(e, axes...)), most)
		},
	} {
		operators[name] = func(c *call) []*value { return reduce(c, f) }
	}
	register(map[string]operator{
		"ArgMax": func(c *call) []*value {
			return argMax(c, func(x *Node, a int) *Node { return ArgMax(x, a, dtypes.Int64) })
		},
		"ArgMin": func(c *call) []*value {
			return argMax(c, func(x *Node, a int) *Node { return ArgMin(x, a, dtypes.Int64) })
		},
		"TopK": topK, "If": branch, "DequantizeLinear": dequantize, "QuantizeLinear": quantize,
	})
}

func reduceMax(x *Node, axes ...int) *Node {
	if x.DType() == dtypes.Bool {
		return NotEqual(ReduceMax(ConvertDType(x, dtypes.Int64), axes...), ScalarZero(x.Graph(), dtypes.Int64))
	}
	return ReduceMax(x, axes...)
}

// reduceProd is the product, whose gradient is the product over each factor.
func reduceProd(x *Node, axes ...int) *Node {
	y := ReduceMultiply(x, axes...)
	if !x.DType().IsFloat() {
		return y
	}
	d := x.Shape().Clone().Dimensions
	for _, a := range axes {
		d[MustAdjustAxis(a, x)] = 1
	}
	return nn.WithGradient(y, []*Node{x}, func(dy *Node) []*Node {
		whole := BroadcastToShape(Reshape(Mul(dy, y), d...), x.Shape())
		return []*Node{Where(Equal(x, ZerosLike(x)), ZerosLike(x), Div(whole, x))}
	})
}

func reduceMin(x *Node, axes ...int) *Node {
	if x.DType() == dtypes.Bool {
		return NotEqual(ReduceMin(ConvertDType(x, dtypes.Int64), axes...), ScalarZero(x.Graph(), dtypes.Int64))
	}
	return ReduceMin(x, axes...)
}

func reduce(c *call, f func(x *Node, axes ...int) *Node) []*value {
	v := c.arg(0)
	given := c.intsAt(1, "axes")
	if len(given) == 0 && c.intAttr("noop_with_empty_axes", 0) != 0 {
		return same(v, f(InsertAxes(c.physical(v), -1), -1))
	}
	axes := c.axes(given, v.rank())
	if len(axes) == 0 { // of a scalar
		return same(v, f(InsertAxes(c.physical(v), 0), 0))
	}
	keep := c.intAttr("keepdims", 1) != 0
	x := c.logicalNode
	physical := axes
	if v.last && (keep || slices.Equal(axes, []int{2, 3})) {
		x, physical = c.physical, nil
		for _, a := range axes {
			physical = append(physical, v.physicalAxis(a))
		}
	}
	y := f(x(v), physical...)
	if !keep {
		return one(logical(y))
	}
	d := slices.Clone(v.dims)
	for _, a := range axes {
		d[a] = 1
	}
	if v.last {
		return one(channelsLast(Reshape(y, lastDims(d)...)))
	}
	return one(logical(Reshape(y, d...)).like(v))
}

// argMax is ArgMax and ArgMin (1, 11, 12, 13).
func argMax(c *call, f func(x *Node, axis int) *Node) []*value {
	v := c.arg(0)
	axis := c.axis(c.intAttr("axis", 0), v.rank())
	x, n := c.logicalNode(v), v.dims[axis]
	last := c.intAttr("select_last_index", 0) != 0
	if last {
		x = Reverse(x, axis)
	}
	y := f(x, axis)
	if last {
		y = AddScalar(Neg(y), n-1)
	}
	if c.intAttr("keepdims", 1) != 0 {
		d := slices.Clone(v.dims)
		d[axis] = 1
		y = Reshape(y, d...)
	}
	return one(logical(y))
}

// topK is TopK (10, 11), sorted. The values have no gradient.
func topK(c *call) []*value {
	v := c.arg(0)
	axis := c.axis(c.intAttr("axis", -1), v.rank())
	k := c.ints(1)
	if len(k) != 1 || k[0] < 1 || k[0] > v.dims[axis] {
		c.fail("the %v largest of %d", k, v.dims[axis])
	}
	f := TopK
	if c.intAttr("largest", 1) == 0 {
		f = BottomK
	}
	values, index := f(StopGradient(c.logicalNode(v)), k[0], axis)
	return []*value{logical(values), logical(ConvertDType(index, dtypes.Int64))}
}

// branch is If (1, 11, 13, 16) with a condition that is known: one of its graphs.
func branch(c *call) []*value {
	name := "else_branch"
	if condition := c.ints(0); len(condition) == 1 && condition[0] != 0 {
		name = "then_branch"
	}
	g := c.n.branches[name]
	if g == nil {
		c.fail("no %s, want one", name)
	}
	for name, a := range g.constants {
		c.values[name] = constantValue(a)
	}
	c.run(g.nodes)
	var out []*value
	for _, v := range g.outputs {
		out = append(out, c.value(v.name))
	}
	return out
}

// dequantize is DequantizeLinear (10, 13, 19, 21): (x − zero) · scale.
func dequantize(c *call) []*value {
	v := c.arg(0)
	x := c.convert(c.physical(v), dtypes.Float32)
	if c.has(2) {
		x = Sub(x, c.along(v, 2))
	}
	return same(v, Mul(x, c.along(v, 1)))
}

// along is an input of one number, or of one for each place of an axis.
func (c *call) along(v *value, i int) *Node {
	y := c.convert(c.x(i), dtypes.Float32)
	if y.Shape().Size() == 1 {
		return Reshape(y)
	}
	if y.Rank() != 1 {
		c.fail("scales of blocks, want one or one for each place of an axis")
	}
	d := slices.Repeat([]int{1}, v.rank())
	d[v.physicalAxis(c.axis(c.intAttr("axis", 1), v.rank()))] = -1
	return Reshape(y, d...)
}

// quantize is QuantizeLinear (10, 13, 19, 21), round(x / scale) + zero within its type's
// bounds. It stays a float here and passes gradients on within the bounds.
func quantize(c *call) []*value {
	v := c.arg(0)
	low, high := 0.0, 255.0
	if c.has(2) {
		if a := c.arg(2).constant; a != nil {
			switch a.kind {
			case 3:
				low, high = -128, 127
			case 4:
				high = 65535
			case 5:
				low, high = -32768, 32767
			}
		}
	}
	x := Div(c.physical(v), c.along(v, 1))
	round := StopGradient(Round(x))
	if c.has(2) {
		x, round = Add(x, c.along(v, 2)), Add(round, c.along(v, 2))
	}
	x = between(x, low, high)
	return same(v, Add(x, StopGradient(Sub(ClipScalar(round, low, high), x))))
}
