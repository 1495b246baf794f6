package cnn

import (
	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/gomlx/gomlx/pkg/ml/context"
)

// Sample prepares a piece of a training step, the gradients of conv4 to conv1 for a
// chunk of images that mean nothing, and returns the function that does it once: a
// stopwatch beside it tells how fast a backend is with its settings. It has been
// compiled and run when Sample returns.
func Sample(backend backends.Backend) (func() error, error) {
	s, err := newStages(backend, New(1))
	if err != nil {
		return nil, err
	}
	many := func(count int, dims ...int) (all []*tensors.Tensor) {
		for range count {
			values := make([]float32, shapes.Make(dtypes.Float32, dims...).Size())
			for i := range values {
				values[i] = float32(i%7) / 7
			}
			all = append(all, tensors.FromFlatDataAndDimensions(values, dims...))
		}
		return all
	}
	const n = cached
	d := join(many(inputCount, 128, 128), many(planeCount, n, 4, 4, 128), many(inputCount, n*4*4, 128))
	e := join(many(1, n, 32, 32, 3), many(2, n, 32, 32, 32), many(1, n, 16, 16, 32), many(1, n, 16, 16, 128), many(planeCount, n, 4, 4, 128))
	run := func() error {
		for _, part := range []struct {
			exec *context.Exec
			in   []*tensors.Tensor
		}{{s.d, d}, {s.e, e}} {
			out, err := execute(part.exec, part.in)
			if err != nil {
				return err
			}
			out[0].MustConstFlatData(func(any) {}) // waits for it
			free(out)
		}
		return nil
	}
	return run, run()
}
