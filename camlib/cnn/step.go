package cnn

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/camlab-go/camlab/internal/compiled"
)

// A stepper makes one training step: it takes the whole data set and the
// picks of a batch, updates the model's variables, and returns the cost
// before the update.
type stepper func(pixels, labels *tensors.Tensor, p picks) (cost float64, err error)

// newStep prepares a stepper.
type newStep func(backend compute.Backend, m *Model, learningRate float64) (stepper, error)

// adam is the optimiser of every step (Kingma & Ba 2014, arXiv:1412.6980).
func adam(learningRate float64) optimizer.Interface {
	return optimizer.Adam().LearningRate(learningRate).Done()
}

// plainStep is the step as one graph, its gradients by automatic
// differentiation: the reference for every faster one.
func plainStep(backend compute.Backend, m *Model, learningRate float64) (stepper, error) {
	exec, err := model.NewExec(backend, m.store, func(scope *model.Scope, pixels, labels, picks *Node) *Node {
		x, label := pick(pixels, labels, picks)
		cost := Cost(m.Head(scope, m.Features(scope, x)), label)
		ifFinite(scope, cost, func() { adam(learningRate).UpdateGraph(scope, cost.Graph(), cost) })
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
func ifFinite(scope *model.Scope, cost *Node, update func()) {
	before := make(map[*model.Variable]*Node)
	for v := range scope.IterVariables() {
		if v.Trainable {
			before[v] = v.NodeValue(cost.Graph())
		}
	}
	update()
	finite := IsFinite(cost)
	for v := range scope.IterVariables() {
		if old := before[v]; old != nil {
			v.SetNodeValue(Where(finite, v.NodeValue(cost.Graph()), old))
		}
	}
}

// update makes Adam's update of all layers, given their gradients as [byHand]
// orders them.
func update(scope *model.Scope, learningRate float64, grads []*Node) {
	byName := make(map[string]*Node)
	for i, l := range layers {
		of := grads[2*(len(layers)-1-i):]
		byName[model.ScopeSeparator+l.scope+model.ScopeSeparator+"weights"] = of[0]
		byName[model.ScopeSeparator+l.scope+model.ScopeSeparator+"biases"] = of[1]
	}
	var ordered []*Node // as Adam goes through them
	for v := range scope.IterVariables() {
		if grad, ok := byName[v.Path()]; ok {
			v.NodeValue(grad.Graph()) // makes it one of the graph's variables
			ordered = append(ordered, grad)
		}
	}
	adam(learningRate).(interface {
		UpdateGraphWithGradients(scope *model.Scope, grads []*Node, dtype dtypes.DType)
	}).UpdateGraphWithGradients(scope, ordered, dtypes.Float32)
}

// execute runs a part of a step.
func execute(exec *model.Exec, in ...*tensors.Tensor) ([]*tensors.Tensor, error) {
	var args []any
	for _, t := range in {
		args = append(args, t)
	}
	out, err := exec.Call(args...)
	if err != nil {
		return nil, fmt.Errorf("cnn: training step: %w", compiled.Cause(err))
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
