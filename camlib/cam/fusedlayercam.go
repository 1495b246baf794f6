package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// fusionGamma is γ of LayerCAM's equation 9.
const fusionGamma = 2

// FusedLayerCAM is the [LayerCAM] maps of all layers up to the explained one as one,
//
//	L = max_l U(L_l / max L_l),   for all layers but the last U(tanh(γ L_l / max L_l)),
//
// equations 8 and 9 of Jiang et al. 2021 (IEEE Transactions on Image Processing 30),
// γ = 2: the early layers' fine maps, whose values are small, are raised and laid over
// the last one's. U enlarges (bilinearly, [images.HalfPixel]) to the largest map. Dividing
// the last by its maximum too brings all to one scale: 0 to 1.
type FusedLayerCAM struct{}

// Equation returns the fused maps of the layers' maps, [batch, height, width] each, the
// last layer's last.
func (FusedLayerCAM) Equation(layers ...*Node) *Node {
	var fused *Node
	for i, m := range sameSize(layers) {
		largest := ReduceAndKeep(m, ReduceMax, 1, 2)
		m = Div(m, Where(Equal(largest, ZerosLike(largest)), OnesLike(largest), largest))
		if i < len(layers)-1 {
			m = Tanh(MulScalar(m, fusionGamma))
		}
		if fused != nil {
			m = Add(Max(fused, m), Add(Sub(fused, fused), Sub(m, m))) // Max loses a NaN under XLA on a CPU
		}
		fused = m
	}
	return fused
}

// Spec implements [Method].
func (m FusedLayerCAM) Spec() Spec {
	return Spec{
		Name: "layercam-fused",
		Unit: "share of the largest",
		Map:  func(p *Pass) *Node { return m.Equation(p.ofLayers(LayerCAM{}.Equation)...) },
	}
}

// ofLayers returns what a method makes of every layer up to the explained one.
func (p *Pass) ofLayers(f func(act, grad *Node) *Node) (maps []*Node) {
	for i, grad := range Gradient(ReduceAllSum(p.Score()), p.Layers...) {
		maps = append(maps, f(ConvertDType(p.Layers[i], p.Images.DType()), ConvertDType(grad, p.Images.DType())))
	}
	return maps
}

// sameSize enlarges maps [batch, h, w] to the largest of them.
func sameSize(maps []*Node) (same []*Node) {
	height, width := 0, 0
	for _, m := range maps {
		height, width = max(height, m.Shape().Dim(1)), max(width, m.Shape().Dim(2))
	}
	for _, m := range maps {
		same = append(same, Upsample(m, height, width, halfPixel))
	}
	return same
}
