package onnx

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

func init() {
	register(map[string]operator{
		"Gather": gather, "GatherElements": gatherElements, "GatherND": gatherND, "OneHot": oneHot, "ScatterND": scatterND, "NonZero": nonZero,
	})
}

// gather is Gather (1, 11, 13): indices [i…] along an axis.
func gather(c *call) []*value {
	v, index := c.arg(0), c.arg(1)
	axis := c.axis(c.intAttr("axis", 0), v.rank())
	index = c.freedIndices(v, index)
	if index.constant != nil && index.size() == 1 { // one place is a slice
		at := int(index.constant.ints()[0])
		if at < -v.dims[axis] || at >= v.dims[axis] {
			c.fail("place %d of axis %d of shape %v", at, axis, v.dims)
		}
		if at < 0 {
			at += v.dims[axis]
		}
		x := SliceAxis(c.logicalNode(v), axis, AxisElem(at))
		d := append(append(slices.Clone(v.dims[:axis]), index.dims...), v.dims[axis+1:]...)
		return one(logical(Reshape(x, d...)))
	}
	order := []int{axis}
	for a := range v.rank() {
		if a != axis {
			order = append(order, a)
		}
	}
	i := c.wrapped(c.logicalNode(index), v.dims[axis])
	if index.size() == 0 {
		c.fail("no indices, want some")
	}
	x := Gather(TransposeAllAxes(c.logicalNode(v), order...), InsertAxes(i, -1)) // [i…, before…, after…]
	var back []int
	for a := range axis {
		back = append(back, index.rank()+a)
	}
	for a := range index.rank() {
		back = append(back, a)
	}
	for a := axis; a < v.rank()-1; a++ {
		back = append(back, index.rank()+a)
	}
	return one(logical(TransposeAllAxes(x, back...)))
}

// wrapped are indices of an axis of n places, negative ones counted from the end.
func (c *call) wrapped(i *Node, n int) *Node {
	return Where(LessThan(i, ZerosLike(i)), AddScalar(i, n), i)
}

// gatherElements is GatherElements (11, 13): for each place of the indices, that of the
// input with the index on one axis.
func gatherElements(c *call) []*value {
	v := c.arg(0)
	axis := c.axis(c.intAttr("axis", 0), v.rank())
	i := c.wrapped(c.x(1), v.dims[axis])
	var at []*Node
	for a := range v.rank() {
		if a == axis {
			at = append(at, i)
		} else {
			at = append(at, Iota(c.g, i.Shape(), a))
		}
	}
	return one(logical(Gather(c.x(0), Stack(at, -1))))
}

// gatherND is GatherND (11, 12, 13) without batch_dims.
func gatherND(c *call) []*value {
	v := c.arg(0)
	if c.intAttr("batch_dims", 0) != 0 {
		c.fail("batch_dims, want none")
	}
	i := c.x(1)
	depth := i.Shape().Dim(-1)
	if depth > v.rank() {
		c.fail("indices of %d axes of shape %v", depth, v.dims)
	}
	sizes := make([]int64, depth)
	for a := range sizes {
		sizes[a] = int64(v.dims[a])
	}
	i = Where(LessThan(i, ZerosLike(i)), Add(i, BroadcastToDims(ExpandLeftToRank(Const(c.g, sizes), i.Rank()), i.Shape().Dimensions...)), i)
	return one(logical(Gather(c.x(0), i)))
}

// oneHot is OneHot (9, 11).
func oneHot(c *call) []*value {
	v, depth := c.arg(0), c.ints(1)
	if len(depth) != 1 || depth[0] < 1 || depth[0] > maxReach {
		c.fail("depth %v, want 1 to %d", depth, maxReach)
	}
	axis := c.axis(c.intAttr("axis", -1), v.rank()+1)
	hot := OneHot(c.wrapped(c.convert(c.logicalNode(v), dtypes.Int64), depth[0]), depth[0], dtypes.Bool)
	order := []int{}
	for a := range v.rank() {
		order = append(order, a)
	}
	hot = TransposeAllAxes(hot, slices.Insert(order, axis, v.rank())...)
	values := c.x(2)
	d := hot.Shape().Dimensions
	pick := func(i int) *Node { return BroadcastToDims(Reshape(Slice(values, AxisElem(i))), d...) }
	return one(logical(Where(hot, pick(1), pick(0))))
}

// scatterND is ScatterND (11, 13, 16, 18) of what is known, as masks of windows are.
func scatterND(c *call) []*value {
	data, index, updates := c.arg(0), c.arg(1), c.arg(2)
	if data.constant == nil || index.constant == nil || updates.constant == nil || c.textAttr("reduction", "none") != "none" {
		c.fail("of tensors that depend on the picture, want constants")
	}
	out := &array{dtype: data.dtype, dims: data.dims, f: slices.Clone(data.constant.floats()), i: slices.Clone(data.constant.ints())}
	if index.rank() == 0 || index.dims[index.rank()-1] > data.rank() {
		c.fail("indices of shape %v of a tensor of shape %v", index.dims, data.dims)
	}
	depth := index.dims[index.rank()-1]
	each := product(data.dims[depth:])
	at, f, n := index.constant.ints(), updates.constant.floats(), updates.constant.ints()
	if depth == 0 || len(f) != len(at)/depth*each {
		c.fail("updates of shape %v for indices of shape %v", updates.dims, index.dims)
	}
	for k := range len(at) / depth {
		place := 0
		for a := range depth {
			i := int(at[k*depth+a])
			if i < 0 {
				i += data.dims[a]
			}
			if i < 0 || i >= data.dims[a] {
				c.fail("index %d of an axis of %d", i, data.dims[a])
			}
			place = place*data.dims[a] + i
		}
		copy(out.f[place*each:], f[k*each:(k+1)*each])
		copy(out.i[place*each:], n[k*each:(k+1)*each])
	}
	return one(constantValue(out))
}

// nonZero is NonZero (9, 13) of what is known.
func nonZero(c *call) []*value {
	v := c.arg(0)
	if v.constant == nil {
		c.fail("of a tensor that depends on the picture, want a constant")
	}
	var found [][]int64
	f := v.constant.floats()
	for i, x := range f {
		if x == 0 {
			continue
		}
		at := make([]int64, v.rank())
		for a, rest := v.rank()-1, i; a >= 0; a-- {
			at[a], rest = int64(rest%v.dims[a]), rest/v.dims[a]
		}
		found = append(found, at)
	}
	out := &array{dtype: dtypes.Int64, dims: []int{v.rank(), len(found)}}
	for a := range v.rank() {
		for _, at := range found {
			out.i = append(out.i, at[a])
		}
	}
	return one(constantValue(out))
}
