package cam

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
)

// CheferCAM is attention that raises the score, carried through the blocks,
//
//	R = (I + Ā_L) … (I + Ā_2)(I + Ā_1) − I,   Ā = mean_heads ReLU(∂y/∂A ∘ A),
//
// equations 5 and 6 of Chefer, Gur and Wolf 2021 (ICCV, arXiv:2103.15679) for
// self-attention, A that of the L blocks. The map is the class token's row of R, that of the
// first token beside the grid, or the mean of all rows where there is none. Without the I,
// which says of every token that it is relevant to itself, no evidence is 0. No value is
// negative. They are relevances: score for one block, and sums of its powers for several.
//
// The authors gave the method no name; CheferCAM is what others call it.
type CheferCAM struct{}

// Equation returns r R, [batch, tokens], of a row r, [batch, tokens], see [Pass.Reader],
// and the blocks' attention and the score's gradients with respect to that, [batch, heads,
// tokens, tokens] each, the first block first.
func (CheferCAM) Equation(row *Node, blocks, grads []*Node) *Node {
	r := ZerosLike(row)
	for i, block := range slices.Backward(blocks) {
		r = Add(r, times(Add(row, r), heads(Positive(Mul(grads[i], block)), row)))
	}
	return r
}

// Spec implements [Method].
func (m CheferCAM) Spec() Spec {
	return Spec{
		Name: "chefercam",
		Unit: "relevance", Attention: true, Choosy: true,
		Map: func(p *Pass) *Node { return p.Grid(m.Equation(p.Reader(), p.Attention(), p.AttentionGrad())) },
	}
}
