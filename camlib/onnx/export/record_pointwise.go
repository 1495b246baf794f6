package export

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapeinference"
	"github.com/gomlx/compute/shapes"
)

// This file has the operations that are recorded one number at a time.

func (f *function) unary(kind compute.OpType, replay func(compute.Function, compute.Value) (compute.Value, error), x compute.Value) (compute.Value, error) {
	shape, err := shapeinference.UnaryOp(kind, x.(*op).shape)
	return f.add(op{kind: kind, in: ops(x), shape: shape, replay: func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return replay(f, in[0])
	}}, err)
}

type two func(f compute.Function, l, r compute.Value) (compute.Value, error)

func (f *function) binary(kind compute.OpType, replay two, l, r compute.Value) (compute.Value, error) {
	shape, err := shapeinference.BinaryOp(kind, l.(*op).shape, r.(*op).shape)
	return f.pair(kind, replay, l, r, shape, err)
}

func (f *function) compare(kind compute.OpType, replay two, l, r compute.Value) (compute.Value, error) {
	shape, err := shapeinference.ComparisonOp(kind, l.(*op).shape, r.(*op).shape)
	return f.pair(kind, replay, l, r, shape, err)
}

func (f *function) pair(kind compute.OpType, replay two, l, r compute.Value, shape shapes.Shape, err error) (compute.Value, error) {
	return f.add(op{kind: kind, in: ops(l, r), shape: shape, replay: func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return replay(f, in[0], in[1])
	}}, err)
}

func ops(values ...compute.Value) []*op {
	all := make([]*op, len(values))
	for i, v := range values {
		all[i] = v.(*op)
	}
	return all
}

func (f *function) Abs(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeAbs, compute.Function.Abs, x)
}

func (f *function) Ceil(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeCeil, compute.Function.Ceil, x)
}

func (f *function) Cos(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeCos, compute.Function.Cos, x)
}

func (f *function) Erf(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeErf, compute.Function.Erf, x)
}

func (f *function) Exp(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeExp, compute.Function.Exp, x)
}

func (f *function) Expm1(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeExpm1, compute.Function.Expm1, x)
}

func (f *function) Floor(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeFloor, compute.Function.Floor, x)
}

func (f *function) Log(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeLog, compute.Function.Log, x)
}

func (f *function) Log1p(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeLog1p, compute.Function.Log1p, x)
}

func (f *function) LogicalNot(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeLogicalNot, compute.Function.LogicalNot, x)
}

func (f *function) Logistic(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeLogistic, compute.Function.Logistic, x)
}

func (f *function) Neg(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeNeg, compute.Function.Neg, x)
}

func (f *function) Round(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeRound, compute.Function.Round, x)
}

func (f *function) Rsqrt(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeRsqrt, compute.Function.Rsqrt, x)
}

func (f *function) Sign(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeSign, compute.Function.Sign, x)
}

func (f *function) Sin(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeSin, compute.Function.Sin, x)
}

func (f *function) Sqrt(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeSqrt, compute.Function.Sqrt, x)
}

func (f *function) Tanh(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeTanh, compute.Function.Tanh, x)
}

func (f *function) Add(l, r compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeAdd, compute.Function.Add, l, r)
}

func (f *function) Div(l, r compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeDiv, compute.Function.Div, l, r)
}

func (f *function) LogicalAnd(l, r compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeLogicalAnd, compute.Function.LogicalAnd, l, r)
}

func (f *function) LogicalOr(l, r compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeLogicalOr, compute.Function.LogicalOr, l, r)
}

func (f *function) LogicalXor(l, r compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeLogicalXor, compute.Function.LogicalXor, l, r)
}

func (f *function) Max(l, r compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeMax, compute.Function.Max, l, r)
}

func (f *function) Min(l, r compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeMin, compute.Function.Min, l, r)
}

func (f *function) Mul(l, r compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeMul, compute.Function.Mul, l, r)
}

func (f *function) Pow(l, r compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypePow, compute.Function.Pow, l, r)
}

func (f *function) Rem(l, r compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeRem, compute.Function.Rem, l, r)
}

func (f *function) Sub(l, r compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeSub, compute.Function.Sub, l, r)
}

func (f *function) Equal(l, r compute.Value) (compute.Value, error) {
	return f.compare(compute.OpTypeEqual, compute.Function.Equal, l, r)
}

func (f *function) GreaterOrEqual(l, r compute.Value) (compute.Value, error) {
	return f.compare(compute.OpTypeGreaterOrEqual, compute.Function.GreaterOrEqual, l, r)
}

func (f *function) GreaterThan(l, r compute.Value) (compute.Value, error) {
	return f.compare(compute.OpTypeGreaterThan, compute.Function.GreaterThan, l, r)
}

func (f *function) LessOrEqual(l, r compute.Value) (compute.Value, error) {
	return f.compare(compute.OpTypeLessOrEqual, compute.Function.LessOrEqual, l, r)
}

func (f *function) LessThan(l, r compute.Value) (compute.Value, error) {
	return f.compare(compute.OpTypeLessThan, compute.Function.LessThan, l, r)
}

func (f *function) NotEqual(l, r compute.Value) (compute.Value, error) {
	return f.compare(compute.OpTypeNotEqual, compute.Function.NotEqual, l, r)
}

func (f *function) IsFinite(x compute.Value) (compute.Value, error) {
	return f.test(compute.OpTypeIsFinite, compute.Function.IsFinite, x)
}

func (f *function) IsNaN(x compute.Value) (compute.Value, error) {
	return f.test(compute.OpTypeIsNaN, compute.Function.IsNaN, x)
}

func (f *function) test(kind compute.OpType, replay func(compute.Function, compute.Value) (compute.Value, error), x compute.Value) (compute.Value, error) {
	shape := x.(*op).shape.Clone()
	shape.DType = dtypes.Bool
	return f.add(op{kind: kind, in: ops(x), shape: shape, replay: func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return replay(f, in[0])
	}}, nil)
}

func (f *function) ConvertDType(x compute.Value, dtype dtypes.DType) (compute.Value, error) {
	shape := x.(*op).shape.Clone()
	if shape.DType == dtype {
		return x, nil
	}
	shape.DType = dtype
	return f.add(op{kind: compute.OpTypeConvertDType, in: ops(x), shape: shape, replay: func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.ConvertDType(in[0], dtype)
	}}, nil)
}

func (f *function) Clamp(low, x, high compute.Value) (compute.Value, error) {
	return f.add(op{kind: compute.OpTypeClamp, in: ops(low, x, high), shape: x.(*op).shape, replay: func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.Clamp(in[0], in[1], in[2])
	}}, nil)
}

func (f *function) Where(condition, yes, no compute.Value) (compute.Value, error) {
	in := ops(condition, yes, no)
	shape, err := shapeinference.Where(in[0].shape, in[1].shape, in[2].shape)
	return f.add(op{kind: compute.OpTypeWhere, in: in, shape: shape, replay: func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.Where(in[0], in[1], in[2])
	}}, err)
}

// pointwise are the kinds whose result is, number by number, that of their operands' numbers.
var pointwise = []compute.OpType{
	compute.OpTypeAbs, compute.OpTypeCeil, compute.OpTypeCos, compute.OpTypeErf,
	compute.OpTypeExp, compute.OpTypeExpm1, compute.OpTypeFloor, compute.OpTypeLog,
	compute.OpTypeLog1p, compute.OpTypeLogicalNot, compute.OpTypeLogistic, compute.OpTypeNeg,
	compute.OpTypeRound, compute.OpTypeRsqrt, compute.OpTypeSign, compute.OpTypeSin,
	compute.OpTypeSqrt, compute.OpTypeTanh, compute.OpTypeAdd, compute.OpTypeDiv,
	compute.OpTypeLogicalAnd, compute.OpTypeLogicalOr, compute.OpTypeLogicalXor, compute.OpTypeMax,
	compute.OpTypeMin, compute.OpTypeMul, compute.OpTypePow, compute.OpTypeRem,
	compute.OpTypeSub, compute.OpTypeEqual, compute.OpTypeGreaterOrEqual, compute.OpTypeGreaterThan,
	compute.OpTypeLessOrEqual, compute.OpTypeLessThan, compute.OpTypeNotEqual, compute.OpTypeIsFinite,
	compute.OpTypeIsNaN, compute.OpTypeConvertDType, compute.OpTypeClamp, compute.OpTypeWhere,
}

func (o *op) isPointwise() bool { return slices.Contains(pointwise, o.kind) }
