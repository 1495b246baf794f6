package export

import (
	"cmp"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
)

// reshape writes new axes.
func (f *file) reshape(o *op) (*stored, error) {
	x := o.in[0]
	s, err := f.get(x)
	if err != nil {
		return nil, err
	}
	if slices.Equal(x.dims, o.dims) {
		return s, nil
	}
	if s.constant != nil {
		if s.constant.Size() == 1 { // one number for all places
			return anew(o, s, slices.Repeat([]int{1}, len(o.dims)))
		}
		if dims, fixed := o.fixed(); fixed && !slices.Contains(s.repeats, true) {
			return anew(o, s, dims)
		}
	}
	// The places stand in the tensor as in the value where its axes do that have more than one.
	t, last := "", -1
	inOrder := !slices.ContainsFunc(s.order, func(axis int) bool {
		if x.dims[axis] == (dim{n: 1}) {
			return false
		}
		before := last
		last = axis
		return axis < before
	})
	if order := identity(len(x.dims)); inOrder {
		t, err = f.full(x, s.order)
	} else {
		t, err = f.full(x, order)
	}
	if err != nil {
		return nil, err
	}
	return complete(f.node("Reshape", []string{t, f.shape(o.dims, true)}), identity(len(o.dims))), nil
}

// anew is a constant of other axes.
func anew(o *op, s *stored, dims []int) (c *stored, err error) {
	var t *tensors.Tensor
	if at := s.constant.ConstFlatData(func(flat any) { t, err = tensorOf(flat, dims) }); at != nil || err != nil {
		return nil, cmp.Or(at, err)
	}
	c = ofConstant(t, o.repeats(dims))
	c.name = s.name
	return c, nil
}

// complete is a tensor that has all places of its value.
func complete(tensor string, order []int) *stored {
	return &stored{tensor: tensor, order: order, repeats: make([]bool, len(order))}
}

// broadcast repeats a value along new axes, and along those of one place. The operators do
// that themselves.
func (f *file) broadcast(o *op) (*stored, error) {
	x, to := o.in[0], o.args.([]int)
	s, err := f.get(x)
	if err != nil {
		return nil, err
	}
	dims, sizes := slices.Repeat([]dim{{n: 1}}, len(o.dims)), slices.Repeat([]int{1}, len(o.dims))
	repeats := slices.Repeat([]bool{true}, len(o.dims))
	for axis, at := range to {
		if repeats[at] = s.repeats[axis] || x.dims[axis] == (dim{n: 1}); !repeats[at] {
			dims[at], sizes[at] = x.dims[axis], x.shape.Dim(axis)
		}
	}
	for i, d := range o.dims {
		repeats[i] = repeats[i] && d != dim{n: 1}
	}
	switch {
	case s.constant != nil:
		return anew(o, s, sizes)
	case len(to) == len(o.dims): // the same axes
		return &stored{tensor: s.tensor, order: s.order, repeats: repeats}, nil
	}
	t, err := f.tensor(x, identity(len(x.dims)))
	if err != nil {
		return nil, err
	}
	return &stored{tensor: f.node("Reshape", []string{t, f.shape(dims, true)}), order: identity(len(o.dims)), repeats: repeats}, nil
}

// transpose writes nothing: the value's axes have other numbers.
func (f *file) transpose(o *op) (*stored, error) {
	x, perm := o.in[0], o.args.([]int)
	s, err := f.get(x)
	if err != nil {
		return nil, err
	}
	to := &stored{tensor: s.tensor, order: make([]int, len(perm)), repeats: make([]bool, len(perm)), others: map[string]string{}}
	for i, axis := range perm {
		to.repeats[i] = s.repeats[axis]
	}
	order := s.order
	if s.constant != nil { // to be written in this order
		if to.tensor, err = f.tensor(x, order); err != nil {
			return nil, err
		}
	}
	for i, axis := range order {
		to.order[i] = slices.Index(perm, axis)
	}
	return to, nil
}

// at is where axes stand in an order.
func at(order, axes []int) []int {
	all := make([]int, len(axes))
	for i, axis := range axes {
		all[i] = slices.Index(order, axis)
	}
	return all
}

// slice takes a part of each axis.
func (f *file) slice(o *op) (*stored, error) {
	x, a := o.in[0], o.args.(sliceArgs)
	s, err := f.get(x)
	if err != nil {
		return nil, err
	}
	var axes, starts, ends, steps []int
	repeats, spread := make([]bool, len(o.dims)), false
	for i := range o.dims {
		if a.starts[i] == 0 && a.limits[i] == whole && a.strides[i] == 1 {
			repeats[i] = s.repeats[i]
			continue
		}
		if x.dims[i].batch {
			return nil, o.fail("a part of the batch, want Together set in the network")
		}
		spread = spread || s.repeats[i]
		axes, starts, steps = append(axes, i), append(starts, a.starts[i]), append(steps, a.strides[i])
		if ends = append(ends, a.limits[i]); a.limits[i] == whole {
			ends[len(ends)-1] = x.dims[i].n
		}
	}
	order := s.order
	read := f.tensor
	if spread {
		read, repeats = f.full, make([]bool, len(o.dims))
	}
	t, err := read(x, order)
	if err != nil || len(axes) == 0 {
		return &stored{tensor: t, order: order, repeats: repeats}, err
	}
	in := []string{t, f.ints(starts...), f.ints(ends...), f.ints(at(order, axes)...), f.ints(steps...)}
	return &stored{tensor: f.node("Slice", in), order: order, repeats: repeats}, nil
}

// reverse turns axes around.
func (f *file) reverse(o *op) (*stored, error) {
	x, axes := o.in[0], o.args.([]int)
	s, err := f.get(x)
	if err != nil {
		return nil, err
	}
	t, err := f.tensor(x, s.order) // what repeats is the same from the other end
	if err != nil {
		return nil, err
	}
	last, back := slices.Repeat([]int{-1}, len(axes)), slices.Repeat([]int{math.MinInt64}, len(axes))
	in := []string{t, f.ints(last...), f.ints(back...), f.ints(at(s.order, axes)...), f.ints(last...)}
	return &stored{tensor: f.node("Slice", in), order: s.order, repeats: s.repeats}, nil
}

// pad puts a value around.
func (f *file) pad(o *op) (*stored, error) {
	x, sides := o.in[0], o.args.([]compute.PadAxis)
	s, err := f.get(x)
	if err != nil {
		return nil, err
	}
	t, err := f.full(x, s.order)
	if err != nil {
		return nil, err
	}
	fill, err := f.tensor(o.in[1], nil)
	if err != nil {
		return nil, err
	}
	pads := make([]int, 2*len(s.order))
	for i, axis := range s.order {
		if axis >= len(sides) {
			continue
		}
		p := sides[axis]
		if p.Interior != 0 {
			return nil, o.fail("padding between the values, which ONNX does not have")
		}
		pads[i], pads[i+len(s.order)] = p.Start, p.End
	}
	return complete(f.node("Pad", []string{t, f.ints(pads...), fill}), s.order), nil
}

// concatenate joins values along an axis.
func (f *file) concatenate(o *op) (*stored, error) {
	order, err := f.common(o.in)
	if err != nil {
		return nil, err
	}
	var in []string
	for _, x := range o.in {
		t, err := f.full(x, order)
		if err != nil {
			return nil, err
		}
		in = append(in, t)
	}
	return complete(f.node("Concat", in, attr{"axis", slices.Index(order, o.args.(int))}), order), nil
}
