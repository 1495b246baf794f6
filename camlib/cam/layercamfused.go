package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// fusionGamma is γ of LayerCAM's equation 9.
const fusionGamma = 2

// FuseLayerCAM returns LayerCAM maps of several layers as one,
//
//	L = max_l U(L_l / max L_l),   for all layers but the last U(tanh(γ L_l / max L_l)),
//
// equations 8 and 9 of Jiang et al. 2021 (IEEE Transactions on Image Processing 30),
// γ = 2: the early layers' fine maps, whose values are small, are raised and laid over
// the last one's. U enlarges to the largest map. Dividing the last by its maximum too
// brings all to one scale: 0 to 1.
//
// The maps are [batch, height, width] each, the network's last layer last.
func FuseLayerCAM(layers ...*Node) *Node {
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

// sameSize enlarges maps [batch, h, w] to the largest of them.
func sameSize(maps []*Node) (same []*Node) {
	height, width := 0, 0
	for _, m := range maps {
		height, width = max(height, m.Shape().Dim(1)), max(width, m.Shape().Dim(2))
	}
	for _, m := range maps {
		same = append(same, Upsample(m, height, width, HalfPixel))
	}
	return same
}

var layerCAMFused = Method{
	Name: "layercam-fused",
	Unit: "share of the largest",
	Map:  func(p *Pass) *Node { return FuseLayerCAM(p.ofLayers("layercam-fused", LayerCAM)...) },
}

// ofLayers returns what a method makes of every layer up to the explained one.
func (p *Pass) ofLayers(name string, f func(act, grad *Node) *Node) (maps []*Node) {
	layers := p.allLayers(name)
	for i, grad := range Gradient(ReduceAllSum(p.Score()), layers...) {
		maps = append(maps, f(ConvertDType(layers[i], p.Images.DType()), ConvertDType(grad, p.Images.DType())))
	}
	return maps
}
