package article

import (
	"math/rand/v2"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/exec"
	"github.com/camlab-go/camlab/internal/nn"
)

// Sample prepares a piece of a training step, the gradients for a chunk of images of
// noise, and returns the function that does it once: a stopwatch beside it tells how fast
// a backend is with its settings. It has been compiled and run when Sample returns.
func Sample(backend compute.Backend) (func() error, error) {
	net := New(1)
	piece, err := exec.New(backend, net.Store, func(scope *model.Scope, in []*graph.Node) exec.Outputs {
		target := graph.OneHot(graph.ConvertDType(in[1], dtypes.Int32), len(classes), dtypes.Float32)
		loss, all := net.Gradients(scope, nn.FromBytes(in[0]), target, graph.ScalarOne(in[0].Graph(), dtypes.Float32))
		all["loss"] = loss
		return all
	})
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(1, 0))
	pixels, labels := make([]uint8, exec.Batch*net.Input.Values()), make([]uint8, exec.Batch)
	for i := range pixels {
		pixels[i] = uint8(rng.Uint32())
	}
	for i := range labels {
		labels[i] = uint8(i % len(classes))
	}
	s := net.Input.Size
	run := func() error {
		out, err := piece.Call(
			tensors.FromFlatDataAndDimensions(pixels, exec.Batch, s.Height, s.Width, s.Channels),
			tensors.FromFlatDataAndDimensions(labels, exec.Batch))
		if err != nil {
			return err
		}
		var loss []float32
		return out.Read(map[string]any{"loss": &loss})
	}
	return run, run()
}
