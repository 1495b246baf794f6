package cam

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
)

// wantAttention is what a caller can do about ErrAttention.
const wantAttention = "want one in whose blocks all tokens attend to all, as ViT or DeiT; gradcam takes any"

// attended is a network built for [network.Attention].
type attended struct {
	scores *Node
	blocks []*Node
}

// Attention returns A of every block of a network of tokens, the first block first: what
// each token takes of each, [batch, heads, tokens, tokens], after the softmax. It has the
// explainer fail with [ErrAttention] if the network has none, see [network.Attention].
func (p *Pass) Attention() []*Node { return p.attend().blocks }

// AttentionGrad returns ∂y/∂A of every block, the gradient of [Pass.Score] with respect to
// [Pass.Attention], and of its shapes. It fails as that does.
func (p *Pass) AttentionGrad() []*Node {
	a := p.attend()
	return Gradient(ReduceAllSum(p.Value(InsertAxes(a.scores, 1))), a.blocks...)
}

// Reader returns, [batch, tokens], whose row of the attention the scores are made of: 1
// for the first token beside the grid, a class token, and 0 for the others; of a network
// without one, which takes the mean, the same share of each. It fails as [Pass.Attention]
// does.
func (p *Pass) Reader() *Node {
	p.attend()
	n := p.net.Attention
	row := make([]float64, n.Tokens())
	for i := range row {
		row[i] = 1 / float64(len(row))
		if n.Beside > 0 {
			row[i] = 0
		}
	}
	if n.Beside > 0 {
		row[0] = 1
	}
	return BroadcastToDims(ConstAs(p.Images, [][]float64{row}), p.Images.Shape().Dim(0), len(row))
}

// Grid returns the map, [batch, height, width], of a value of each token, [batch, tokens],
// without those beside the grid.
func (p *Pass) Grid(tokens *Node) *Node {
	n := p.net.Attention
	return Reshape(Slice(tokens, AxisRange(), AxisRangeToEnd(n.Beside)), tokens.Shape().Dim(0), n.Height, n.Width)
}

// attend builds the network with its attention, once for all classes.
func (p *Pass) attend() *attended {
	a, n := p.attention, p.net.Attention
	if a.blocks != nil {
		return a // of another class, or a method's other half
	}
	if n.Build == nil {
		why := n.Why
		if why != "" {
			why = " of all tokens to all: " + why
		}
		panic(fail(ErrAttention, "network %s has no attention%s; %s", p.net.Name, why, wantAttention))
	}
	scores, blocks := n.Build(p.scope, ConvertDType(p.Images, p.dtype))
	if len(blocks) == 0 {
		panic(fmt.Errorf("cam: network: Attention.Build returns no attention, want that of every block"))
	}
	for _, b := range blocks {
		d := b.Shape().Dimensions
		if len(d) != 4 || d[0] != p.Images.Shape().Dim(0) || d[2] != n.Tokens() || d[3] != n.Tokens() {
			panic(fail(ErrShape, "images shaped %s: the attention is shaped %s, want [batch, heads, %d, %[3]d]: a grid of %d×%d tokens and %d beside it",
				p.Images.Shape(), b.Shape(), n.Tokens(), n.Height, n.Width, n.Beside))
		}
	}
	a.scores, a.blocks = ConvertDType(scores, p.Images.DType()), blocks
	return a
}

// heads is the mean over the heads of one block, [batch, tokens, tokens], in the type of a
// row.
func heads(block, row *Node) *Node { return ReduceMean(ConvertDType(block, row.DType()), 1) }

// times is a row, [batch, tokens], times a matrix of each image, [batch, tokens, tokens].
func times(row, matrix *Node) *Node { return Einsum("bi,bij->bj", row, matrix) }
