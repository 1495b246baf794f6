package export

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapeinference"
	"github.com/gomlx/compute/shapes"
)

// This file has the operations that are recorded with what else they are given. The types
// of that are for translate; a limit of whole is the end of an axis, whatever its size.
const whole = -1

type (
	sliceArgs  struct{ starts, limits, strides []int }
	reduceArgs struct{ axes []int }
	dotArgs    struct {
		leftSum, leftBatch, rightSum, rightBatch []int
	}
	convArgs struct {
		axes                                     compute.ConvolveAxesConfig
		strides, inputDilations, kernelDilations []int
		paddings                                 [][2]int
		groups, batchGroups                      int
	}
	windowArgs struct {
		reduce                                  compute.ReduceOpType
		window, strides, dilations, inDilations []int
		paddings                                [][2]int
	}
	normArgs struct {
		epsilon float32
		axis    int
	}
	argArgs struct {
		axis int
		min  bool
	}
	gatherArgs struct {
		vector                            int
		offsets, collapsed, starts, sizes []int
	}
)

func (f *function) Reshape(x compute.Value, dims ...int) (compute.Value, error) {
	shape, err := shapeinference.Reshape(x.(*op).shape, dims)
	return f.add(op{kind: compute.OpTypeReshape, in: ops(x), shape: shape}, err)
}

func (f *function) BroadcastInDim(x compute.Value, shape shapes.Shape, axes []int) (compute.Value, error) {
	err := shapeinference.BroadcastInDim(x.(*op).shape, shape, axes, nil)
	return f.add(op{kind: compute.OpTypeBroadcastInDim, in: ops(x), shape: shape, args: slices.Clone(axes)}, err)
}

func (f *function) Transpose(x compute.Value, axes ...int) (compute.Value, error) {
	shape, err := shapeinference.Transpose(x.(*op).shape, axes)
	return f.add(op{kind: compute.OpTypeTranspose, in: ops(x), shape: shape, args: slices.Clone(axes), replay: func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.Transpose(in[0], axes...)
	}}, err)
}

func (f *function) Iota(shape shapes.Shape, axis int) (compute.Value, error) {
	return f.add(op{kind: compute.OpTypeIota, shape: shape, args: axis, replay: func(f compute.Function, _ []compute.Value) (compute.Value, error) {
		return f.Iota(shape, axis)
	}}, nil)
}

func (f *function) Slice(x compute.Value, starts, limits, strides []int) (compute.Value, error) {
	from := x.(*op).shape
	if strides == nil {
		strides = slices.Repeat([]int{1}, from.Rank())
	}
	shape, err := shapeinference.Slice(from, starts, limits, strides)
	if err == nil {
		if part := x.(*op).joined(starts, limits, strides); part != nil {
			return part, nil
		}
	}
	a := sliceArgs{slices.Clone(starts), slices.Clone(limits), slices.Clone(strides)}
	for i, d := range from.Dimensions {
		if limits[i] == d {
			a.limits[i] = whole
		}
	}
	return f.add(op{kind: compute.OpTypeSlice, in: ops(x), shape: shape, args: a, replay: func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.Slice(in[0], starts, limits, strides)
	}}, err)
}

// joined is the value that a slice of a concatenation takes out again, as GoMLX's custom
// gradients need it; nil for another slice.
func (o *op) joined(starts, limits, strides []int) *op {
	if !o.is(compute.OpTypeConcatenate) {
		return nil
	}
	axis, from := o.args.(int), 0
	for _, part := range o.in {
		to := from + part.shape.Dim(axis)
		if starts[axis] == from && limits[axis] == to {
			for i, d := range part.shape.Dimensions {
				if strides[i] != 1 || i != axis && limits[i]-starts[i] != d {
					return nil
				}
			}
			return part
		}
		from = to
	}
	return nil
}

func (f *function) Reverse(x compute.Value, axes ...int) (compute.Value, error) {
	return f.add(op{kind: compute.OpTypeReverse, in: ops(x), shape: x.(*op).shape, args: slices.Clone(axes), replay: func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.Reverse(in[0], axes...)
	}}, nil)
}

func (f *function) Pad(x, fill compute.Value, axes ...compute.PadAxis) (compute.Value, error) {
	shape, err := shapeinference.Pad(x.(*op).shape, axes...)
	return f.add(op{kind: compute.OpTypePad, in: ops(x, fill), shape: shape, args: slices.Clone(axes), replay: func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.Pad(in[0], in[1], axes...)
	}}, err)
}

func (f *function) Concatenate(axis int, all ...compute.Value) (compute.Value, error) {
	in := ops(all...)
	var from []shapes.Shape
	for _, o := range in {
		from = append(from, o.shape)
	}
	shape, err := shapeinference.Concatenate(from, axis)
	return f.add(op{kind: compute.OpTypeConcatenate, in: in, shape: shape, args: axis, replay: func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.Concatenate(axis, in...)
	}}, err)
}

func (f *function) reduce(kind compute.OpType, replay func(compute.Function, compute.Value, ...int) (compute.Value, error), x compute.Value, axes []int) (compute.Value, error) {
	if len(axes) == 0 {
		for i := range x.(*op).shape.Rank() {
			axes = append(axes, i)
		}
	}
	shape, err := shapeinference.Reduce(x.(*op).shape, axes)
	return f.add(op{kind: kind, in: ops(x), shape: shape, args: reduceArgs{slices.Sorted(slices.Values(axes))}, replay: func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return replay(f, in[0], axes...)
	}}, err)
}

func (f *function) ReduceMax(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceMax, compute.Function.ReduceMax, x, axes)
}

func (f *function) ReduceMin(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceMin, compute.Function.ReduceMin, x, axes)
}

func (f *function) ReduceProduct(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceProduct, compute.Function.ReduceProduct, x, axes)
}

func (f *function) ReduceSum(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceSum, compute.Function.ReduceSum, x, axes)
}

func (f *function) ArgMinMax(x compute.Value, axis int, dtype dtypes.DType, isMin bool) (compute.Value, error) {
	shape, err := shapeinference.ArgMinMax(x.(*op).shape, axis, dtype)
	return f.add(op{kind: compute.OpTypeArgMinMax, in: ops(x), shape: shape, args: argArgs{axis, isMin}, replay: func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.ArgMinMax(in[0], axis, dtype, isMin)
	}}, err)
}

func (f *function) ReduceWindow(x compute.Value, reduce compute.ReduceOpType, window, strides, inDilations, dilations []int, paddings [][2]int) (compute.Value, error) {
	shape, err := shapeinference.ReduceWindow(x.(*op).shape, window, strides, inDilations, dilations, paddings)
	rank := x.(*op).shape.Rank()
	a := windowArgs{reduce, orOnes(window, rank), slices.Clone(strides), orOnes(dilations, rank), orOnes(inDilations, rank), slices.Clone(paddings)}
	if a.strides == nil {
		a.strides = a.window
	}
	if a.paddings == nil {
		a.paddings = make([][2]int, rank)
	}
	return f.add(op{kind: compute.OpTypeReduceWindow, in: ops(x), shape: shape, args: a, replay: func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.ReduceWindow(in[0], reduce, window, strides, inDilations, dilations, paddings)
	}}, err)
}

func orOnes(v []int, rank int) []int {
	if v == nil {
		return slices.Repeat([]int{1}, rank)
	}
	return slices.Clone(v)
}

func (f *function) ConvGeneral(x, kernel compute.Value, axes compute.ConvolveAxesConfig, strides []int, paddings [][2]int, inputDilations, kernelDilations []int, groups, batchGroups int) (compute.Value, error) {
	shape, err := shapeinference.ConvGeneral(x.(*op).shape, kernel.(*op).shape, axes, strides, paddings, inputDilations, kernelDilations, groups, batchGroups)
	places := len(axes.InputSpatial)
	a := convArgs{axes.Clone(), orOnes(strides, places), orOnes(inputDilations, places), orOnes(kernelDilations, places), slices.Clone(paddings), max(groups, 1), max(batchGroups, 1)}
	if a.paddings == nil {
		a.paddings = make([][2]int, places)
	}
	return f.add(op{kind: compute.OpTypeConvGeneral, in: ops(x, kernel), shape: shape, args: a, replay: func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.ConvGeneral(in[0], in[1], axes, strides, paddings, inputDilations, kernelDilations, groups, batchGroups)
	}}, err)
}

func (f *function) DotGeneral(l compute.Value, leftSum, leftBatch []int, r compute.Value, rightSum, rightBatch []int, c compute.DotGeneralConfig) (compute.Value, error) {
	shape, err := shapeinference.DotGeneral(l.(*op).shape, leftSum, leftBatch, r.(*op).shape, rightSum, rightBatch, c)
	a := dotArgs{slices.Clone(leftSum), slices.Clone(leftBatch), slices.Clone(rightSum), slices.Clone(rightBatch)}
	return f.add(op{kind: compute.OpTypeDotGeneral, in: ops(l, r), shape: shape, args: a, replay: func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.DotGeneral(in[0], leftSum, leftBatch, in[1], rightSum, rightBatch, c)
	}}, err)
}

func (f *function) BatchNormForInference(x, scale, offset, mean, variance compute.Value, epsilon float32, axis int) (compute.Value, error) {
	return f.add(op{kind: compute.OpTypeBatchNormForInference, in: ops(x, scale, offset, mean, variance), shape: x.(*op).shape, args: normArgs{epsilon, axis},
		replay: func(f compute.Function, in []compute.Value) (compute.Value, error) {
			return f.BatchNormForInference(in[0], in[1], in[2], in[3], in[4], epsilon, axis)
		}}, nil)
}

func (f *function) FusedSoftmax(x compute.Value, axis int) (compute.Value, error) {
	return f.add(op{kind: compute.OpTypeFusedSoftmax, in: ops(x), shape: x.(*op).shape, args: axis}, nil)
}

func (f *function) Gather(x, indices compute.Value, vector int, offsets, collapsed, starts, sizes []int, sorted bool) (compute.Value, error) {
	from := x.(*op).shape
	shape, err := shapeinference.Gather(from, indices.(*op).shape, vector, offsets, collapsed, starts, sizes, sorted)
	a := gatherArgs{vector, slices.Clone(offsets), slices.Clone(collapsed), slices.Clone(starts), slices.Clone(sizes)}
	for i, d := range from.Dimensions {
		if sizes[i] == d && !slices.Contains(collapsed, i) {
			a.sizes[i] = whole
		}
	}
	return f.add(op{kind: compute.OpTypeGather, in: ops(x, indices), shape: shape, args: a, replay: func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.Gather(in[0], in[1], vector, offsets, collapsed, starts, sizes, sorted)
	}}, err)
}
