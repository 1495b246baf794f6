package export

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/backend"
)

// variable is the value of a parameter: of a variable of the network's.
func (f *file) variable(o *op) (*stored, error) {
	v := f.net.Store.GetVariable(o.name)
	if v == nil {
		return nil, o.fail("parameter %q, want the image and variables of the network's store alone", o.name)
	}
	if !v.HasValue() {
		return nil, fmt.Errorf("%s: variable %s has no value, want a loaded or trained network", place(o.layer), o.name)
	}
	value, err := v.Value()
	if err != nil {
		return nil, err
	}
	s := ofConstant(value, make([]bool, len(o.dims)))
	s.name = strings.TrimPrefix(o.name, model.ScopeSeparator)
	return s, nil
}

func ofConstant(t *tensors.Tensor, repeats []bool) *stored {
	return &stored{constant: t, order: identity(t.Rank()), repeats: repeats}
}

// isConstant reports whether a value depends on weights alone.
func (f *file) isConstant(o *op) bool {
	known, ok := f.constants[o]
	if !ok {
		known = o != f.recording.image && !slices.ContainsFunc(o.in, func(in *op) bool { return !f.isConstant(in) })
		f.constants[o] = known
	}
	return known
}

// folded computes an operation that depends on weights alone, in pure Go; nil for another,
// or one that is written as it is: what is only laid out anew, and what depends on how many
// images there are or is not computed there.
func (f *file) folded(o *op) (*stored, error) {
	if o.replay == nil || !f.isConstant(o) {
		return nil, nil
	}
	var in []*stored
	for _, x := range o.in {
		s, err := f.get(x)
		if err != nil {
			return nil, err
		}
		if s.constant == nil || !o.isPointwise() && slices.Contains(s.repeats, true) {
			return nil, nil
		}
		in = append(in, s)
	}
	if _, fixed := o.fixed(); !fixed && !o.isPointwise() {
		return nil, nil
	}
	t, err := run(o, in)
	if err != nil { // a form of it that pure Go does not have
		return nil, nil
	}
	s := ofConstant(t, o.repeats(t.Shape().Dimensions))
	if len(in) == 1 {
		s.name = in[0].name
	}
	return s, nil
}

// repeats says where a tensor has one place and the value more.
func (o *op) repeats(dims []int) []bool {
	all := make([]bool, len(o.dims))
	for i, d := range dims {
		all[i] = d == 1 && o.dims[i] != dim{n: 1}
	}
	return all
}

// run runs one operation.
func run(o *op, in []*stored) (*tensors.Tensor, error) {
	b, err := backend.Go()
	if err != nil {
		return nil, err
	}
	builder := b.Builder("fold")
	main := builder.Main()
	var values []compute.Value
	for _, s := range in {
		var v compute.Value
		if err := s.constant.ConstFlatData(func(flat any) { v, err = main.Constant(flat, s.constant.Shape().Dimensions...) }); err != nil {
			return nil, err
		}
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	y, err := o.replay(main, values)
	if err != nil {
		return nil, err
	}
	if err := main.Return([]compute.Value{y}, nil); err != nil {
		return nil, err
	}
	x, err := builder.Compile()
	if err != nil {
		return nil, err
	}
	defer x.Finalize()
	out, err := x.Execute(nil, nil, 0)
	if err != nil {
		return nil, err
	}
	return tensors.FromBuffer(out[0])
}
