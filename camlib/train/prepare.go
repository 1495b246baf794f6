package train

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/weights"
)

// prepare makes a network ready for a training on images like those of a data set: it
// builds it once, which makes the variables that its layers make, and gives those without
// a value one by their initializers. It fails where the network does not take the images
// or gives other classes.
//
// The random numbers of the initializers, and those of the training, as of dropout, are
// those of the seed.
func prepare(backend compute.Backend, net *network.Network, ds images.Dataset, seed int64) error {
	random := model.JoinPath(model.RootScopePath, model.RNGStateVariableName)
	had := false
	if net != nil && net.Store != nil {
		had = net.Store.GetVariable(random) != nil
		if err := initialize(backend, net.Store, seed); err != nil {
			return err
		}
	}
	if err := net.Check(); err != nil {
		return err
	}
	drawn, err := build(backend, net, ds)
	if err != nil {
		return err
	}
	if err := initialize(backend, net.Store, seed); err != nil {
		return err
	}
	switch {
	case drawn:
		err = net.Store.SetRNGStateFromSeed(seed)
	case !had:
		err = net.Store.DeleteVariable(random)
	}
	if err != nil {
		return err
	}
	for v := range net.Store.IterVariables() {
		if err := weights.CheckShape(v.Shape()); err != nil {
			return fmt.Errorf("variable %s: %w", v.Path(), err)
		}
	}
	return nil
}

// initialize gives the variables without a value one.
func initialize(backend compute.Backend, store *model.Store, seed int64) error {
	for v := range store.IterVariables() {
		if !v.HasValue() {
			if err := store.SetRNGStateFromSeed(seed); err != nil {
				return err
			}
			return store.InitializeVariables(backend, nil)
		}
	}
	return nil
}

// build builds a network for training and for evaluation, without running it, and reports
// whether it draws random numbers in training.
func build(backend compute.Backend, net *network.Network, ds images.Dataset) (drawn bool, err error) {
	size, classes := ds.Size(), len(ds.Classes())
	const n = 2
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s does not take images of %s: %v", net.Name, size, r)
		}
	}()
	for _, training := range []bool{true, false} {
		g := NewGraph(backend, "prepare")
		defer g.Finalize()
		net.Store.SetTraining(g, training)
		scores := net.Forward(net.Store.RootScope(), Parameter(g, "x", shapes.Make(dtypes.Float32, n, size.Height, size.Width, size.Channels)))
		if d := scores.Shape().Dimensions; !slices.Equal(d, []int{n, classes}) {
			return false, fmt.Errorf("%s gives scores shaped %v for %d images, want [%d, %d]: one for each of the data set's classes", net.Name, d, n, n, classes)
		}
		random := net.Store.GetVariable(model.JoinPath(model.RootScopePath, model.RNGStateVariableName))
		drawn = drawn || training && random != nil && random.InUseByGraph(g)
	}
	return drawn, nil
}
