package network

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/overflow"
)

// Note notes the outputs of all layers for images x, and of the head, so that
// [overflow.Find] can tell which is the first that is not finite. suffix is added to
// their names.
func (n *Network) Note(scope *model.Scope, x *Node, suffix string, parts *overflow.Parts) (scores *Node) {
	var beside []*Node
	for _, l := range n.Layers {
		x, beside = l.Apply(scope, x, beside)
		parts.Add(l.Name+suffix, x)
	}
	scores = n.ApplyHead(scope, ConvertDType(x, dtypes.Float32), beside)
	parts.Add("the head"+suffix, scores)
	return scores
}
