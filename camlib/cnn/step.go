package cnn

import (
	"fmt"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
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
		ifFinite(ctx, cost, func() { adam(learningRate).UpdateGraph(ctx, cost.Graph(), cost) })
		return cost
	})
	if err != nil {
		return nil, fmt.Errorf("cnn: training step: %w", err)
	}
	return func(pixels, labels *tensors.Tensor, p picks) (float64, error) {
		chosen := p.tensor()
		defer chosen.MustFinalizeAll()
		out, err := execute(exec, pixels, labels, chosen)
		if err != nil {
			return 0, err
		}
		defer free(out)
		return float64(tensors.ToScalar[float32](out[0])), nil
	}, nil
}

// ifFinite makes an update that leaves the weights as they are where the cost is
// not finite, so that the fault can be looked for in the network that has it.
func ifFinite(ctx *context.Context, cost *Node, update func()) {
	before := make(map[*context.Variable]*Node)
	for v := range ctx.IterVariables() {
		if v.Trainable {
			before[v] = v.ValueGraph(cost.Graph())
		}
	}
	update()
	finite := IsFinite(cost)
	for v := range ctx.IterVariables() {
		if old := before[v]; old != nil {
			v.SetValueGraph(Where(finite, v.ValueGraph(cost.Graph()), old))
		}
	}
}

// update makes Adam's update of all layers, given their gradients as [byHand]
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
func execute(exec *context.Exec, in ...*tensors.Tensor) ([]*tensors.Tensor, error) {
	var args []any
	for _, t := range in {
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
