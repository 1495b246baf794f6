package export

import (
	"slices"
	"strings"
)

// convolution is ONNX's Conv, which has the channels before the places.
func (f *file) convolution(o, bias *op) (*stored, error) {
	a := o.args.(convArgs)
	switch {
	case slices.Max(append(a.inputDilations, 1)) > 1:
		return nil, o.fail("with a spread input, as that of a transposed convolution, which camlab does not write as ONNX")
	case a.batchGroups > 1:
		return nil, o.fail("with groups of images, which ONNX does not have")
	}
	x, err := f.full(o.in[0], append([]int{a.axes.InputBatch, a.axes.InputChannels}, a.axes.InputSpatial...))
	if err != nil {
		return nil, err
	}
	w, err := f.full(o.in[1], append([]int{a.axes.KernelOutputChannels, a.axes.KernelInputChannels}, a.axes.KernelSpatial...))
	if err != nil {
		return nil, err
	}
	in := []string{x, w}
	if bias != nil {
		b, err := f.channels(bias, o.dims[a.axes.OutputChannels].n)
		if err != nil {
			return nil, err
		}
		in = append(in, b)
	}
	var kernel []int
	for _, axis := range a.axes.KernelSpatial {
		kernel = append(kernel, o.in[1].dims[axis].n)
	}
	pads, err := o.pads(a.paddings)
	if err != nil {
		return nil, err
	}
	t := f.node("Conv", in, attr{"kernel_shape", kernel}, attr{"strides", a.strides}, attr{"pads", pads},
		attr{"dilations", a.kernelDilations}, attr{"group", a.groups})
	return complete(t, append([]int{a.axes.OutputBatch, a.axes.OutputChannels}, a.axes.OutputSpatial...)), nil
}

// pads are paddings as ONNX has them: all starts, then all ends.
func (o *op) pads(paddings [][2]int) ([]int, error) {
	pads := make([]int, 2*len(paddings))
	for i, p := range paddings {
		if p[0] < 0 || p[1] < 0 {
			return nil, o.fail("padding %v, want none below 0 in ONNX", p)
		}
		pads[i], pads[i+len(paddings)] = p[0], p[1]
	}
	return pads, nil
}

// channels writes a constant that has n numbers along one axis as [n].
func (f *file) channels(o *op, n int) (string, error) {
	c, err := anew(&op{dims: []dim{{n: n}}}, f.stored[o], []int{n})
	if err != nil {
		return "", err
	}
	own := &op{shape: c.constant.Shape(), dims: []dim{{n: n}}, layer: f.layer}
	f.stored[own] = c
	return f.tensor(own, []int{0})
}

// product is a product of matrices, to which a bias may be added, or of more axes.
func (f *file) product(o, bias *op) (*stored, error) {
	a, l, r := o.args.(dotArgs), o.in[0], o.in[1]
	leftFree, rightFree := rest(len(l.dims), a.leftBatch, a.leftSum), rest(len(r.dims), a.rightBatch, a.rightSum)
	if bias != nil {
		return f.two(o, bias, "Gemm", slices.Concat(leftFree, a.leftSum), slices.Concat(a.rightSum, rightFree))
	}
	if len(a.leftSum) == 1 && len(rightFree) == 1 && (len(leftFree) == 1 || len(a.leftBatch) == 0 && len(leftFree) > 1) {
		return f.two(o, nil, "MatMul", slices.Concat(a.leftBatch, leftFree, a.leftSum), slices.Concat(a.rightBatch, a.rightSum, rightFree))
	}
	letters := "abcdefghijklmnopqrstuvwxyz"
	name := func(rank int, batch, sum []int, free string) string {
		all := make([]byte, rank)
		for i, axis := range batch {
			all[axis] = letters[i]
		}
		for i, axis := range sum {
			all[axis] = letters[len(batch)+i]
		}
		for i, axis := range rest(rank, batch, sum) {
			all[axis] = free[i]
		}
		return string(all)
	}
	first := len(a.leftBatch) + len(a.leftSum)
	leftNames, rightNames := letters[first:first+len(leftFree)], letters[first+len(leftFree):first+len(leftFree)+len(rightFree)]
	equation := strings.Join([]string{name(len(l.dims), a.leftBatch, a.leftSum, leftNames), ",",
		name(len(r.dims), a.rightBatch, a.rightSum, rightNames), "->", letters[:len(a.leftBatch)], leftNames, rightNames}, "")
	return f.two(o, nil, "Einsum", identity(len(l.dims)), identity(len(r.dims)), attr{"equation", equation})
}

// two writes a product of two values in orders of their axes.
func (f *file) two(o, bias *op, kind string, left, right []int, attrs ...attr) (*stored, error) {
	l, err := f.full(o.in[0], left)
	if err != nil {
		return nil, err
	}
	r, err := f.full(o.in[1], right)
	if err != nil {
		return nil, err
	}
	in := []string{l, r}
	if bias != nil {
		b, err := f.channels(bias, o.dims[1].n)
		if err != nil {
			return nil, err
		}
		in = append(in, b)
	}
	return complete(f.node(kind, in, attrs...), identity(len(o.dims))), nil
}

// rest are the axes that are in none of the lists.
func rest(rank int, lists ...[]int) (free []int) {
	for axis := range rank {
		if !slices.Contains(slices.Concat(lists...), axis) {
			free = append(free, axis)
		}
	}
	return free
}

// norm is BatchNormalization, along the second axis.
func (f *file) norm(o *op) (*stored, error) {
	a := o.args.(normArgs)
	order, err := f.channelsSecond(o.in[0], a.axis)
	if err != nil {
		return nil, err
	}
	t, err := f.full(o.in[0], order)
	if err != nil {
		return nil, err
	}
	in := []string{t}
	for _, v := range o.in[1:] {
		t, err := f.plain(v)
		if err != nil {
			return nil, err
		}
		in = append(in, t)
	}
	return complete(f.node("BatchNormalization", in, attr{"epsilon", a.epsilon}), order), nil
}

// channelsSecond is an order of a value's axes with one as the second, the value's own if
// that has it so.
func (f *file) channelsSecond(o *op, axis int) ([]int, error) {
	s, err := f.get(o)
	if err != nil {
		return nil, err
	}
	order := s.order
	if len(order) > 1 && order[1] != axis {
		order = slices.Insert(rest(len(order), []int{axis}), 1, axis)
	}
	return order, nil
}
