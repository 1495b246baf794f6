package cam

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/exec"
)

// perturb returns the scores of a method's perturbations of images, [batch,
// perturbations, classes].
func (e *Explainer) perturb(ctx context.Context, j job, x images.Batch) ([]float32, error) {
	scores, err := e.graph(task{method: j.method, output: perturbation, general: true}, func(n chain, in inputs) outputs {
		n.beside = in[3:]
		return e.buildPerturbations(j.spec, n, in[0], in[1], in[2])
	})
	if err != nil {
		return nil, err
	}
	own, err := e.flow(x)
	if err != nil {
		return nil, err
	}
	var all []float32
	for i := range x.N {
		whole := math.MaxInt // what all holds after this image
		for start := 0; len(all) < whole; {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			in := []*tensors.Tensor{pixels(x.Part(i, i+1)), own[0].of(i, x.N), tensors.FromScalar(int32(start))}
			for _, b := range own[1:] {
				in = append(in, b.of(i, x.N))
			}
			out, err := scores.Call(in...)
			if err != nil {
				return nil, err
			}
			d := out.Dims("scores")
			var some []float32
			var count []int32
			if err := out.Read(map[string]any{"scores": &some, "count": &count}); err != nil {
				return nil, err
			}
			whole = (i + 1) * int(count[0]) * d[2]
			all, start = append(all, some[:min(len(some), whole-len(all))]...), start+d[1] // the last run may reach past the end
		}
	}
	return all, nil
}

// array is numbers of a batch of images.
type array struct {
	values []float32
	dims   []int // of one image, after a 1
}

// of returns those of image i, of n.
func (a array) of(i, n int) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(of(a.values, i, n), a.dims...)
}

// flow returns the activations of images and, after them, what passes beside them.
func (e *Explainer) flow(x images.Batch) ([]array, error) {
	name := func(i int) string { return fmt.Sprint("flow", i) }
	forward, err := e.graph(task{output: activations}, func(n chain, in inputs) outputs {
		layers, beside := n.activations(in[0])
		out := make(outputs)
		for i, node := range append(layers[len(layers)-1:], beside...) {
			out[name(i)] = node
		}
		return out
	})
	if err != nil {
		return nil, err
	}
	out, err := forward.Call(pixels(x))
	if err != nil {
		return nil, err
	}
	all, into := make([]array, len(out)), make(map[string]any)
	for i := range all {
		all[i].dims = slices.Clone(out.Dims(name(i)))
		all[i].dims[0] = 1
		into[name(i)] = &all[i].values
	}
	return all, out.Read(into)
}

// buildPerturbations is the graph of a chunk of a method's perturbations of one image,
// from number start on. The image's own activations, and what passes beside them in n, are
// inputs: to compute them beside the perturbations' slows these down.
func (e *Explainer) buildPerturbations(s Spec, n chain, image, act, start *Node) outputs {
	p := newPass(n, image, act)
	count := s.Perturbations.Count(p)
	some := min(count, e.opts.Chunk, exec.Batch)
	which := Add(Iota(image.Graph(), shapes.Make(dtypes.Int32, some), 0), start)
	which = MinScalar(which, float64(count-1))
	return outputs{"scores": s.Perturbations.Scores(p, which), "count": Const(image.Graph(), int32(count))}
}
