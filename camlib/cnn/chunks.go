package cnn

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/gomlx/gomlx/pkg/ml/context"
)

// cached is how many images, at most, have activations that fit the cache.
const cached = 32

// gradientsOf returns what a chunk adds to the cost of its batch, of which it is
// the given share, and to the gradients: cost, then weights and biases of each
// layer from the last, dense, to the first. Nothing is updated.
type gradientsOf func(pixels, labels, picks, share *tensors.Tensor) ([]*tensors.Tensor, error)

// chunkedStep is a step that takes a batch in chunks, so that what lies between the
// layers stays in the processor's cache and in memory that the process has already.
// begin is called for every step and returns how a chunk's gradients are computed in
// it, and what is to be freed at its end.
func chunkedStep(backend backends.Backend, m *Model, learningRate float64, begin func() (gradientsOf, []*tensors.Tensor, error)) (stepper, error) {
	exec, err := context.NewExec(backend, m.ctx, func(ctx *context.Context, in []*Node) *Node {
		each := 1 + 2*len(layers)
		sum := in[:each]
		for chunk := range slices.Chunk(in[each:], each) {
			next := make([]*Node, each)
			for i := range sum {
				next[i] = Add(sum[i], chunk[i])
			}
			sum = next
		}
		update(ctx, learningRate, sum[1:])
		return sum[0]
	})
	if err != nil {
		return nil, fmt.Errorf("cnn: training step: %w", err)
	}
	return func(pixels, labels *tensors.Tensor, p picks) (float64, error) {
		n := len(p) / 4
		gradients, shared, err := begin()
		if err != nil {
			return 0, err
		}
		defer free(shared)
		var all []*tensors.Tensor
		defer func() { free(all) }()
		for chunk := range slices.Chunk(p, 4*chunkSize(n)) {
			chosen, share := chunk.tensor(), tensors.FromScalar(float32(len(chunk)/4)/float32(n))
			grads, err := gradients(pixels, labels, chosen, share)
			free([]*tensors.Tensor{chosen, share})
			if err != nil {
				return 0, err
			}
			all = append(all, grads...)
		}
		out, err := execute(exec, all)
		if err != nil {
			return 0, err
		}
		defer free(out)
		return float64(tensors.ToScalar[float32](out[0])), nil
	}, nil
}

// chunkSize is how many images of n are a chunk: all chunks are alike where
// that is possible, because each size is compiled for.
func chunkSize(n int) int {
	least := (n + cached - 1) / cached
	for count := least; count < 2*least; count++ {
		if n%count == 0 {
			return n / count
		}
	}
	return (n + least - 1) / least
}

// update makes Adam's update of all layers, given their gradients as [gradientsOf]
// orders them.
func update(ctx *context.Context, learningRate float64, grads []*Node) {
	byName := make(map[string]*Node)
	for i, l := range layers {
		of := grads[2*(len(layers)-1-i):]
		byName[context.ScopeSeparator+l.scope+context.ScopeSeparator+"weights"] = of[0]
		byName[context.ScopeSeparator+l.scope+context.ScopeSeparator+"biases"] = of[1]
	}
	var ordered []*Node // as Adam goes through them
	for v := range ctx.IterVariables() {
		if grad, ok := byName[v.ScopeAndName()]; ok {
			v.ValueGraph(grad.Graph()) // makes it one of the graph's variables
			ordered = append(ordered, grad)
		}
	}
	adam(learningRate).(interface {
		UpdateGraphWithGradients(ctx *context.Context, grads []*Node, dtype dtypes.DType)
	}).UpdateGraphWithGradients(ctx, ordered, dtypes.Float32)
}

// execute runs a part of a step.
func execute(exec *context.Exec, in ...[]*tensors.Tensor) ([]*tensors.Tensor, error) {
	var args []any
	for _, t := range join(in...) {
		args = append(args, t)
	}
	out, err := exec.Exec(args...)
	if err != nil {
		return nil, fmt.Errorf("cnn: training step: %w", err)
	}
	return out, nil
}

// free frees tensors now rather than when the garbage collector, which does not see
// their size, comes to it.
func free(all []*tensors.Tensor) {
	for _, t := range all {
		t.MustFinalizeAll()
	}
}

// join concatenates.
func join[T any](lists ...[]T) (all []T) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
