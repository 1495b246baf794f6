package cnn

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/internal/compiled"
)

// Sample prepares a piece of a training step, the gradients for a chunk of the sample's
// images, and returns the function that does it once: a stopwatch beside it tells how
// fast a backend is with its settings. It has been compiled and run when Sample returns.
func Sample(backend compute.Backend) (func() error, error) {
	exec, err := byHandGradients(backend, New(1))
	if err != nil {
		return nil, err
	}
	ds := cifar10.Sample()
	in := []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(ds.Pixels, ds.Len(), cifar10.Height, cifar10.Width, cifar10.Channels),
		tensors.FromFlatDataAndDimensions(ds.Labels, ds.Len()), FlipCrop.epochPicks(ds.Len(), 1, 0)[:4*compiled.Batch].tensor(), tensors.FromScalar(float32(1)),
	}
	run := func() error {
		out, err := execute(exec, in...)
		if err != nil {
			return err
		}
		out[0].MustConstFlatData(func(any) {}) // waits for it
		free(out)
		return nil
	}
	return run, run()
}
