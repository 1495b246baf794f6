package cam

import (
	"github.com/gomlx/gomlx/ml/model"

	. "github.com/gomlx/gomlx/core/graph"
)

// Biased is a [Layered] network each of whose layers ends in ReLU(z + b), z linear
// in the layer's input, as a convolution with a bias does.
type Biased interface {
	Layered
	// Bias returns b of a layer, [channels], in like's graph.
	Bias(scope *model.Scope, layer string, like *Node) *Node
}

// FullGrad is
//
//	L = ∇_x y ∘ x + Σ_l U(Σ_k b_lk ∂y/∂z_lk),
//
// equations 3 and 6 of Srinivas and Fleuret 2019 (arXiv:1905.00780), with the identity
// for their ψ: what every pixel and, through the biases of the layers, every place adds
// to the score. z_l is what layer l adds its bias to, and U spreads a place's value
// over its pixels, so that nothing is gained or lost: the map sums to the score less
// the head's bias. It is signed, in units of the score. The paper's pictures show
// ψ(m) = |m| brought to 0 to 1 layer by layer, which is neither.
//
// The network must be [Biased], piecewise linear, explained at its last layer, and
// end in pooling and a linear layer.
var fullGrad = Method{
	Name: "fullgrad",
	Unit: "score", Signed: true, Pixels: true,
	Map: func(p *Pass) *Node {
		net, ok := p.net.(Biased)
		if !ok {
			panic(fail(ErrLayer, "fullgrad: the network does not give its layers' biases, want one with the methods Layers, Through and Bias, split at its last layer"))
		}
		layers := p.allLayers("fullgrad")
		grads := Gradient(ReduceAllSum(p.Score()), append([]*Node{p.Images}, layers...)...)
		height, width := p.Images.Shape().Dim(1), p.Images.Shape().Dim(2)
		m := ReduceSum(Mul(grads[0], p.Images), -1)
		for i, name := range net.Layers() {
			a := layers[i]
			alive := ConvertDType(GreaterThan(a, ZerosLike(a)), a.DType()) // ∂ReLU
			bias := ExpandLeftToRank(net.Bias(p.scope, name, a), 4)
			part := ConvertDType(ReduceSum(Mul(Mul(grads[i+1], alive), bias), -1), m.DType())
			pixels := float64(height*width) / float64(part.Shape().Dim(1)*part.Shape().Dim(2))
			m = Add(m, DivScalar(Upsample(part, height, width, Replicate), pixels))
		}
		return m
	},
	Total: func(p *Pass, m *Node) *Node {
		if !p.form.additive() {
			return nil
		}
		return Add(ReduceSum(m, 1, 2), p.bias())
	},
}
