package cnn

import (
	"fmt"

	"github.com/gomlx/gomlx/backends"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/gomlx/gomlx/pkg/ml/context"
	"github.com/gomlx/gomlx/pkg/ml/train/optimizers"
)

// A stepper makes one training step: it takes the whole data set and the
// picks of a batch, updates the model's variables, and returns the cost
// before the update.
type stepper func(pixels, labels *tensors.Tensor, p picks) (cost float64, err error)

// newStep prepares a stepper.
type newStep func(backend backends.Backend, m *Model, learningRate float64) (stepper, error)

// adam is the optimiser of every step (Kingma & Ba 2014, arXiv:1412.6980).
func adam(learningRate float64) optimizers.Interface {
	return optimizers.Adam().LearningRate(learningRate).Done()
}

// plainStep is the step as one graph, its gradients by automatic
// differentiation: the reference for every faster one.
func plainStep(backend backends.Backend, m *Model, learningRate float64) (stepper, error) {
	exec, err := context.NewExec(backend, m.ctx, func(ctx *context.Context, pixels, labels, picks *Node) *Node {
		x, label := pick(pixels, labels, picks)
		cost := Cost(m.Head(ctx, m.Features(ctx, x)), label)
		adam(learningRate).UpdateGraph(ctx, cost.Graph(), cost)
		return cost
	})
	if err != nil {
		return nil, fmt.Errorf("cnn: training step: %w", err)
	}
	return func(pixels, labels *tensors.Tensor, p picks) (float64, error) {
		chosen := p.tensor()
		defer chosen.MustFinalizeAll()
		out, err := execute(exec, []*tensors.Tensor{pixels, labels, chosen})
		if err != nil {
			return 0, err
		}
		defer free(out)
		return float64(tensors.ToScalar[float32](out[0])), nil
	}, nil
}
