package cam

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/camlib/images"
)

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
// All of the network's layers must have a Bias, it must be piecewise linear, explained
// at its last layer, and its head linear in the activations but for a bias.
type FullGrad struct{}

// Spec implements [Method].
func (FullGrad) Spec() Spec {
	return Spec{
		Name: "fullgrad",
		Unit: "score", Signed: true, Pixels: true, Choosy: true,
		Map: fullGrad,
		Total: func(p *Pass, m *Node) *Node {
			if !p.form.additive() {
				return nil
			}
			return Add(ReduceSum(m, 1, 2), p.biasOfAny())
		},
	}
}

func fullGrad(p *Pass) *Node {
	layers := p.net.Layers
	if last := layers[len(layers)-1].Name; last != p.net.ExplainedLayer() {
		panic(fail(ErrLayer, "fullgrad: layer %q is explained, want the network's last, %q: what follows has biases too", p.net.ExplainedLayer(), last))
	}
	for _, l := range layers {
		if l.Bias == nil {
			panic(fail(ErrLayer, "fullgrad: layer %q of the network has no Bias, want one of every layer", l.Name))
		}
	}
	grads := Gradient(ReduceAllSum(p.Score()), append([]*Node{p.Images}, p.Layers...)...)
	height, width := p.Images.Shape().Dim(1), p.Images.Shape().Dim(2)
	m := ReduceSum(Mul(grads[0], p.Images), -1)
	for i, l := range layers {
		a := p.Layers[i]
		alive := ConvertDType(GreaterThan(a, ZerosLike(a)), a.DType()) // ∂ReLU
		bias := ExpandLeftToRank(l.Bias(p.scope, a), 4)
		part := ConvertDType(ReduceSum(Mul(Mul(grads[i+1], alive), bias), -1), m.DType())
		pixels := float64(height*width) / float64(part.Shape().Dim(1)*part.Shape().Dim(2))
		m = Add(m, DivScalar(Upsample(part, height, width, images.Replicate), pixels))
	}
	return m
}
