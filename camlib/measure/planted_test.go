package measure_test

import (
	"github.com/camlab-go/camlab/camlib/cam"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/gomlx/gomlx/pkg/ml/context"
)

// plain is a network whose activations are the image, averaged over squares of 2×2, and
// whose head is global average pooling and a linear layer with two classes.
type plain struct{ ctx *context.Context }

func newPlain() *plain {
	ctx := context.New()
	ctx.VariableWithValue("w", tensors.FromFlatDataAndDimensions([]float32{1, -2, 3, 0.5, -1, 4}, 3, 2))
	ctx.VariableWithValue("b", tensors.FromFlatDataAndDimensions([]float32{0.25, -0.5}, 1, 2))
	return &plain{ctx.Reuse()}
}

func (p *plain) Context() *context.Context { return p.ctx }

func (p *plain) Features(_ *context.Context, x *Node) *Node {
	d := x.Shape().Dimensions
	return ReduceMean(Reshape(x, d[0], d[1]/2, 2, d[2]/2, 2, d[3]), 2, 4)
}

func (p *plain) Head(ctx *context.Context, act *Node) *Node {
	v := func(name string) *Node { return ctx.InspectVariableInScope(name).ValueGraph(act.Graph()) }
	return Add(Dot(ReduceMean(act, 1, 2), v("w")), v("b"))
}

var _ cam.Network = &plain{}
