package onnx

import (
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

func init() {
	register(map[string]operator{
		"Concat": concat, "Split": split, "Slice": slice, "Pad": pad, "Trilu": trilu, "CumSum": cumSum,
	})
}

// concat is Concat (4, 11, 13).
func concat(c *call) []*value {
	first := c.arg(0)
	axis := c.axis(c.intAttr("axis", 0), first.rank())
	var parts []*value
	last := false
	for i := range c.in {
		v := c.arg(i)
		if v.rank() != first.rank() {
			c.fail("tensors of shapes %v and %v, want as many axes", first.dims, v.dims)
		}
		if v.size() > 0 || len(c.in) == 1 {
			parts = append(parts, v)
			last = last || v.last
		}
	}
	if len(parts) == 0 {
		parts = []*value{first}
	}
	if len(parts) == 1 {
		return one(parts[0])
	}
	var nodes []*Node
	for _, v := range parts {
		if last {
			nodes = append(nodes, c.lastNode(v))
		} else {
			nodes = append(nodes, c.logicalNode(v))
		}
	}
	at := (&value{last: last}).physicalAxis(axis)
	c.spread(nodes, at)
	x := Concatenate(nodes, at)
	if last {
		return one(channelsLast(x))
	}
	out := logical(x)
	for _, v := range parts {
		out.like(v)
	}
	return one(out)
}

// split is Split (2, 11, 13, 18): in given parts, or as many as there are outputs, of which
// the last may be smaller.
func split(c *call) []*value {
	v := c.arg(0)
	axis := c.axis(c.intAttr("axis", 0), v.rank())
	sizes := c.intsAt(1, "split")
	if sizes == nil {
		n := c.intAttr("num_outputs", len(c.n.outputs))
		if n < 1 || n > maxReach {
			c.fail("%d parts, want 1 to %d", n, maxReach)
		}
		each := (v.dims[axis] + n - 1) / n
		for left := v.dims[axis]; len(sizes) < n; left -= each {
			sizes = append(sizes, max(0, min(each, left)))
		}
	}
	var out []*value
	from := 0
	for _, n := range sizes {
		if n < 0 || from+n > v.dims[axis] {
			c.fail("parts of %v of axis %d of shape %v, want parts of it", sizes, axis, v.dims)
		}
		x := SliceAxis(c.physical(v), v.physicalAxis(axis), AxisRange(from, from+n))
		if n == 0 {
			out = append(out, c.empty(v, axis))
		} else {
			out = append(out, v.result(x))
		}
		from += n
	}
	return out
}

// empty is a value like another without anything along an axis.
func (c *call) empty(v *value, axis int) *value {
	d := slices.Clone(v.dims)
	d[axis] = 0
	return constantValue(&array{dtype: v.dtype, dims: d})
}

// slice is Slice (1, 10, 11, 13).
func slice(c *call) []*value {
	v := c.arg(0)
	starts, ends, axes, steps := c.intsAt(1, "starts"), c.intsAt(2, "ends"), c.intsAt(3, "axes"), []int(nil)
	if c.has(4) {
		steps = c.ints(4)
	}
	if axes == nil {
		for a := range starts {
			axes = append(axes, a)
		}
	}
	if steps == nil {
		steps = slices.Repeat([]int{1}, len(starts))
	}
	if len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != len(starts) {
		c.fail("starts %v, ends %v, axes %v, steps %v, want as many of each", starts, ends, axes, steps)
	}
	x := c.physical(v)
	for i, a := range axes {
		a = c.axis(a, v.rank())
		n, step := v.dims[a], steps[i]
		if step == 0 {
			c.fail("a step of 0, want another")
		}
		from, to := starts[i], ends[i]
		if from < 0 {
			from += n
		}
		if to < 0 {
			to += n
		}
		at := v.physicalAxis(a)
		if step > 0 {
			from, to = max(0, min(from, n)), max(0, min(to, n))
			if from >= to {
				return one(c.empty(v, a))
			}
			x = SliceAxis(x, at, AxisRange(from, to).Stride(min(step, n)))
			continue
		}
		from, to = max(-1, min(from, n-1)), max(-1, min(to, n-1))
		if from <= to {
			return one(c.empty(v, a))
		}
		var order []int64
		for k := from; k > to; k += step {
			order = append(order, int64(k))
		}
		x = take1(x, at, Const(c.g, order))
	}
	return one(v.result(x))
}

// take1 takes places along an axis, in an order.
func take1(x *Node, axis int, order *Node) *Node {
	rank := x.Rank()
	front := make([]int, 0, rank)
	front = append(front, axis)
	for a := range rank {
		if a != axis {
			front = append(front, a)
		}
	}
	y := Gather(TransposeAllAxes(x, front...), InsertAxes(order, -1))
	back := make([]int, rank)
	for to, from := range front {
		back[from] = to
	}
	return TransposeAllAxes(y, back...)
}

// pad is Pad (1, 2, 11, 13, 18, 19, 21), of all modes. Negative pads cut off.
func pad(c *call) []*value {
	v := c.arg(0)
	pads := c.intsAt(1, "pads")
	axes := []int(nil)
	if c.has(3) {
		axes = c.ints(3)
	}
	axes2 := axes
	if axes2 == nil {
		for a := range v.rank() {
			axes2 = append(axes2, a)
		}
	}
	if len(pads) != 2*len(axes2) {
		c.fail("pads %v for %d axes, want two of each", pads, len(axes2))
	}
	with := c.floatAttr("value", 0)
	if c.has(2) {
		with = c.scalarOr(2, 0)
	}
	x := c.physical(v)
	for i, a := range axes2 {
		a = c.axis(a, v.rank())
		before, after := pads[i], pads[len(axes2)+i]
		if max(before, after, -before, -after) > maxReach {
			c.fail("pads %v, want at most %d", pads, maxReach)
		}
		x = c.padAxis(x, v.physicalAxis(a), before, after, with)
	}
	return one(v.result(x))
}

func (c *call) padAxis(x *Node, axis, before, after int, with float64) *Node {
	if before < 0 || after < 0 {
		n := x.Shape().Dim(axis)
		x = SliceAxis(x, axis, AxisRange(max(0, -before), n-max(0, -after)))
		before, after = max(0, before), max(0, after)
	}
	if before == 0 && after == 0 {
		return x
	}
	n := x.Shape().Dim(axis)
	mode := c.textAttr("mode", "constant")
	switch mode {
	case "constant":
		parts := []*Node{x}
		more := func(n int) *Node {
			d := slices.Clone(x.Shape().Dimensions)
			d[axis] = n
			if !x.DType().IsFloat() {
				return BroadcastToDims(ConstAs(x, int64(max(min(with, math.MaxInt32), math.MinInt32))), d...)
			}
			return BroadcastToDims(ConstAs(x, with), d...)
		}
		if before > 0 {
			parts = append([]*Node{more(before)}, parts...)
		}
		if after > 0 {
			parts = append(parts, more(after))
		}
		return Concatenate(parts, axis)
	case "edge", "reflect", "wrap":
		order := make([]int64, before+n+after)
		for i := range order {
			at := i - before
			switch {
			case mode == "edge":
				at = max(0, min(at, n-1))
			case mode == "wrap":
				at = ((at % n) + n) % n
			case n == 1:
				at = 0
			default:
				period := 2 * (n - 1)
				if at = ((at % period) + period) % period; at >= n {
					at = period - at
				}
			}
			order[i] = int64(at)
		}
		return take1(x, axis, Const(c.g, order))
	}
	c.fail("mode %q, want constant, reflect, edge or wrap", mode)
	return nil
}

// trilu is Trilu (14).
func trilu(c *call) []*value {
	v, k := c.arg(0), 0
	if c.has(1) {
		k = c.ints(1)[0]
	}
	if v.rank() < 2 {
		c.fail("an input of shape %v, want matrices", v.dims)
	}
	if v.size() == 0 {
		return one(v)
	}
	x := c.logicalNode(v)
	d := []int{v.dims[v.rank()-2], v.dims[v.rank()-1]}
	c.matrix(d[0], d[1])
	keep := make([]bool, d[0]*d[1])
	for i := range keep {
		row, at := i/d[1], i%d[1]
		keep[i] = at >= row+k
		if c.intAttr("upper", 1) == 0 {
			keep[i] = at <= row+k
		}
	}
	mask := ExpandLeftToRank(Const(c.g, keep), v.rank()-1)
	mask = BroadcastToDims(Reshape(mask, append(slices.Repeat([]int{1}, v.rank()-2), d...)...), v.dims...)
	return one(logical(Where(mask, x, ZerosLike(x))))
}

// cumSum is CumSum (11, 14): as a product with a triangle of ones.
func cumSum(c *call) []*value {
	v := c.arg(0)
	axis := c.axis(c.ints(1)[0], v.rank())
	n := v.dims[axis]
	c.matrix(n, n)
	ones := make([][]float32, n)
	reverse, less := c.intAttr("reverse", 0) != 0, c.intAttr("exclusive", 0) != 0
	for i := range ones {
		ones[i] = make([]float32, n)
		for k := range n {
			if (k < i || k == i && !less) && !reverse || (k > i || k == i && !less) && reverse {
				ones[i][k] = 1
			}
		}
	}
	front := []int{}
	for a := range v.rank() {
		if a != axis {
			front = append(front, a)
		}
	}
	front = append(front, axis)
	x := TransposeAllAxes(c.convert(c.logicalNode(v), dtypes.Float32), front...)
	d := x.Shape().Dimensions
	x = Reshape(Einsum("pk,ik->pi", Reshape(x, -1, n), c.float(Const(c.g, ones))), d...)
	back := make([]int, v.rank())
	for to, from := range front {
		back[from] = to
	}
	return one(logical(c.convert(TransposeAllAxes(x, back...), v.dtype)))
}
