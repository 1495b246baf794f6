package onnx

import (
	"fmt"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/network"
)

// attention finds where a graph's tokens attend to each other: softmaxes over the last axis
// of [n, heads, tokens, tokens] or [n·heads, tokens, tokens], all of one shape, whose tokens
// are a grid's and those beside it. Where others are among them, as Swin's in windows, it
// says of the first why there is no attention of all tokens to all.
func (im *imported) attention() network.Attention {
	n := im.batch()
	var blocks []int // the numbers of their nodes
	var dims []int
	var grid *cut
	for i, node := range im.nodes {
		if node.fullOp() == "Attention" {
			return network.Attention{Why: fmt.Sprintf("operator Attention, as %q, keeps its softmax inside; export with an opset below 23", node.outputs[0])}
		}
		d := im.plan.tensors[node.outputs[0]].dims
		if node.fullOp() != "Softmax" || len(d) < 3 || !overLast(node, len(d)) || !im.counts(node.outputs[0]) {
			continue
		}
		here := im.tokensBefore(i, d[len(d)-1])
		if here == nil || len(d) > 4 || len(d) == 4 && d[0] != n || d[0]%n != 0 || d[len(d)-2] != d[len(d)-1] || dims != nil && !slices.Equal(d, dims) {
			return network.Attention{Why: fmt.Sprintf("softmax %q of shape %v is none of all tokens of one grid", node.outputs[0], d)}
		}
		blocks, dims, grid = append(blocks, i), d, here
	}
	if blocks == nil {
		return network.Attention{}
	}
	a := network.Attention{Height: grid.Shape[0], Width: grid.Shape[1], Beside: grid.Tokens}
	alone := im.repeats()
	if len(dims) == 3 && dims[0] > n { // whether the images or the heads come first is not known
		if alone && n > 1 {
			return network.Attention{Why: fmt.Sprintf("softmax %q of shape %v is of %d images that cannot be told from its heads", im.nodes[blocks[0]].outputs[0], dims, n)}
		}
		alone = true
	}
	if alone {
		a.Batch = 1
	}
	a.Build = func(scope *model.Scope, x *Node) (scores *Node, all []*Node) {
		if err := catch(func() { scores, all = im.attend(scope, x, blocks, alone || im.alone(x.Shape().Dim(0))) }); err != nil {
			panic(fmt.Errorf("onnx: %s: %w", im.m.name, err))
		}
		return scores, all
	}
	return a
}

// overLast reports whether a Softmax is over the last of some axes alone.
func overLast(n *node, rank int) bool {
	axis := int64(-1)
	if n.opset < 13 {
		axis = 1
	}
	if a := n.attributes["axis"]; a != nil {
		axis = a.i
	}
	return axis == -1 || axis == int64(rank-1)
}

// tokensBefore is the last layer before a node whose grid and what stands beside it are so
// many tokens; nil if there is none.
func (s *study) tokensBefore(node, tokens int) *cut {
	for i, c := range slices.Backward(s.cuts) {
		if c.after < node && c.Tokens >= 0 && c.Shape[0]*c.Shape[1]+c.Tokens == tokens {
			return &s.cuts[i]
		}
	}
	return nil
}

// attend builds the network as [network.Attention] says, of all images together or of one
// after the other: these up to each block in turn, so that all scores come of its one node.
func (im *imported) attend(scope *model.Scope, x *Node, blocks []int, alone bool) (scores *Node, all []*Node) {
	images := []*Node{x}
	if n := x.Shape().Dim(0); alone && n > 1 {
		images = Split(x, 0, n)
	}
	var builders []*builder
	for _, x := range images {
		builders = append(builders, im.enter(scope, x, nil, 0))
	}
	from := 0
	for _, at := range blocks {
		name := im.nodes[at].outputs[0]
		var own []*Node
		for _, b := range builders {
			b.run(im.nodes[from : at+1])
			v := b.value(name)
			tokens := v.dims[v.rank()-1]
			own = append(own, b.first(im, Reshape(b.logicalNode(v), im.now(b), -1, tokens, tokens)))
		}
		a := joined(own)
		all, from = append(all, a), at+1
		for i, b := range builders {
			mine := a
			if len(builders) > 1 {
				mine = Slice(a, AxisRange(i, i+1))
			}
			if n := im.now(b); mine.Shape().Dim(0) != n {
				mine = repeat(mine, n)
			}
			v := *b.value(name)
			v.node, v.last = Reshape(mine, v.dims...), false
			b.values[name] = &v
		}
	}
	var own []*Node
	for _, b := range builders {
		b.run(im.nodes[from:])
		own = append(own, b.scores(im))
	}
	return joined(own), all
}

// joined is what was built of one image after the other.
func joined(parts []*Node) *Node {
	if len(parts) == 1 {
		return parts[0]
	}
	return Concatenate(parts, 0)
}
