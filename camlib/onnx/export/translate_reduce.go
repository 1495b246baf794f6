package export

import "slices"

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
