package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// HiResCAM is the HiResCAM map of one convolutional layer,
//
//	L_ij = Σ_k g_ijk A_ijk,
//
// equation 5 of Draelos and Carin 2020 (arXiv:2011.08891): nothing is averaged, so
// every place keeps its own gradient. Where the head is linear in the activations
// the map sums to the score less the bias. It is signed, in units of the score.
type HiResCAM struct{}

// Equation returns the maps. Shapes are those of [GradCAM.Equation].
func (HiResCAM) Equation(act, grad *Node) *Node {
	checkActGrad("HiResCAM", act, grad)
	return ReduceSum(Mul(grad, act), -1)
}

// Spec implements [Method].
func (m HiResCAM) Spec() Spec {
	return Spec{
		Name: "hirescam",
		Unit: "score", Local: true, Signed: true,
		Map:    func(p *Pass) *Node { return m.Equation(p.Act, p.Grad()) },
		Linear: (*Pass).meanCAM,
		Total: func(p *Pass, m *Node) *Node {
			if !p.closed() || !p.form.additive() {
				return nil
			}
			return Add(ReduceSum(m, 1, 2), p.Bias())
		},
	}
}
