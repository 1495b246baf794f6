package export

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// normalized is a batch normalization that is written out, (x − mean)/deviation · scale +
// offset, or what of it makes two operations or more.
func (f *file) normalized(o *op) (*stored, error) {
	if o.shape.DType != dtypes.Float32 {
		return nil, nil
	}
	var mean, offset *op
	var scales, divisors []*op
	x, parts := o, 0
	// step goes to the operand of an operation of which the other one is constant.
	step := func(kind compute.OpType) *op {
		if !x.is(kind) || parts > 0 && f.uses[x] > 1 || !slices.Equal(x.dims, o.dims) {
			return nil
		}
		for i, c := range x.in {
			if f.isConstant(c) && (i == 1 || x.is(compute.OpTypeAdd, compute.OpTypeMul)) {
				x = x.in[1-i]
				parts++
				return c
			}
		}
		return nil
	}
	offset = step(compute.OpTypeAdd)
	for {
		if c := step(compute.OpTypeMul); c != nil {
			scales = append(scales, c)
		} else if c := step(compute.OpTypeDiv); c != nil {
			divisors = append(divisors, c)
		} else {
			break
		}
	}
	mean = step(compute.OpTypeSub)
	constants := append(append([]*op{mean, offset}, scales...), divisors...)
	axis, err := f.channelAxis(o, constants)
	if parts < 2 || axis < 0 || err != nil || !slices.Equal(x.dims, o.dims) {
		return nil, err
	}
	n := o.dims[axis].n
	read := func(c *op, none float32) []float32 {
		if c == nil {
			return slices.Repeat([]float32{none}, n)
		}
		v := tensors.MustCopyFlatData[float32](f.stored[c].constant)
		if len(v) == 1 {
			return slices.Repeat(v, n)
		}
		return v
	}
	scale := read(nil, 1)
	for i, all := range [][]*op{scales, divisors} {
		for _, c := range all {
			for k, v := range read(c, 0) {
				if i == 0 {
					scale[k] *= v
				} else {
					scale[k] /= v
				}
			}
		}
	}
	var in []*op
	for _, v := range [][]float32{scale, read(offset, 0), read(mean, 0), read(nil, 1)} {
		t := tensors.FromValue(v)
		in = append(in, &op{kind: compute.OpTypeConstant, value: t, shape: t.Shape(), dims: []dim{{n: n}}, layer: o.layer})
	}
	return f.norm(&op{kind: o.kind, in: append([]*op{x}, in...), shape: o.shape, dims: o.dims, layer: o.layer, args: normArgs{axis: axis}})
}

// channelAxis is the only axis of a value along which constants have more than one number;
// −1 if there is none, or more.
func (f *file) channelAxis(o *op, constants []*op) (int, error) {
	axis := -1
	for _, c := range constants {
		if c == nil {
			continue
		}
		s, err := f.get(c)
		if err != nil {
			return 0, err
		}
		if s.constant == nil {
			return -1, nil
		}
		for i, n := range s.constant.Shape().Dimensions {
			if n > 1 && axis >= 0 && i != axis || n > 1 && o.dims[i] != (dim{n: n}) {
				return -1, nil
			}
			if n > 1 {
				axis = i
			}
		}
	}
	return axis, nil
}
