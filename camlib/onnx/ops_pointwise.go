package onnx

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/internal/nn"
)

// Operators of one input that leave its shape, by ONNX's definitions
// (https://onnx.ai/onnx/operators). Attributes are read by at.
func init() {
	type attrs = func(name string, otherwise float64) float64
	for name, f := range map[string]func(x *Node, at attrs) *Node{
		"Relu":      func(x *Node, _ attrs) *Node { return relu(x) },
		"LeakyRelu": func(x *Node, at attrs) *Node { return whenPositive(x, x, MulScalar(x, at("alpha", 0.01))) },
		"ThresholdedRelu": func(x *Node, at attrs) *Node {
			return Where(GreaterThan(x, ConstAs(x, at("alpha", 1))), x, ZerosLike(x))
		},
		"Elu": func(x *Node, at attrs) *Node { return whenPositive(x, x, MulScalar(expm1(x), at("alpha", 1))) },
		"Selu": func(x *Node, at attrs) *Node {
			return MulScalar(whenPositive(x, x, MulScalar(expm1(x), at("alpha", 1.67326319217681884765625))), at("gamma", 1.05070102214813232421875))
		},
		"Celu": func(x *Node, at attrs) *Node {
			a := at("alpha", 1)
			return whenPositive(x, x, MulScalar(expm1(DivScalar(x, a)), a))
		},
		"Shrink": func(x *Node, at attrs) *Node {
			l, b := ConstAs(x, at("lambd", 0.5)), ConstAs(x, at("bias", 0))
			return Where(LessThan(x, Neg(l)), Add(x, b), Where(GreaterThan(x, l), Sub(x, b), ZerosLike(x)))
		},
		"Sigmoid":     func(x *Node, _ attrs) *Node { return Logistic(x) },
		"HardSigmoid": func(x *Node, at attrs) *Node { return hardSigmoid(x, at("alpha", 0.2), at("beta", 0.5)) },
		"HardSwish":   func(x *Node, _ attrs) *Node { return Mul(x, hardSigmoid(x, 1.0/6, 0.5)) },
		"Swish":       func(x *Node, at attrs) *Node { return Mul(x, Logistic(MulScalar(x, at("alpha", 1)))) },
		"Softplus":    func(x *Node, _ attrs) *Node { return softplus(x) },
		"Softsign":    func(x *Node, _ attrs) *Node { return Div(x, AddScalar(Abs(x), 1)) },
		"Mish":        func(x *Node, _ attrs) *Node { return Mul(x, Tanh(softplus(x))) },
		"Tanh":        func(x *Node, _ attrs) *Node { return Tanh(x) },
		"Erf":         func(x *Node, _ attrs) *Node { return Erf(x) },
		"Exp":         func(x *Node, _ attrs) *Node { return Exp(x) },
		"Log":         func(x *Node, _ attrs) *Node { return Log(x) },
		"Sqrt":        func(x *Node, _ attrs) *Node { return Sqrt(x) },
		"Reciprocal":  func(x *Node, _ attrs) *Node { return Reciprocal(x) },
		"Abs":         func(x *Node, _ attrs) *Node { return Abs(x) },
		"Neg":         func(x *Node, _ attrs) *Node { return Neg(x) },
		"Sin":         func(x *Node, _ attrs) *Node { return Sin(x) },
		"Cos":         func(x *Node, _ attrs) *Node { return Cos(x) },
		"Tan":         func(x *Node, _ attrs) *Node { return Div(Sin(x), Cos(x)) },
		"Floor":       func(x *Node, _ attrs) *Node { return StopGradient(Floor(x)) },
		"Ceil":        func(x *Node, _ attrs) *Node { return StopGradient(Ceil(x)) },
		"Round":       func(x *Node, _ attrs) *Node { return StopGradient(Round(x)) },
		"Sign":        func(x *Node, _ attrs) *Node { return StopGradient(Sign(x)) },
		"IsNaN":       func(x *Node, _ attrs) *Node { return IsNaN(x) },
		"Not":         func(x *Node, _ attrs) *Node { return LogicalNot(x) },
	} {
		operators[name] = func(c *call) []*value { return same(c.arg(0), f(c.physical(c.arg(0)), c.floatAttr)) }
	}
	register(map[string]operator{
		"Identity": func(c *call) []*value { return one(c.arg(0)) },
		"Gelu":     gelu, "com.microsoft.Gelu": gelu, "com.microsoft.QuickGelu": quickGelu,
		"Clip": clip, "Cast": cast, "CastLike": castLike, "Dropout": dropout, "PRelu": prelu, "IsInf": isInf,
	})
}

// relu is nn.ReLU for floats, in which an overflow stays visible.
func relu(x *Node) *Node {
	if !x.DType().IsFloat() {
		return Max(x, ZerosLike(x))
	}
	return nn.ReLU(x)
}

func whenPositive(x, then, otherwise *Node) *Node {
	return Where(GreaterThan(x, ZerosLike(x)), then, otherwise)
}

// expm1 is exp(x) − 1 where x is not positive, and 0 elsewhere, so that neither it nor its
// gradient overflows there.
func expm1(x *Node) *Node { return AddScalar(Exp(Min(x, ZerosLike(x))), -1) }

// softplus is log(1 + exp(x)) = max(x, 0) + log(1 + exp(−|x|)), the slope of which is the
// logistic function.
func softplus(x *Node) *Node {
	return nn.WithGradient(Add(Max(x, ZerosLike(x)), Log1P(Exp(Neg(Abs(x))))), []*Node{x}, func(dy *Node) []*Node { return []*Node{Mul(dy, Logistic(x))} })
}

// hardSigmoid is min(max(αx + β, 0), 1).
func hardSigmoid(x *Node, alpha, beta float64) *Node {
	return between(AddScalar(MulScalar(x, alpha), beta), 0, 1)
}

// between is x where it lies between two bounds and else the bound, with a gradient of 1
// inside and 0 at the bounds, as PyTorch's ReLU6 has it. A NaN stays one.
func between(x *Node, low, high float64) *Node {
	if !x.DType().IsFloat() {
		return ClipScalar(x, low, high)
	}
	below, above := ConstAs(x, low), ConstAs(x, high)
	inside := LogicalAnd(GreaterThan(x, below), LessThan(x, above))
	like := func(v *Node) *Node { return BroadcastToDims(v, x.Shape().Dimensions...) }
	bound := Where(GreaterOrEqual(x, above), like(above), Where(IsNaN(x), x, like(below)))
	return Where(inside, x, StopGradient(bound))
}

// clip is Clip (6, 11, 12, 13): attributes until 6, then inputs.
func clip(c *call) []*value {
	v := c.arg(0)
	low, high := c.floatAttr("min", -math.MaxFloat32), c.floatAttr("max", math.MaxFloat32)
	if c.n.opset >= 11 || c.has(1) || c.has(2) {
		low, high = c.scalarOr(1, -math.MaxFloat32), c.scalarOr(2, math.MaxFloat32)
	}
	x := c.physical(v)
	if low > high {
		return same(v, BroadcastToDims(ConstAs(x, high), x.Shape().Dimensions...))
	}
	if !x.DType().IsFloat() {
		if low > -math.MaxFloat32 {
			x = Max(x, BroadcastToDims(ConstAs(x, int64(low)), x.Shape().Dimensions...))
		}
		if high < math.MaxFloat32 {
			x = Min(x, BroadcastToDims(ConstAs(x, int64(high)), x.Shape().Dimensions...))
		}
		return same(v, x)
	}
	return same(v, between(x, low, high))
}

// gelu is Gelu (20): x·Φ(x), or by tanh as approximate says.
func gelu(c *call) []*value {
	v := c.arg(0)
	x := c.physical(v)
	if c.textAttr("approximate", "none") == "tanh" {
		inner := MulScalar(Add(x, MulScalar(Mul(x, Mul(x, x)), 0.044715)), math.Sqrt(2/math.Pi))
		return same(v, Mul(MulScalar(x, 0.5), AddScalar(Tanh(inner), 1)))
	}
	return same(v, Mul(MulScalar(x, 0.5), AddScalar(Erf(MulScalar(x, math.Sqrt2/2)), 1)))
}

// quickGelu is x·σ(αx), as CLIP has it.
func quickGelu(c *call) []*value {
	v := c.arg(0)
	x := c.physical(v)
	return same(v, Mul(x, Logistic(MulScalar(x, c.floatAttr("alpha", 1.702)))))
}

// prelu is PRelu (1, 7, 9, 16): slope·x where x is negative. A slope of rank 1 is one of
// each channel for inputs of version 6 and numpy's broadcast since.
func prelu(c *call) []*value {
	x, slope, v := c.together(0, 1)
	return one(v(whenPositive(x, x, Mul(x, slope))))
}

// cast is Cast. All floats are one type here, as are all integers; floats lose their
// fraction and what is not 0 is true.
func cast(c *call) []*value {
	k, ok := kinds[int64(c.intAttr("to", 0))]
	if !ok || k.dtype == dtypes.InvalidDType {
		c.fail("to type %s, want a float, an integer or a bool", kindName(int64(c.intAttr("to", 0))))
	}
	return c.convertTo(k.dtype)
}

// castLike is CastLike (15).
func castLike(c *call) []*value {
	return c.convertTo(c.arg(1).dtype)
}

func (c *call) convertTo(t dtypes.DType) []*value {
	v := c.arg(0)
	if v.dtype == t {
		return one(v)
	}
	return same(v, c.convert(c.physical(v), t))
}

func (c *call) convert(x *Node, to dtypes.DType) *Node {
	switch from := plainType(x.DType()); {
	case from == to:
		return x
	case to == dtypes.Bool:
		return NotEqual(x, ZerosLike(x))
	case to == dtypes.Float32:
		return ConvertDType(StopGradient(x), c.dtype)
	}
	return ConvertDType(StopGradient(x), to)
}

// dropout is Dropout: what it is outside of training, with a mask of ones if asked for.
func dropout(c *call) []*value {
	v := c.arg(0)
	out := one(v)
	if len(c.n.outputs) > 1 && c.n.outputs[1] != "" {
		x := c.physical(v)
		out = append(out, same(v, Equal(ZerosLike(x), ZerosLike(x)))...)
	}
	return out
}

// isInf is IsInf (10).
func isInf(c *call) []*value {
	v := c.arg(0)
	x := c.physical(v)
	is := func(sign int) *Node {
		return Equal(x, BroadcastToDims(Infinity(c.g, x.DType(), sign), x.Shape().Dimensions...))
	}
	up, down := c.intAttr("detect_positive", 1) != 0, c.intAttr("detect_negative", 1) != 0
	switch {
	case up && down:
		return same(v, LogicalOr(is(1), is(-1)))
	case up:
		return same(v, is(1))
	case down:
		return same(v, is(-1))
	}
	return same(v, NotEqual(ZerosLike(x), ZerosLike(x)))
}
