package cam

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
)

// AttentionRollout is how much of each token's input is in what the scores are made of, if
// all that tokens do is to mix,
//
//	R = Â_L … Â_2 Â_1,   Â = (½ mean_heads A + ½ I) / its row's sum,
//
// Abnar and Zuidema 2020 (arXiv:2005.00928), A the attention of the L blocks and I what
// passes beside it. The map is the class token's row of R, that of the first token beside
// the grid, or the mean of all rows where there is none. Its unit is the share of that
// token, from 0 to 1: the map and the tokens beside the grid sum to 1. It asks for no class.
type AttentionRollout struct{}

// Equation returns r R, [batch, tokens], of a row r, [batch, tokens], see [Pass.Reader],
// and the blocks' attention, [batch, heads, tokens, tokens] each, the first block first.
func (AttentionRollout) Equation(row *Node, blocks []*Node) *Node {
	for _, block := range slices.Backward(blocks) {
		a := heads(block, row)
		row = Div(row, AddScalar(ReduceSum(a, -1), 1)) // the ½ of both are in neither
		row = Add(times(row, a), row)
	}
	return row
}

// Spec implements [Method].
func (m AttentionRollout) Spec() Spec {
	return Spec{
		Name: "attentionrollout",
		Unit: "share of attention", Attention: true, Choosy: true,
		Map: func(p *Pass) *Node { return p.Grid(m.Equation(p.Reader(), p.Attention())) },
	}
}
