package train

import (
	"fmt"
	"math"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/nlpodyssey/safetensors"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/weights"
)

// parameter is one of the tensors that change in a training: the variables of the
// network, and what the training keeps beside them.
type parameter struct {
	name  string // the path in the store, without a slash before it
	shape shapes.Shape
	kind  string // firstMoment, secondMoment, average; "" is a variable of the network
	of    string // the path of the variable beside which it is kept
}

func (p parameter) path() string { return model.ScopeSeparator + p.name }

// parameters lists what changes in a training of a network.
func parameters(net *network.Network, u update) (all []parameter) {
	for v := range net.Variables() {
		all = append(all, parameter{name: strings.TrimPrefix(v.Path(), model.ScopeSeparator), shape: v.Shape()})
		keep := func(kind string) {
			name := strings.TrimPrefix(kept(kind, v.Path()), model.ScopeSeparator)
			all = append(all, parameter{name, shapes.Make(dtypes.Float32, v.Shape().Dimensions...), kind, v.Path()})
		}
		if v.Trainable {
			for _, moment := range u.optimizer.moments() {
				keep(moment)
			}
		}
		if u.average > 0 && v.DType() == dtypes.Float32 {
			keep(average)
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
		if p.kind == secondMoment {
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

// valuesOf returns copies of the parameters' values.
func valuesOf(store *model.Store, all []parameter) (values, error) {
	v := make(values)
	for _, p := range all {
		t, err := store.GetVariable(p.path()).Value()
		if err == nil {
			v[p.name], err = weights.FromTensor(t)
		}
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", p.name, err)
		}
	}
	return v, v.check(all)
}

// set sets the parameters, of which v has all.
func (v values) set(store *model.Store, all []parameter) error {
	for _, p := range all {
		value, err := weights.Tensor(v[p.name], p.shape)
		if err == nil {
			err = store.GetVariable(p.path()).SetValue(value)
		}
		if err != nil {
			return fmt.Errorf("tensor %q: %w", p.name, err)
		}
	}
	return nil
}
