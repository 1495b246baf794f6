package export

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// operators are those of ONNX that do what an operation does to each number.
var operators = map[compute.OpType]string{
	compute.OpTypeAbs: "Abs", compute.OpTypeCeil: "Ceil", compute.OpTypeCos: "Cos", compute.OpTypeErf: "Erf", compute.OpTypeExp: "Exp",
	compute.OpTypeFloor: "Floor", compute.OpTypeIsNaN: "IsNaN", compute.OpTypeLog: "Log", compute.OpTypeLogicalNot: "Not", compute.OpTypeLogistic: "Sigmoid",
	compute.OpTypeNeg: "Neg", compute.OpTypeRound: "Round", compute.OpTypeSign: "Sign", compute.OpTypeSin: "Sin", compute.OpTypeSqrt: "Sqrt", compute.OpTypeTanh: "Tanh",
	compute.OpTypeAdd: "Add", compute.OpTypeDiv: "Div", compute.OpTypeLogicalAnd: "And", compute.OpTypeLogicalOr: "Or", compute.OpTypeLogicalXor: "Xor",
	compute.OpTypeMax: "Max", compute.OpTypeMin: "Min", compute.OpTypeMul: "Mul", compute.OpTypePow: "Pow", compute.OpTypeSub: "Sub",
	compute.OpTypeEqual: "Equal", compute.OpTypeGreaterOrEqual: "GreaterOrEqual", compute.OpTypeGreaterThan: "Greater",
	compute.OpTypeLessOrEqual: "LessOrEqual", compute.OpTypeLessThan: "Less", compute.OpTypeWhere: "Where",
}

// translate writes an operation as ONNX's operators.
func (f *file) translate(o *op) (*stored, error) {
	if s, err := f.pattern(o); s != nil || err != nil {
		return s, err
	}
	switch o.kind {
	case compute.OpTypeReshape:
		return f.reshape(o)
	case compute.OpTypeBroadcastInDim:
		return f.broadcast(o)
	case compute.OpTypeTranspose:
		return f.transpose(o)
	case compute.OpTypeIota: // along other axes it has been computed
		return nil, o.fail("depends on the batch, want Together set in the network")
	case compute.OpTypeSlice:
		return f.slice(o)
	case compute.OpTypeReverse:
		return f.reverse(o)
	case compute.OpTypePad:
		return f.pad(o)
	case compute.OpTypeConcatenate:
		return f.concatenate(o)
	case compute.OpTypeGather:
		return f.gather(o)
	case compute.OpTypeReduceMax, compute.OpTypeReduceMin, compute.OpTypeReduceProduct, compute.OpTypeReduceSum:
		return f.reduce(o, map[compute.OpType]string{compute.OpTypeReduceMax: "ReduceMax", compute.OpTypeReduceMin: "ReduceMin",
			compute.OpTypeReduceProduct: "ReduceProd", compute.OpTypeReduceSum: "ReduceSum"}[o.kind])
	case compute.OpTypeArgMinMax:
		return f.argMinMax(o)
	case compute.OpTypeFusedSoftmax:
		return f.softmax(o)
	case compute.OpTypeReduceWindow:
		return f.window(o)
	case compute.OpTypeConvGeneral:
		return f.convolution(o, nil)
	case compute.OpTypeDotGeneral:
		return f.product(o, nil)
	case compute.OpTypeBatchNormForInference:
		return f.norm(o)
	}
	if o.isPointwise() {
		return f.pointwise(o)
	}
	return nil, o.fail("camlab does not write it as ONNX")
}

// pointwise writes an operation on each number by itself.
func (f *file) pointwise(o *op) (*stored, error) {
	if o.is(compute.OpTypeConvertDType) && types[o.shape.DType] == 0 {
		return nil, o.fail("numbers of a type that ONNX does not have")
	}
	order, err := f.common(o.in)
	if err != nil {
		return nil, err
	}
	if len(order) < len(o.dims) { // of scalars alone
		order = identity(len(o.dims))
	}
	s := &stored{order: order, repeats: make([]bool, len(o.dims))}
	var in []string
	for i := range s.repeats {
		s.repeats[i] = o.dims[i] != dim{n: 1}
	}
	for _, x := range o.in {
		own := order
		if len(x.dims) == 0 {
			own = nil
		}
		t, err := f.tensor(x, own)
		if err != nil {
			return nil, err
		}
		for axis := range x.dims {
			s.repeats[axis] = s.repeats[axis] && (f.stored[x].repeats[axis] || x.dims[axis] == dim{n: 1})
		}
		in = append(in, t)
	}
	s.tensor = f.operator(o, in)
	if s.tensor == "" {
		return nil, o.fail("camlab does not write it as ONNX")
	}
	return s, nil
}

// operator writes what an operation does to each number; empty if that is not known.
func (f *file) operator(o *op, in []string) string {
	number := func(v float32) string { return f.number(v, o.in[0].shape.DType) }
	switch o.kind {
	case compute.OpTypeConvertDType:
		return f.node("Cast", in, attr{"to", int(types[o.shape.DType])})
	case compute.OpTypeRem:
		return f.node("Mod", in, attr{"fmod", 1})
	case compute.OpTypeNotEqual:
		return f.node("Not", []string{f.node("Equal", in)})
	case compute.OpTypeRsqrt:
		return f.node("Reciprocal", []string{f.node("Sqrt", in)})
	case compute.OpTypeExpm1:
		return f.node("Sub", []string{f.node("Exp", in), number(1)})
	case compute.OpTypeLog1p:
		return f.node("Log", []string{f.node("Add", []string{in[0], number(1)})})
	case compute.OpTypeIsFinite: // x − x is 0
		return f.node("Equal", []string{f.node("Sub", []string{in[0], in[0]}), number(0)})
	case compute.OpTypeClamp:
		return f.node("Min", []string{f.node("Max", []string{in[1], in[0]}), in[2]})
	}
	if name := operators[o.kind]; name != "" {
		return f.node(name, in)
	}
	return ""
}

// number writes a number as a constant without axes.
func (f *file) number(v float32, dtype dtypes.DType) string {
	t := tensors.FromScalar(v)
	name, _ := f.tensor(&op{kind: compute.OpTypeConstant, value: t, shape: t.Shape(), layer: f.layer}, nil) // of float32, which ONNX has
	if dtype != dtypes.Float32 {
		name = f.node("Cast", []string{name}, attr{"to", int(types[dtype])})
	}
	return name
}

// common is an order of axes for values that go together: that of the first with the most
// places that is no constant.
func (f *file) common(all []*op) (order []int, err error) {
	rank, most := 0, -1
	for _, x := range all {
		s, err := f.get(x)
		if err != nil {
			return nil, err
		}
		rank = max(rank, len(x.dims))
		places := 0
		for axis, d := range x.dims {
			if !s.repeats[axis] && d != (dim{n: 1}) {
				places++
			}
		}
		if s.constant == nil && len(x.dims) > 0 && places > most {
			order, most = s.order, places
		}
	}
	if order == nil {
		order = identity(rank)
	}
	return order, nil
}
