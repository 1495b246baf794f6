package export

import (
	"slices"

	"github.com/gomlx/compute"
)

// window reduces what is in a window, place by place.
func (f *file) window(o *op) (*stored, error) {
	a := o.args.(windowArgs)
	switch {
	case slices.Max(append(a.inDilations, 1)) > 1:
		return nil, o.fail("of a spread input, which ONNX does not have")
	case a.reduce == compute.ReduceOpMax:
		return f.pool(o, o.in[0], "MaxPool", a)
	case a.reduce == compute.ReduceOpSum && slices.Max(append(a.dilations, 1)) == 1:
		s, err := f.pool(o, o.in[0], "AveragePool", a)
		if n := product(a.window); err == nil && n > 1 {
			s.tensor = f.node("Mul", []string{s.tensor, f.number(float32(n), o.shape.DType)})
		}
		return s, err
	}
	return nil, o.fail("by %s, which camlab does not write as ONNX", a.reduce)
}

func product(numbers []int) int {
	p := 1
	for _, n := range numbers {
		p *= n
	}
	return p
}

// pool is one of ONNX's, which have two axes before the places.
func (f *file) pool(o, x *op, kind string, a windowArgs) (*stored, error) {
	s, err := f.get(x)
	if err != nil {
		return nil, err
	}
	places := func(axis int) bool {
		return a.window[axis] > 1 || a.strides[axis] > 1 || a.paddings[axis] != [2]int{}
	}
	var still []int
	for axis := range x.dims {
		if !places(axis) {
			still = append(still, axis)
		}
	}
	if len(still) == len(x.dims) { // a window of one place
		return s, nil
	}
	if len(still) < 2 {
		return nil, o.fail("over %d of %d axes, want at most all but two in ONNX", len(x.dims)-len(still), len(x.dims))
	}
	order := s.order
	if places(order[0]) || places(order[1]) {
		first, last := still[0], still[len(still)-1]
		order = append([]int{first, last}, rest(len(x.dims), []int{first, last})...)
	}
	t, err := f.full(x, order)
	if err != nil {
		return nil, err
	}
	var window, strides, dilations []int
	var paddings [][2]int
	for _, axis := range order[2:] {
		window, strides = append(window, a.window[axis]), append(strides, a.strides[axis])
		dilations, paddings = append(dilations, a.dilations[axis]), append(paddings, a.paddings[axis])
	}
	pads, err := o.pads(paddings)
	if err != nil {
		return nil, err
	}
	attrs := []attr{{"kernel_shape", window}, {"strides", strides}, {"pads", pads}}
	if kind == "MaxPool" {
		attrs = append(attrs, attr{"dilations", dilations})
	} else {
		attrs = append(attrs, attr{"count_include_pad", 1})
	}
	return complete(f.node(kind, []string{t}, attrs...), order), nil
}
