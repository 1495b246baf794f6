package train

import (
	"context"
	"fmt"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/internal/exec"
	"github.com/camlab-go/camlab/internal/failure"
	"github.com/camlab-go/camlab/internal/nn"
	"github.com/camlab-go/camlab/internal/overflow"
)

// Evaluator runs a network over data sets. It compiles once per batch size and may be
// used by one goroutine at a time.
type Evaluator struct {
	// Flips takes for each image the mean of the scores of the image and of its mirror image,
	// which costs twice as much; to be set before the first evaluation.
	Flips bool

	net     *network.Network
	backend compute.Backend
	graph   *exec.Graph
	devices *exec.Devices
}

// NewEvaluator prepares a network for evaluation on a backend. The network may be trained
// between two evaluations.
func NewEvaluator(backend compute.Backend, net *network.Network) (*Evaluator, error) {
	return NewEvaluatorOn(backend, net, 1)
}

// NewEvaluatorOn is NewEvaluator on several devices of the backend, which share the images.
// The scores are those of one device up to rounding. It fails when there are fewer devices.
func NewEvaluatorOn(backend compute.Backend, net *network.Network, devices int) (*Evaluator, error) {
	if err := net.Check(); err != nil {
		return nil, fmt.Errorf("train: evaluate: %w", err)
	}
	e := &Evaluator{net: net, backend: backend}
	var err error
	if e.devices, err = exec.Among(backend, devices); err != nil {
		return nil, fmt.Errorf("train: evaluate: %w", err)
	}
	e.graph, err = exec.NewOn(e.devices, exec.AllShared, backend, net.Store, func(scope *model.Scope, in []*Node) exec.Outputs {
		x := nn.FromBytes(in[0])
		scores := net.Forward(scope, x)
		if e.Flips {
			scores = MulScalar(Add(scores, net.Forward(scope, Reverse(x, 2))), 0.5)
		}
		return exec.Outputs{"scores": scores}
	})
	if err != nil {
		return nil, fmt.Errorf("train: evaluate: %w", err)
	}
	return e, nil
}

// Scores returns the network's scores (before softmax) for all images of a data set,
// [n, classes] row by row. It stops with the context's error when that is done, and
// fails, naming the layer, where activations or scores are infinite or NaN.
func (e *Evaluator) Scores(ctx context.Context, ds images.Dataset) ([]float32, error) {
	var scores []float32
	all := images.Len(ds)
	batch := e.devices.ChunkSize(all, exec.Batch)
	for start := 0; start < all; start += batch {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("train: evaluate: stopped after %d of %d images: %w", start, all, err)
		}
		s, err := e.batch(ds, start, min(start+batch, all))
		if err != nil {
			return nil, err
		}
		scores = append(scores, s...)
	}
	return scores, nil
}

// batch returns the scores of the images from start to end.
func (e *Evaluator) batch(ds images.Dataset, start, end int) ([]float32, error) {
	fail := func(err error) ([]float32, error) {
		return nil, fmt.Errorf("train: evaluate: images from %d: %w", start, err)
	}
	n, size := end-start, ds.Size()
	pixels := make([]uint8, n*size.Values())
	for i := range n {
		if err := ds.Read(start+i, pixels[i*size.Values():(i+1)*size.Values()]); err != nil {
			return fail(err)
		}
	}
	tensor := func() *tensors.Tensor {
		return tensors.FromFlatDataAndDimensions(pixels, n, size.Height, size.Width, size.Channels)
	}
	out, err := e.graph.Call(tensor())
	if err != nil {
		return fail(err)
	}
	var s []float32
	if err := out.Read(map[string]any{"scores": &s}); err != nil {
		return fail(err)
	}
	bad := failure.NotFinite(s)
	if bad < 0 {
		return s, nil
	}
	at, part, err := overflow.Find(e.backend, e.net.Store, n, func(scope *model.Scope, in []*Node, p *overflow.Parts) {
		e.net.Note(scope, nn.FromBytes(in[0]), "", p)
	}, tensor())
	if err != nil || part == "" {
		at, part = bad/(len(s)/n), "the scores"
	}
	return nil, fmt.Errorf("train: evaluate: image %d: %s", start+at, overflow.Message(part))
}

// Evaluate evaluates the network on all images of a data set. It fails when there are
// none, and when the network has other classes.
func (e *Evaluator) Evaluate(ctx context.Context, ds images.Dataset) (*score.Evaluation, error) {
	if err := images.CheckDataset(ds); err != nil {
		return nil, fmt.Errorf("train: evaluate: %w", err)
	}
	scores, err := e.Scores(ctx, ds)
	if err != nil {
		return nil, err
	}
	ev, err := score.Evaluate(scores, images.Labels(ds), ds.Classes())
	if err != nil {
		return nil, fmt.Errorf("train: evaluate: %w", err)
	}
	return ev, nil
}
