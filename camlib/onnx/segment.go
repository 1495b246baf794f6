package onnx

import (
	"errors"
	"fmt"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// begin is a builder for as many images as the graph of x has, and their plan.
func (im *imported) begin(scope *model.Scope, x *Node) (*builder, *plan) {
	n := x.Shape().Dim(0)
	if im.alone(n) {
		n = im.batch()
	}
	p, f, err := im.at(n)
	if err != nil {
		panic(stop{err})
	}
	b := im.m.newBuilder(x.Graph(), scope, x.DType())
	b.known, b.batch, b.plain = p.known, f, im.tried
	return b, p
}

// enter is a builder of a part, with what the parts before it made.
func (im *imported) enter(scope *model.Scope, x *Node, beside []*Node, k int) *builder {
	b, p := im.begin(scope, x)
	if k == 0 {
		x = im.pre.build(x)
		if im.repeats() {
			x = repeat(x, im.batch())
		}
		if d, want := x.Shape().Dimensions[1:], im.im.size; d[0] != want.Height || d[1] != want.Width || d[2] != want.Channels {
			b.known = nil // sizes that the file computes are others for other images
		}
		b.values[im.im.name] = im.im.value(x)
		return b
	}
	c := im.cuts[k-1]
	fact := p.tensors[c.Tensor]
	names := im.passing[k-1]
	want := len(names)
	if c.Tokens > 0 {
		want++
	}
	if len(beside) != want {
		panic(stop{fmt.Errorf("%d values beside layer %s, want %d", len(beside), c.Name, want)})
	}
	for i, name := range names {
		b.values[name] = im.unpack(p.tensors[name], im.axes[name], b.float(beside[i]))
	}
	if im.repeats() {
		x = repeat(x, im.batch())
	}
	if c.Tokens >= 0 {
		d := x.Shape().Dimensions
		x = Reshape(x, d[0], d[1]*d[2], d[3])
		if c.Tokens > 0 {
			extra := b.float(beside[len(beside)-1])
			if im.repeats() {
				extra = repeat(extra, im.batch())
			}
			x = Concatenate([]*Node{extra, x}, 1)
		}
		b.values[c.Tensor] = logical(x)
		return b
	}
	v := logical(x)
	if c.channels == 1 {
		v = channelsLast(x)
	}
	v.channels = c.channels
	if !slices.Equal(v.dims, fact.dims) { // what was computed of other sizes is not known
		b.known = make(map[string]*array)
		for name, a := range p.known {
			if from := im.m.graph.from[name]; from == nil || im.part[from] < k {
				b.known[name] = a
			}
		}
	}
	b.values[c.Tensor] = v
	return b
}

func repeat(x *Node, n int) *Node {
	d := slices.Clone(x.Shape().Dimensions)
	d[0] = n
	return BroadcastToDims(x, d...)
}

// leave is a layer's activations and what passes beside them.
func (b *builder) leave(im *imported, k int) []*Node {
	c := im.cuts[k]
	v := b.value(c.Tensor)
	var act, extra *Node
	switch {
	case c.Tokens >= 0:
		x := b.first(im, b.logicalNode(v))
		d := x.Shape().Dimensions
		act = Reshape(Slice(x, AxisRange(), AxisRange(c.Tokens, d[1])), d[0], c.Shape[0], c.Shape[1], d[2])
		if c.Tokens > 0 {
			extra = Slice(x, AxisRange(), AxisRange(0, c.Tokens))
		}
	case c.channels == 1:
		act = b.first(im, b.lastNode(v))
	default:
		act = b.first(im, b.logicalNode(v))
	}
	out := []*Node{act}
	for _, name := range im.passing[k] {
		out = append(out, im.pack(b, b.value(name), im.axes[name], im.plan.tensors[name].last))
	}
	if extra != nil {
		out = append(out, extra)
	}
	return out
}

// pack is a value with the images of the batch along its first axis. axis is 0 where they
// are there, and else one more than the axis along which each image has so many places.
func (im *imported) pack(b *builder, v *value, axis int, last bool) *Node {
	if im.axes == nil {
		return InsertAxes(b.logicalNode(v), 0)
	}
	if axis == 0 && last {
		return b.lastNode(v)
	}
	if axis == 0 {
		return b.logicalNode(v)
	}
	axis--
	n := im.now(b)
	x := b.logicalNode(v)
	split := slices.Concat(v.dims[:axis], []int{n, v.dims[axis] / n}, v.dims[axis+1:])
	order := []int{axis}
	for a := range split {
		if a != axis {
			order = append(order, a)
		}
	}
	return TransposeAllAxes(Reshape(x, split...), order...)
}

// now is the batch that a builder builds for.
func (im *imported) now(b *builder) int {
	if in, ok := b.values[im.im.name]; ok {
		return in.dims[0]
	}
	for _, c := range im.cuts {
		if v, ok := b.values[c.Tensor]; ok {
			return v.dims[0]
		}
	}
	panic(stop{errors.New("no batch")})
}

// unpack undoes pack.
func (im *imported) unpack(f fact, axis int, x *Node) *value {
	if im.axes == nil {
		v := logical(Reshape(x, f.dims...))
		v.channels = f.channels
		return v
	}
	var v *value
	switch {
	case axis == 0 && f.last:
		v = channelsLast(x)
	case axis == 0:
		v = logical(x)
	default:
		var order []int
		for a := 1; a < x.Rank(); a++ {
			if a == axis {
				order = append(order, 0)
			}
			order = append(order, a)
		}
		v = logical(Reshape(TransposeAllAxes(x, order...), f.dims...))
	}
	v.channels = f.channels
	return v
}
