package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// LayerCAM returns the LayerCAM map of one convolutional layer,
//
//	L_ij = ReLU(Σ_k ReLU(g_ijk) A_ijk),
//
// equations 5 to 7 of Jiang et al. 2021 (IEEE Transactions on Image Processing 30):
// only places whose own gradient speaks for the class count.
//
// Shapes are those of [GradCAM].
func LayerCAM(act, grad *Node) *Node {
	checkActGrad("LayerCAM", act, grad)
	return positive(ReduceSum(Mul(positive(grad), act), -1))
}

var layerCAM = Method{
	Name: "layercam",
	Unit: "score",
	Map:  func(p *Pass) *Node { return LayerCAM(p.Act, p.Grad()) },
	// Σ_k ReLU(w_k) A_k / Z
	Linear: func(p *Pass) *Node {
		return positive(DivScalar(weighted(p.Act, positive(p.Weights())), p.places()))
	},
}
