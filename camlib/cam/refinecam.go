package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// RefineCAM returns the Grad-CAM++ maps of several layers as one,
//
//	L = Π_l U(minmax(L_l)),
//
// RefineCAM (arXiv:2605.14641): a place counts where every layer agrees. Each map is
// brought to 0 to 1 and enlarged (U, bilinearly, [HalfPixel]) to the largest. The
// result is from 0 to 1; where one layer's map is flat it is 0.
//
// The maps are [batch, height, width] each.
func RefineCAM(layers ...*Node) *Node {
	scaled := make([]*Node, len(layers))
	for i, m := range layers {
		scaled[i] = minMax(m)
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

var refineCAM = Method{
	Name: "refinecam",
	Unit: "product of shares",
	Map:  func(p *Pass) *Node { return RefineCAM(p.ofLayers("refinecam", GradCAMPlusPlus)...) },
}
