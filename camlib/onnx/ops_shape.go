package onnx

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

func init() {
	register(map[string]operator{
		"Shape": shapeOf, "Size": sizeOf, "Reshape": reshape, "Flatten": flatten, "Squeeze": squeeze, "Unsqueeze": unsqueeze,
		"Transpose": transpose, "Expand": expand, "Tile": tile, "ConstantOfShape": constantOfShape, "Range": rangeOf,
		"DepthToSpace": depthToSpace, "SpaceToDepth": spaceToDepth, "EyeLike": eyeLike,
	})
}

// shapeOf is Shape (1, 13, 15, 19): always known here.
func shapeOf(c *call) []*value {
	d := c.arg(0).dims
	bound := func(name string, otherwise int) int {
		at := c.intAttr(name, otherwise)
		if at < 0 {
			at += len(d)
		}
		return max(0, min(at, len(d)))
	}
	start, end := bound("start", 0), bound("end", len(d))
	if end < start {
		end = start
	}
	return one(constantValue(ints(d[start:end]...)))
}

// sizeOf is Size (1, 13).
func sizeOf(c *call) []*value {
	return one(constantValue(&array{dtype: dtypes.Int64, dims: []int{}, i: []int64{int64(c.arg(0).size())}}))
}

// reshaped is a value in another shape of as many values.
func (c *call) reshaped(v *value, d []int) []*value {
	if v.size() != product(d) || slices.ContainsFunc(d, func(n int) bool { return n < 0 }) {
		c.fail("shape %v of a tensor of shape %v, want one of as many values", d, v.dims)
	}
	if slices.Equal(d, v.dims) {
		return one(v)
	}
	if v.last && len(d) == 2 && v.dims[2] == 1 && v.dims[3] == 1 { // pooled to one place: the order is the same
		return one(logical(Reshape(c.physical(v), d...)))
	}
	return one(logical(Reshape(c.logicalNode(v), d...)))
}

// reshape is Reshape (1, 5, 13, 14, 19, 21): 0 copies a dimension unless allowzero, −1 is
// what is left.
func reshape(c *call) []*value {
	v := c.arg(0)
	d := slices.Clone(c.intsAt(1, "shape"))
	rest := -1
	for i, n := range d {
		switch {
		case n == -1 && rest >= 0 || n < -1:
			c.fail("shape %v, want at most one −1", d)
		case n == -1:
			rest = i
		case n == 0 && c.intAttr("allowzero", 0) == 0:
			if i >= v.rank() {
				c.fail("shape %v of a tensor of shape %v, want a 0 only where there is a dimension to copy", d, v.dims)
			}
			d[i] = v.dims[i]
		}
	}
	if rest >= 0 {
		d[rest] = 1
		if n := product(d); n == 0 || v.size()%n != 0 {
			d[rest] = -1
		} else {
			d[rest] = v.size() / n
		}
	}
	d, outer := c.freed(v, d)
	out := c.reshaped(v, d)
	if outer != out[0].outer {
		w := *out[0]
		w.outer = outer
		out[0] = &w
	}
	return out
}

// flatten is Flatten (1, 9, 11, 13).
func flatten(c *call) []*value {
	v := c.arg(0)
	axis := c.intAttr("axis", 1)
	if axis != v.rank() {
		axis = c.axis(axis, v.rank())
	}
	return c.reshaped(v, []int{product(v.dims[:axis]), product(v.dims[axis:])})
}

// squeeze is Squeeze (1, 11, 13).
func squeeze(c *call) []*value {
	v := c.arg(0)
	given := c.intsAt(1, "axes")
	drop := c.axes(given, v.rank())
	var d []int
	for a, n := range v.dims {
		if slices.Contains(drop, a) && (n == 1 || given != nil) {
			if n != 1 {
				c.fail("axis %d of shape %v, want one of 1", a, v.dims)
			}
			continue
		}
		d = append(d, n)
	}
	return c.reshaped(v, d)
}

// unsqueeze is Unsqueeze (1, 11, 13).
func unsqueeze(c *call) []*value {
	v := c.arg(0)
	given := c.intsAt(1, "axes")
	rank := v.rank() + len(given)
	if len(given) == 0 {
		return one(v)
	}
	axes := c.axes(given, rank)
	if len(axes) != len(given) {
		c.fail("axes %v, want each once", given)
	}
	d := slices.Clone(v.dims)
	for _, a := range axes {
		d = slices.Insert(d, a, 1)
	}
	return c.reshaped(v, d)
}

// transpose is Transpose (1, 13, 21). To and from channels last nothing is moved.
func transpose(c *call) []*value {
	v := c.arg(0)
	p := c.intsAttr("perm")
	if p == nil {
		for a := range v.rank() {
			p = append(p, v.rank()-1-a)
		}
	}
	order := slices.Clone(p)
	slices.Sort(order)
	for i, a := range order {
		if a != i || len(p) != v.rank() {
			c.fail("perm %v of a tensor of shape %v, want each axis once", p, v.dims)
		}
	}
	physical, channels := make([]int, len(p)), 0
	for i, a := range p {
		physical[i] = v.physicalAxis(a)
		if v.channels != 0 && a == v.channels {
			channels = i
		}
	}
	if channels != 1 && channels != 3 {
		channels = 0
	}
	var out *value
	switch {
	case slices.IsSorted(physical):
		out = logical(c.physical(v))
	case slices.Equal(physical, inLast):
		return one(channelsLast(c.physical(v)))
	default:
		out = logical(TransposeAllAxes(c.physical(v), physical...))
	}
	out.channels = channels
	return one(out)
}

// expand is Expand (8, 13).
func expand(c *call) []*value {
	v := c.arg(0)
	shape := c.ints(1)
	if f := c.batch; f != nil && f.from > 1 && len(shape) > 0 && len(shape) >= v.rank() && shape[0] == f.from && (v.rank() < len(shape) || v.dims[0] != f.from) {
		shape = append([]int{f.to}, shape[1:]...) // rows that are all the same, one for each image of the file's batch
	}
	d := broadcastDims(v.dims, shape)
	for i, n := range v.dims {
		if at := len(d) - v.rank() + i; n != 1 && d[at] != n {
			c.fail("shape %v of a tensor of shape %v, want one that it can be broadcast to", d, v.dims)
		}
	}
	if slices.Equal(d, v.dims) {
		return one(v)
	}
	c.size(d)
	return one(logical(BroadcastToDims(ExpandLeftToRank(c.logicalNode(v), len(d)), d...)).like(v))
}

// size fails for a shape of too many values, before anything is made of it.
func (c *call) size(d []int) {
	for _, n := range d {
		if n < 0 {
			c.fail("shape %v, want no negative size", d)
		}
	}
	c.checkSize(&value{dims: d})
}

// tile is Tile (1, 6, 13).
func tile(c *call) []*value {
	v, times := c.arg(0), c.ints(1)
	if len(times) != v.rank() {
		c.fail("%v repeats of a tensor of shape %v, want one for each axis", times, v.dims)
	}
	var d, split []int
	for a, n := range times {
		split = append(split, 1, v.dims[a])
		d = append(d, n*v.dims[a])
		if n < 0 || n > maxReach {
			c.fail("%v repeats, want 0 to %d", times, maxReach)
		}
	}
	c.size(d)
	x := Reshape(c.logicalNode(v), split...)
	for a, n := range times {
		split[2*a] = n
	}
	return one(logical(Reshape(BroadcastToDims(x, split...), d...)).like(v))
}

// constantOfShape is ConstantOfShape (9, 20): known if small.
func constantOfShape(c *call) []*value {
	d := c.ints(0)
	c.size(d)
	a := &array{dtype: dtypes.Float32, dims: []int{1}, f: []float32{0}}
	if t := c.n.attributes["value"]; t != nil && t.t != nil {
		var err error
		if a, err = newArray(t.t); err != nil || a.size() != 1 || a.dtype == dtypes.InvalidDType {
			c.fail("attribute value of shape %v, want one number: %v", a.dims, err)
		}
	}
	x := ConstTensor(c.g, (&value{constant: a}).constant.tensor())
	return one(logical(BroadcastToDims(Reshape(c.float(x)), d...)))
}

// rangeOf is Range (11).
func rangeOf(c *call) []*value {
	if c.arg(0).dtype != dtypes.Int64 {
		from, to, step := c.scalarOr(0, 0), c.scalarOr(1, 0), c.scalarOr(2, 1)
		var f []float32
		for i := 0; step != 0 && i < foldOutput; i++ {
			at := from + float64(i)*step
			if step > 0 && at >= to || step < 0 && at <= to {
				break
			}
			f = append(f, float32(at))
		}
		return one(constantValue(&array{dtype: dtypes.Float32, dims: []int{len(f)}, f: f}))
	}
	var n [3]int
	for i := range n {
		list := c.ints(i)
		if len(list) != 1 {
			c.fail("input %d of %d values, want 1", i, len(list))
		}
		n[i] = list[0]
	}
	a := ints()
	for at := n[0]; n[2] > 0 && at < n[1] || n[2] < 0 && at > n[1]; at += n[2] {
		if len(a.i) == foldOutput {
			c.fail("from %d to %d by %d, want at most %d numbers", n[0], n[1], n[2], foldOutput)
		}
		a.i = append(a.i, int64(at))
	}
	a.dims = []int{len(a.i)}
	return one(constantValue(a))
}

// depthToSpace is DepthToSpace (1, 11, 13).
func depthToSpace(c *call) []*value {
	v, b := c.arg(0), c.intAttr("blocksize", 0)
	if v.rank() != 4 || b < 1 || b > maxReach || v.dims[1]%(b*b) != 0 {
		c.fail("blocks of %d of an input of shape %v, want [n, channels, height, width] with channels in so many blocks", b, v.dims)
	}
	d := v.dims
	rest := d[1] / (b * b)
	x, order := c.logicalNode(v), []int{0, 3, 4, 1, 5, 2}
	if c.textAttr("mode", "DCR") == "CRD" {
		x, order = Reshape(x, d[0], rest, b, b, d[2], d[3]), []int{0, 1, 4, 2, 5, 3}
	} else {
		x = Reshape(x, d[0], b, b, rest, d[2], d[3])
	}
	return one(logical(Reshape(TransposeAllAxes(x, order...), d[0], rest, d[2]*b, d[3]*b)).like(v))
}

// spaceToDepth is SpaceToDepth (1, 13).
func spaceToDepth(c *call) []*value {
	v, b := c.arg(0), c.intAttr("blocksize", 0)
	if v.rank() != 4 || b < 1 || b > maxReach || v.dims[2]%b != 0 || v.dims[3]%b != 0 {
		c.fail("blocks of %d of an input of shape %v, want [n, channels, height, width] in so many blocks", b, v.dims)
	}
	d := v.dims
	x, order := Reshape(c.logicalNode(v), d[0], d[1], d[2]/b, b, d[3]/b, b), []int{0, 3, 5, 1, 2, 4}
	if c.textAttr("mode", "DCR") == "CRD" {
		order = []int{0, 1, 3, 5, 2, 4}
	}
	return one(logical(Reshape(TransposeAllAxes(x, order...), d[0], d[1]*b*b, d[2]/b, d[3]/b)).like(v))
}

// eyeLike is EyeLike (9, 22).
func eyeLike(c *call) []*value {
	v, k := c.arg(0), c.intAttr("k", 0)
	if v.rank() != 2 || v.size() > foldOutput {
		c.fail("an input of shape %v, want a matrix of at most %d values", v.dims, foldOutput)
	}
	a := &array{dtype: v.dtype, dims: v.dims}
	if to := c.n.attributes["dtype"]; to != nil {
		a.dtype = kinds[to.i].dtype
	}
	for r := range v.dims[0] {
		for at := range v.dims[1] {
			is := int64(0)
			if at == r+k {
				is = 1
			}
			a.i, a.f = append(a.i, is), append(a.f, float32(is))
		}
	}
	return one(constantValue(a))
}
