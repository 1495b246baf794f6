package network

import (
	"errors"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Attention is how the tokens of a network attend to each other, where in every block all
// of them attend to all, as in ViT and DeiT.
type Attention struct {
	// Build builds the network from images to scores, and on the way A of every block, the
	// first block first: [batch, heads, tokens, tokens], the attention after its softmax, in
	// whose rows is what one token takes of each. The scores are computed from these nodes,
	// so that they have a gradient with respect to them. Nil is a network without attention.
	Build func(scope *model.Scope, x *Node) (scores *Node, blocks []*Node)
	// The tokens are those beside the grid, a class token the first, and then the grid's,
	// row by row.
	Height, Width, Beside int
	// Batch is how many images Build had best take, 1 where it builds one after the other; 0 is
	// any number.
	Batch int
	// Why says, of a network that has attention of another kind and no Build, of which.
	Why string
}

// Tokens is how many there are.
func (a Attention) Tokens() int { return a.Beside + a.Height*a.Width }

func (a Attention) check() error {
	if a.Build != nil && (a.Height < 1 || a.Width < 1 || a.Beside < 0) {
		return errors.New("attention without the grid of its tokens, want its height and width, and how many stand beside it")
	}
	return nil
}
