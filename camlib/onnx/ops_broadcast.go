package onnx

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Operators of several inputs that are broadcast as numpy does, by ONNX's definitions.
func init() {
	for name, f := range map[string]func(x, y *Node) *Node{
		"Add": Add, "Sub": Sub, "Mul": Mul, "Div": Div,
		"Equal": Equal, "Greater": GreaterThan, "GreaterOrEqual": GreaterOrEqual, "Less": LessThan, "LessOrEqual": LessOrEqual,
		"And": LogicalAnd, "Or": LogicalOr, "Xor": LogicalXor,
	} {
		operators[name] = func(c *call) []*value {
			x, y, result := c.together(0, 1)
			return one(result(f(x, y)))
		}
	}
	for name, f := range map[string]func(x, y *Node) *Node{"Max": maximum, "Min": minimum, "Sum": Add, "Mean": Add} {
		operators[name] = func(c *call) []*value {
			out := c.arg(0)
			for i := 1; i < len(c.in); i++ {
				x, y, result := c.align(out, c.arg(i))
				out = result(f(x, y))
			}
			if name == "Mean" && len(c.in) > 1 {
				return same(out, DivScalar(c.physical(out), len(c.in)))
			}
			return one(out)
		}
	}
	register(map[string]operator{"Pow": pow, "Mod": mod, "Where": where})
}

// maximum and minimum leave a NaN of either side as it is.
func maximum(x, y *Node) *Node { return keepNaN(Max(x, y), x, y) }
func minimum(x, y *Node) *Node { return keepNaN(Min(x, y), x, y) }

func keepNaN(z, x, y *Node) *Node {
	if !z.DType().IsFloat() {
		return z
	}
	return Add(z, StopGradient(Add(Sub(z, z), nanOf(x, y))))
}

// nanOf is 0, or NaN where one of two values is.
func nanOf(x, y *Node) *Node {
	zeroOr := func(v *Node) *Node {
		return Where(IsNaN(v), v, ZerosLike(v))
	}
	return Add(zeroOr(x), zeroOr(y))
}

// together are two inputs as nodes that GoMLX broadcasts, and what makes a value of a
// result.
func (c *call) together(i, j int) (x, y *Node, result func(*Node) *value) {
	return c.align(c.arg(i), c.arg(j))
}

func (c *call) align(a, b *value) (x, y *Node, result func(*Node) *value) {
	rank := max(a.rank(), b.rank())
	last := rank == 4 && (a.last || b.last)
	x, y = c.expanded(a, rank, last), c.expanded(b, rank, last)
	return x, y, func(z *Node) *value {
		if last {
			return channelsLast(z)
		}
		return logical(z).like(a).like(b)
	}
}

// expanded is a value with axes of one value before its own, as many as rank asks for, in
// the order of channels last if so. A scalar stays one.
func (c *call) expanded(v *value, rank int, last bool) *Node {
	switch {
	case v.rank() == 0:
		return c.physical(v)
	case last && v.rank() == 4:
		return c.lastNode(v)
	case !last && v.rank() == rank:
		return c.logicalNode(v)
	}
	d := append(slices.Repeat([]int{1}, rank-v.rank()), v.dims...)
	x := Reshape(c.logicalNode(v), d...)
	if last {
		return toLast(x)
	}
	return x
}

// broadcastDims is the shape of a result of two nodes of one rank.
func broadcastDims(x, y []int) []int {
	if len(x) < len(y) {
		x, y = y, x
	}
	out := slices.Clone(x)
	for i := range y {
		at := len(x) - len(y) + i
		if out[at] == 1 {
			out[at] = y[i]
		}
	}
	return out
}

// pow is Pow: x^y, in which a whole or half exponent that is known needs no logarithm.
func pow(c *call) []*value {
	v := c.arg(0)
	if e := c.arg(1); e.constant != nil && e.size() == 1 && e.rank() <= v.rank() && v.dtype == dtypes.Float32 {
		x := c.physical(v)
		switch e.constant.floats()[0] {
		case 1:
			return one(v)
		case 2:
			return same(v, Mul(x, x))
		case 3:
			return same(v, Mul(x, Mul(x, x)))
		case 0.5:
			return same(v, Sqrt(x))
		case -1:
			return same(v, Reciprocal(x))
		case -0.5:
			return same(v, Reciprocal(Sqrt(x)))
		}
	}
	x, y, result := c.together(0, 1)
	if x.DType() != y.DType() { // the result is of the base's type
		to := x.DType()
		x, y = c.convert(x, dtypes.Float32), c.convert(y, dtypes.Float32)
		return one(result(c.convert(Pow(x, y), plainType(to))))
	}
	return one(result(Pow(x, y)))
}

// mod is Mod (10, 13): the remainder with the sign of the divisor, or with fmod that of
// the dividend.
func mod(c *call) []*value {
	x, y, result := c.together(0, 1)
	if c.intAttr("fmod", 0) != 0 {
		return one(result(Rem(x, y)))
	}
	return one(result(Rem(Add(Rem(x, y), y), y)))
}

// where is Where (9, 16).
func where(c *call) []*value {
	a, b, s := c.arg(1), c.arg(2), c.arg(0)
	rank := max(a.rank(), b.rank(), s.rank())
	last := rank == 4 && (a.last || b.last || s.last)
	nodes := []*Node{c.expanded(s, rank, last), c.expanded(a, rank, last), c.expanded(b, rank, last)}
	var d []int
	for _, x := range nodes {
		d = broadcastDims(d, x.Shape().Dimensions)
	}
	for i := range nodes {
		nodes[i] = BroadcastToDims(ExpandLeftToRank(nodes[i], len(d)), d...)
	}
	out := Where(nodes[0], nodes[1], nodes[2])
	if last {
		return one(channelsLast(out))
	}
	return one(logical(out).like(a).like(b))
}
