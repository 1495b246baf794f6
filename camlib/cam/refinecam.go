package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// RefineCAM is the [GradCAMPlusPlus] maps of all layers up to the explained one as one,
//
//	L = Π_l U(minmax(L_l)),
//
// RefineCAM (arXiv:2605.14641): a place counts where every layer agrees. Each map is
// brought to 0 to 1 and enlarged (U, bilinearly, [images.HalfPixel]) to the largest. The
// result is from 0 to 1; where one layer's map is flat it is 0.
type RefineCAM struct{}

// Equation returns the product of the layers' maps, [batch, height, width] each.
func (RefineCAM) Equation(layers ...*Node) *Node {
	scaled := make([]*Node, len(layers))
	for i, m := range layers {
		scaled[i] = ZeroToOne(m)
	}
	var product *Node
	for _, m := range sameSize(scaled) {
		if product != nil {
			m = Mul(product, m)
		}
		product = m
	}
	return product
}

// Spec implements [Method].
func (m RefineCAM) Spec() Spec {
	return Spec{
		Name: "refinecam",
		Unit: "product of shares",
		Map:  func(p *Pass) *Node { return m.Equation(p.ofLayers(GradCAMPlusPlus{}.Equation)...) },
	}
}
