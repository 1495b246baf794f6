package onnx

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// plan is what is known of a model's tensors before it runs, for one size of a batch.
type plan struct {
	tensors map[string]fact
	known   map[string]*array // those that do not depend on the pixels, but for weights
}

// fact is a tensor's shape, and how its node lies.
type fact struct {
	dims     []int
	dtype    dtypes.DType
	channels int
	last     bool
}

func (p *plan) shapes() map[string][]int {
	out := make(map[string][]int, len(p.tensors))
	for name, f := range p.tensors {
		out[name] = f.dims
	}
	return out
}

// newPlan builds nodes for a batch of n images, in a graph that is not run. Variables that
// the store does not have yet are made; without a store there are none.
func (m *Model) newPlan(store *model.Store, im image, nodes []*node, n int, free *freeing) (*plan, error) {
	back, err := folding()
	if err != nil {
		return nil, err
	}
	g := NewGraph(back, "plan")
	defer g.Finalize()
	p := &plan{tensors: map[string]fact{}, known: map[string]*array{}}
	err = catch(func() {
		b := m.newBuilder(g, nil, dtypes.Float32)
		if store != nil {
			b.scope = store.RootScope()
		}
		b.batch, b.planned = free, n
		x := Parameter(g, "x", shapes.Make(dtypes.Float32, n, im.size.Height, im.size.Width, im.size.Channels))
		b.values[im.name] = im.value(x)
		b.run(nodes)
		for name, v := range b.values {
			p.tensors[name] = fact{v.dims, v.dtype, v.channels, v.last}
			if v.constant != nil && m.graph.constants[name] == nil {
				p.known[name] = v.constant
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("%s for %d images of %s: %w", m.name, n, im.size, err)
	}
	return p, nil
}

// needed are the nodes that tensors depend on, in order.
func (g *graph) needed(names ...string) []*node {
	want := make(map[string]bool)
	for _, name := range names {
		want[name] = true
	}
	var out []*node
	for i := len(g.nodes) - 1; i >= 0; i-- {
		n := g.nodes[i]
		for _, name := range n.outputs {
			if name != "" && want[name] {
				out = append(out, n)
				for _, in := range n.uses {
					want[in] = true
				}
				break
			}
		}
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// dependents are the tensors that depend on another one, and that one.
func dependents(nodes []*node, of string) map[string]bool {
	out := map[string]bool{of: true}
	for _, n := range nodes {
		for _, in := range n.uses {
			if out[in] {
				for _, name := range n.outputs {
					out[name] = true
				}
				break
			}
		}
	}
	delete(out, "")
	return out
}
