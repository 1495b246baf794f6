package export

import "slices"

// gather picks places along one axis by their numbers.
func (f *file) gather(o *op) (*stored, error) {
	a, x, indices := o.args.(gatherArgs), o.in[0], o.in[1]
	rank := len(indices.dims)
	if len(a.collapsed) != 1 || !slices.Equal(a.collapsed, a.starts) || a.vector < rank-1 || a.vector == rank-1 && indices.dims[rank-1] != (dim{n: 1}) {
		return nil, o.fail("of several axes at once, which camlab does not write as ONNX")
	}
	for i, n := range a.sizes {
		if i != a.collapsed[0] && n != whole {
			return nil, o.fail("of a part of each place, which camlab does not write as ONNX")
		}
	}
	if a.vector == rank-1 { // of one number
		rank--
	}
	axis := a.collapsed[0]
	for i, to := range a.offsets { // ONNX puts the indices' axes where the axis was
		want := i
		if i >= axis {
			want = i + rank
		}
		if to != want {
			return nil, o.fail("to other axes than the picked one's, which camlab does not write as ONNX")
		}
	}
	t, err := f.plain(x)
	if err != nil {
		return nil, err
	}
	i, err := f.plain(indices)
	if err != nil {
		return nil, err
	}
	if rank < len(indices.dims) {
		i = f.node("Reshape", []string{i, f.shape(indices.dims[:rank], true)})
	}
	most := f.node("Cast", []string{f.ints(x.dims[axis].n - 1)}, attr{"to", int(types[indices.shape.DType])})
	zero := f.node("Cast", []string{f.ints(0)}, attr{"to", int(types[indices.shape.DType])})
	i = f.node("Min", []string{f.node("Max", []string{i, zero}), most}) // GoMLX takes the nearest place there is
	return complete(f.node("Gather", []string{t, i}, attr{"axis", axis}), identity(len(o.dims))), nil
}

// reduce reduces axes to one number.
func (f *file) reduce(o *op, name string) (*stored, error) {
	return f.over(o, o.args.(reduceArgs).axes, func(t string, axes []int) string {
		return f.node(name, []string{t, f.ints(axes...)}, attr{"keepdims", 0})
	})
}

// argMinMax says where the largest or the smallest number of an axis is.
func (f *file) argMinMax(o *op) (*stored, error) {
	a, name := o.args.(argArgs), "ArgMax"
	if a.min {
		name = "ArgMin"
	}
	return f.over(o, []int{a.axis}, func(t string, axes []int) string {
		t = f.node(name, []string{t}, attr{"axis", axes[0]}, attr{"keepdims", 0})
		return f.node("Cast", []string{t}, attr{"to", int(types[o.shape.DType])})
	})
}

// over writes what takes axes away.
func (f *file) over(o *op, axes []int, write func(t string, axes []int) string) (*stored, error) {
	x := o.in[0]
	s, err := f.get(x)
	if err != nil {
		return nil, err
	}
	to := &stored{}
	read := f.tensor
	for axis := range x.dims {
		if !slices.Contains(axes, axis) {
			to.repeats = append(to.repeats, s.repeats[axis])
		} else if s.repeats[axis] {
			read = f.full
		}
	}
	t, err := read(x, s.order)
	if err != nil {
		return nil, err
	}
	if slices.Contains(to.repeats, true) && slices.ContainsFunc(axes, func(axis int) bool { return s.repeats[axis] }) {
		to.repeats = make([]bool, len(to.repeats))
	}
	for _, axis := range s.order {
		if slices.Contains(axes, axis) {
			continue
		}
		before := 0
		for _, gone := range axes {
			if gone < axis {
				before++
			}
		}
		to.order = append(to.order, axis-before)
	}
	to.tensor = write(t, at(s.order, axes))
	return to, nil
}

// softmax is along an axis.
func (f *file) softmax(o *op) (*stored, error) {
	s, err := f.get(o.in[0])
	if err != nil {
		return nil, err
	}
	t, err := f.full(o.in[0], s.order)
	if err != nil {
		return nil, err
	}
	return complete(f.node("Softmax", []string{t}, attr{"axis", slices.Index(s.order, o.args.(int))}), s.order), nil
}
