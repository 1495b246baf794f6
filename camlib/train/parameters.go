package train

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/nlpodyssey/safetensors"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/weights"
)

// parameter is one of the tensors that change in a training: the variables of the
// network, and Adam's two moments of each that is trained.
type parameter struct {
	name   string // the path in the store, without a slash before it
	shape  shapes.Shape
	moment int // 1 or 2; 0 is a variable of the network
}

func (p parameter) path() string { return model.ScopeSeparator + p.name }

// parameters lists what changes in a training of a network.
func parameters(net *network.Network) (all []parameter) {
	for v := range net.Variables() {
		name := strings.TrimPrefix(v.Path(), model.ScopeSeparator)
		all = append(all, parameter{name, v.Shape(), 0})
		if v.Trainable {
			shape := shapes.Make(dtypes.Float32, v.Shape().Dimensions...)
			moments := optimizer.AdamDefaultScope + model.ScopeSeparator + name
			all = append(all, parameter{moments + "_1st_moment", shape, 1}, parameter{moments + "_2nd_moment", shape, 2})
		}
	}
	return all
}

// values are the parameters of a training, by their names.
type values map[string]safetensors.TensorView

// check returns an error if a parameter is missing or has another shape or type, or if no
// training goes on from a value of it.
func (v values) check(all []parameter) error {
	for _, p := range all {
		view, ok := v[p.name]
		if !ok {
			return fmt.Errorf("no tensor %q", p.name)
		}
		if err := weights.Fits(view, p.shape); err != nil {
			return fmt.Errorf("tensor %q: %w", p.name, err)
		}
		least := math.Inf(-1)
		if p.moment == 2 {
			least = 0
		}
		switch at, bad := weights.Bad(view, least); {
		case at >= 0 && bad < 0 && bad-bad == 0:
			return fmt.Errorf("tensor %q: value %d is %.4g, want 0 or more: a mean of squares", p.name, at, bad)
		case at >= 0:
			return fmt.Errorf("tensor %q: %w", p.name, weights.Finite(view))
		}
	}
	return nil
}

// valuesOf returns copies of the parameters' values. Moments that Adam has not made yet are
// zero, as it makes them.
func valuesOf(store *model.Store, all []parameter) (values, error) {
	v := make(values)
	for _, p := range all {
		var err error
		if variable := store.GetVariable(p.path()); variable == nil && p.moment > 0 {
			v[p.name], err = weights.Zeros(p.shape)
		} else {
			var t *tensors.Tensor
			if t, err = variable.Value(); err == nil {
				v[p.name], err = weights.FromTensor(t)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", p.name, err)
		}
	}
	return v, v.check(all)
}

// set sets the parameters, of which v has all, and makes moments.
func (v values) set(store *model.Store, all []parameter) error {
	for _, p := range all {
		value, err := weights.Tensor(v[p.name], p.shape)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", p.name, err)
		}
		if variable := store.GetVariable(p.path()); variable == nil {
			store.VariableWithValue(p.name, value).SetTrainable(false)
		} else if err := variable.SetValue(value); err != nil {
			return fmt.Errorf("tensor %q: %w", p.name, err)
		}
	}
	return nil
}

// setSteps sets the optimizer's counters, on which Adam's bias correction depends, to the
// number of steps done.
func setSteps(store *model.Store, steps int64) error {
	adams := store.VariableWithValue(model.JoinPath(optimizer.AdamDefaultScope, "step"), float32(0)).SetTrainable(false)
	return errors.Join(
		optimizer.GetGlobalStepVar(store).SetValue(tensors.FromScalar(steps)),
		adams.SetValue(tensors.FromScalar(float32(steps))))
}

// clearOptimizer removes the optimizer's variables from a store.
func clearOptimizer(store *model.Store) error {
	return errors.Join(
		store.DeleteVariablesInScope(optimizer.Scope),
		store.DeleteVariablesInScope(optimizer.AdamDefaultScope),
		optimizer.DeleteGlobalStep(store))
}
