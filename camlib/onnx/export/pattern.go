package export

import (
	"math"
	"slices"

	"github.com/gomlx/compute"
)

// pattern writes what several operations do as the one operator that ONNX has for it; nil
// where it knows none.
func (f *file) pattern(o *op) (*stored, error) {
	switch {
	case o.is(compute.OpTypeWhere, compute.OpTypeMax):
		if x := f.finite(o); x != nil {
			return f.get(x)
		}
		if x := f.rectified(o); x != nil {
			s, err := f.get(x)
			if err != nil {
				return nil, err
			}
			t, err := f.tensor(x, s.order)
			return &stored{tensor: f.node("Relu", []string{t}), order: s.order, repeats: s.repeats}, err
		}
		if x, a := f.windowed(o); x != nil {
			return f.pool(o, x, "MaxPool", *a)
		}
	case o.is(compute.OpTypeAdd, compute.OpTypeSub, compute.OpTypeMul, compute.OpTypeDiv):
		if x := f.unchanged(o); x != nil {
			return f.get(x)
		}
		for _, try := range []func(*op) (*stored, error){f.normalized, f.mean, f.biased} {
			if s, err := try(o); s != nil || err != nil {
				return s, err
			}
		}
	}
	return nil, nil
}

// unchanged is x of x + 0; else nil.
func (f *file) unchanged(o *op) *op {
	for i, x := range o.in {
		if o.is(compute.OpTypeAdd) && f.all(o.in[1-i], 0) && slices.Equal(x.dims, o.dims) {
			return x
		}
	}
	return nil
}

// all reports whether a value is one number everywhere.
func (f *file) all(o *op, v float64) bool {
	if !f.isConstant(o) {
		return false
	}
	s, err := f.get(o)
	if err != nil || s.constant == nil || s.constant.Size() != 1 {
		return false
	}
	is := false
	err = s.constant.ConstFlatData(func(flat any) {
		n, ok := flat.([]float32)
		is = ok && float64(n[0]) == v
	})
	return err == nil && is
}

// finite is x of Where(x < ∞, x, ∞), which only makes ∞ of NaN; else nil.
func (f *file) finite(o *op) *op {
	if !o.is(compute.OpTypeWhere) || !o.in[0].is(compute.OpTypeLessThan) {
		return nil
	}
	if x, less := o.in[1], o.in[0]; less.in[0] == x && f.all(less.in[1], math.Inf(1)) && f.all(o.in[2], math.Inf(1)) {
		return x
	}
	return nil
}

// rectified is x of a ReLU: max(x, 0), or Where(x > 0, x or |x|, 0 or x − x); else nil.
func (f *file) rectified(o *op) *op {
	if o.is(compute.OpTypeMax) {
		for i, x := range o.in {
			if f.all(o.in[1-i], 0) {
				return x
			}
		}
		return nil
	}
	if !o.in[0].is(compute.OpTypeGreaterThan, compute.OpTypeGreaterOrEqual) || !f.all(o.in[0].in[1], 0) {
		return nil
	}
	x, yes, no := o.in[0].in[0], o.in[1], o.in[2]
	if yes != x && (!yes.is(compute.OpTypeAbs) || yes.in[0] != x) {
		return nil
	}
	if f.all(no, 0) || no.is(compute.OpTypeSub) && no.in[0] == x && no.in[1] == x {
		return x
	}
	return nil
}

// windowed is x of a maximum of slices that are the places of a window, and the window;
// else nil.
func (f *file) windowed(o *op) (*op, *windowArgs) {
	var leaves []*op
	var gather func(o *op)
	gather = func(o *op) {
		if !o.is(compute.OpTypeMax) {
			leaves = append(leaves, o)
			return
		}
		gather(o.in[0])
		gather(o.in[1])
	}
	gather(o)
	if !o.is(compute.OpTypeMax) || !leaves[0].is(compute.OpTypeSlice) {
		return nil, nil
	}
	x, strides := leaves[0].in[0], leaves[0].args.(sliceArgs).strides
	rank := len(x.dims)
	window := slices.Repeat([]int{1}, rank)
	seen := map[int]bool{} // the places, numbered
	for _, l := range leaves {
		if !l.is(compute.OpTypeSlice) || l.in[0] != x || !slices.Equal(l.args.(sliceArgs).strides, strides) || !slices.Equal(l.dims, o.dims) {
			return nil, nil
		}
		for axis, start := range l.args.(sliceArgs).starts {
			window[axis] = max(window[axis], start+1)
		}
	}
	for _, l := range leaves {
		place := 0
		for axis, start := range l.args.(sliceArgs).starts {
			place = place*window[axis] + start
		}
		seen[place] = true
	}
	if len(seen) != product(window) || len(leaves) != len(seen) {
		return nil, nil
	}
	for axis, d := range x.dims {
		if d.batch && (window[axis] > 1 || strides[axis] > 1) || !d.batch && (d.n-window[axis])/strides[axis]+1 != o.dims[axis].n {
			return nil, nil
		}
	}
	return x, &windowArgs{window: window, strides: strides, dilations: slices.Repeat([]int{1}, rank), paddings: make([][2]int, rank)}
}

// mean is a sum that is divided by how many numbers it has, or multiplied by the inverse.
func (f *file) mean(o *op) (*stored, error) {
	by := func(n int) bool {
		return o.is(compute.OpTypeDiv) && f.all(o.in[1], float64(n)) || o.is(compute.OpTypeMul) && f.all(o.in[1], float64(float32(1/float64(n))))
	}
	sum := o.in[0]
	if f.uses[sum] > 1 || !o.is(compute.OpTypeDiv, compute.OpTypeMul) {
		return nil, nil
	}
	switch {
	case sum.is(compute.OpTypeReduceSum):
		n := 1
		for _, axis := range sum.args.(reduceArgs).axes {
			if n *= sum.in[0].dims[axis].n; sum.in[0].dims[axis].batch {
				return nil, nil
			}
		}
		if by(n) {
			return f.reduce(sum, "ReduceMean")
		}
	case sum.is(compute.OpTypeReduceWindow):
		a := sum.args.(windowArgs)
		if a.reduce == compute.ReduceOpSum && by(product(a.window)) && slices.Max(append(append(a.dilations, a.inDilations...), 1)) == 1 {
			return f.pool(sum, sum.in[0], "AveragePool", a)
		}
	}
	return nil, nil
}

// biased is a convolution or a matrix product to which one number a channel is added.
func (f *file) biased(o *op) (*stored, error) {
	for i, z := range o.in {
		bias := o.in[1-i]
		if !o.is(compute.OpTypeAdd) || f.uses[z] > 1 || !f.isConstant(bias) || !z.is(compute.OpTypeConvGeneral, compute.OpTypeDotGeneral) || !slices.Equal(z.dims, o.dims) {
			continue
		}
		s, err := f.get(bias)
		if err != nil {
			return nil, err
		}
		channels := len(o.dims) - 1
		if c, ok := z.args.(convArgs); ok {
			channels = c.axes.OutputChannels
		}
		if s.constant == nil || s.constant.Rank() != len(o.dims) || s.constant.Size() != o.dims[channels].n || s.constant.Shape().Dim(channels) != o.dims[channels].n {
			continue
		}
		if z.is(compute.OpTypeConvGeneral) {
			return f.convolution(z, bias)
		}
		if len(z.in[0].dims) == 2 && len(z.in[1].dims) == 2 {
			return f.product(z, bias)
		}
	}
	return nil, nil
}
