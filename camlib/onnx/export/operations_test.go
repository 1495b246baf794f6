package export_test

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	timages "github.com/gomlx/gomlx/core/tensors/images"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/layers/norm"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
)

func row(x *Node) *Node { return Reshape(x, x.Shape().Dim(0), -1) }

// operations are what GoMLX's functions build of x, [n, 4, 2, 3].
func operations() (all []*network.Network) {
	for name, f := range map[string]func(g *Graph, x *Node) *Node{
		"functions": func(_ *Graph, x *Node) *Node {
			return Add(Add(Mul(Sin(x), Cos(x)), Sub(Tanh(x), Exp(Neg(x)))), Add(Mul(Log1P(Abs(x)), Erf(x)), Mul(Rsqrt(AddScalar(x, 1)), Expm1(x))))
		},
		"steps": func(_ *Graph, x *Node) *Node {
			return Add(Floor(MulScalar(x, 5)), Mul(Ceil(x), Sign(SubScalar(x, 0.5))))
		},
		"clip": func(_ *Graph, x *Node) *Node { return ClipScalar(x, 0.2, 0.7) },
		"powers": func(_ *Graph, x *Node) *Node {
			return Add(Pow(x, AddScalar(x, 1)), Mod(x, Scalar(x.Graph(), x.DType(), 0.3)))
		},
		"minimum": func(_ *Graph, x *Node) *Node { return Min(x, OneMinus(x)) },
		"logic": func(_ *Graph, x *Node) *Node {
			half := Scalar(x.Graph(), x.DType(), 0.5)
			a, b := GreaterThan(x, half), LessOrEqual(x, MulScalar(x, 0.9))
			return ConvertDType(LogicalOr(LogicalAnd(a, LogicalNot(b)), LogicalXor(NotEqual(x, half), LogicalAnd(IsFinite(x), LessThan(x, half)))), dtypes.Float32)
		},
		"leaky":   func(_ *Graph, x *Node) *Node { return activation.LeakyRelu(SubScalar(x, 0.5)) },
		"gelu":    func(_ *Graph, x *Node) *Node { return activation.Gelu(SubScalar(x, 0.5)) },
		"softmax": func(_ *Graph, x *Node) *Node { return Softmax(x, 1) },
		"layernorm": func(_ *Graph, x *Node) *Node {
			return norm.LayerNorm(model.NewStore().RootScope(), x, -1).LearnedGain(false).LearnedOffset(false).Done()
		},
		"reductions": func(_ *Graph, x *Node) *Node {
			return Concatenate([]*Node{ReduceMax(x, 1), ReduceSum(x, 1), ReduceMin(x, 1), ReduceMultiply(x, 1)}, -1)
		},
		"transposed": func(_ *Graph, x *Node) *Node { return Transpose(x, 1, 3) },
		"sliced":     func(_ *Graph, x *Node) *Node { return Slice(x, AxisRange(), AxisRange(1, 4).Stride(2), AxisElem(1)) },
		"reversed":   func(_ *Graph, x *Node) *Node { return Reverse(x, 1, 3) },
		"padded": func(g *Graph, x *Node) *Node {
			return Pad(x, Scalar(g, x.DType(), 0.25), PadAxis{}, PadAxis{Start: 1}, PadAxis{End: 2}, PadAxis{})
		},
		"matrices": func(_ *Graph, x *Node) *Node { return Einsum("nhwc,nhvc->nwv", x, x) },
		"places":   func(_ *Graph, x *Node) *Node { return Einsum("nhwc,nhvc->nhwv", x, x) },
		"attention": func(_ *Graph, x *Node) *Node {
			p := Softmax(Einsum("nhqd,nhkd->nhqk", x, x), -1)
			return Einsum("nhqk,nhkd->nhqd", p, x)
		},
		"picked": func(g *Graph, x *Node) *Node {
			return Gather(Const(g, [][]float32{{1, 2}, {3, 4}, {5, 6}}), Reshape(ConvertDType(MulScalar(x, 2.9), dtypes.Int32), x.Shape().Dim(0), -1, 1))
		},
		"largest": func(_ *Graph, x *Node) *Node {
			return ConvertDType(Concatenate([]*Node{ArgMax(x, 1), ArgMin(x, 1)}, -1), dtypes.Float32)
		},
		"counted": func(g *Graph, x *Node) *Node { return Mul(x, Iota(g, shapes.Make(dtypes.Float32, 1, 4, 2, 3), 1)) },
		"token": func(g *Graph, x *Node) *Node { // a constant beside each image's values
			n := x.Shape().Dim(0)
			return Concatenate([]*Node{BroadcastToDims(Const(g, [][][]float32{{{1, 2, 3}}}), n, 1, 3), Reshape(x, n, -1, 3)}, 1)
		},
		"folded": func(g *Graph, x *Node) *Node {
			w := Const(g, [][]float32{{1, 2, 3}, {3, 4, 7}, {0, 1, 0}})
			return Einsum("nhwc,cd->nhwd", x, Div(w, Sqrt(ReduceAllSum(Mul(w, w)))))
		},
		"together": func(_ *Graph, x *Node) *Node { // images and places in one axis
			y := Reshape(x, -1, 3)
			return Reshape(Add(y, MulScalar(Reverse(y, 1), 2)), x.Shape().Dimensions...)
		},
		"windows": func(_ *Graph, x *Node) *Node {
			return Concatenate([]*Node{SumPool(x).Window(3).Strides(1).PadSame().Done(), MaxPool(x).Window(3).Strides(1).PadSame().Done(),
				MeanPool(x).Window(2).Strides(1).PadSame().Done()}, -1)
		},
		"means": func(_ *Graph, x *Node) *Node {
			return Concatenate([]*Node{row(MeanPool(x).Window(2).Done()), ReduceMean(x, 1, 2), row(ReduceMean(x, -1))}, -1)
		},
		"maximum": func(_ *Graph, x *Node) *Node { // of slices that are no window
			return Max(Slice(x, AxisRange(), AxisRange(0, 2)), Slice(x, AxisRange(), AxisRange(2, 4)))
		},
		"interpolated": func(_ *Graph, x *Node) *Node {
			return Concatenate([]*Node{Interpolate(x, NoInterpolation, 7, 3, NoInterpolation).Bilinear().Done(), Interpolate(x, NoInterpolation, 7, 3, NoInterpolation).Nearest().Done()}, -1)
		},
		"one of many": func(_ *Graph, x *Node) *Node { return Mul(OneHot(ArgMax(x, -1), 3, dtypes.Float32), LogSoftmax(x, -1)) },
		"lengths":     func(_ *Graph, x *Node) *Node { return Add(L2Normalize(x, -1), ReduceAndKeep(x, ReduceVariance, 1, 2)) },
		"sums":        func(_ *Graph, x *Node) *Node { return CumSum(x, 1) },
		"dilated": func(g *Graph, x *Node) *Node {
			w := Iota(g, shapes.Make(dtypes.Float32, 2, 2, 3, 2), 3)
			return Convolve(x, AddScalar(Sin(Add(w, Iota(g, w.Shape(), 0))), 0.2)).DilationPerAxis(2, 1).PaddingPerDim([][2]int{{1, 2}, {0, 1}}).Done()
		},
		"first channels": func(g *Graph, x *Node) *Node { // a convolution of [n, c, h, w]
			x = TransposeAllAxes(x, 0, 3, 1, 2)
			return Convolve(x, Sin(Iota(g, shapes.Make(dtypes.Float32, 5, 3, 2, 2), 1))).ChannelsAxis(timages.ChannelsFirst).Strides(1).NoPadding().Done()
		},
		"long": func(g *Graph, x *Node) *Node { // one axis of places
			x = Reshape(x, x.Shape().Dim(0), 8, 3)
			return Convolve(x, Sin(Iota(g, shapes.Make(dtypes.Float32, 3, 3, 5), 0))).Strides(2).PadSame().Done()
		},
		"no rectifiers": func(g *Graph, x *Node) *Node {
			half := AddScalar(x, -0.5)
			a := Where(GreaterThan(half, ZerosLike(x)), Abs(x), ZerosLike(x))
			return Concatenate([]*Node{a, Where(GreaterThan(half, ZerosLike(x)), half, x), Max(half, Scalar(g, x.DType(), 0.25))}, -1)
		},
		"windows of slices": func(_ *Graph, x *Node) *Node {
			at := func(i, j int) *Node { return Slice(x, AxisRange(), AxisRange(i, i+3), AxisRange(j, j+1)) }
			return Concatenate([]*Node{Max(Max(at(1, 1), at(0, 1)), Max(at(1, 0), at(0, 0))), Max(Max(at(1, 1), at(0, 1)), at(0, 0))}, -1)
		},
		"beyond": func(g *Graph, x *Node) *Node {
			return TransposeAllAxes(GatherSlices(x, []int{1}, Const(g, [][]int32{{3}, {1}, {-2}}), []int{2}, false), 1, 0, 2, 3, 4)
		},
		"taken out": func(_ *Graph, x *Node) *Node {
			return Slice(Concatenate([]*Node{x, MulScalar(x, 2)}, 1), AxisRange(), AxisRange(2, 4))
		},
		"set aside": func(g *Graph, x *Node) *Node { // as for custom gradients
			flat := Concatenate([]*Node{Reshape(x, -1), Const(g, []float32{1, 2, 3})}, 0)
			return Reshape(Slice(flat, AxisRange(0, x.Shape().Size())), x.Shape().Dimensions...)
		},
		"scaled": func(g *Graph, x *Node) *Node { return AddScalar(MulScalar(x, 3), 1) },
		"apart": func(g *Graph, x *Node) *Node {
			return Add(Mul(x, Const(g, [][][][]float32{{{{1, 2, 5}}}})), Const(g, [][][][]float32{{{{1}, {3}}}}))
		},
	} {
		all = append(all, chain(name, images.Size{Height: 4, Width: 2, Channels: 3}, func(_ *model.Scope, act *Node) *Node {
			return row(f(act.Graph(), act))
		}, func(_ *model.Scope, x *Node) *Node { return Mul(x, x) }))
	}
	return all
}
