package cam

import (
	"context"
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
		return e.buildPerturbations(j.spec, n, in[0], in[1], in[2])
	})
	if err != nil {
		return nil, err
	}
	forward, err := e.graph(task{output: activations}, func(n chain, in inputs) outputs {
		layers := n.activations(in[0])
		return outputs{"act": layers[len(layers)-1]}
	})
	if err != nil {
		return nil, err
	}
	out, err := forward.Call(pixels(x))
	if err != nil {
		return nil, err
	}
	dims := slices.Clone(out.Dims("act"))
	dims[0] = 1
	var acts []float32
	if err := out.Read(map[string]any{"act": &acts}); err != nil {
		return nil, err
	}
	var all []float32
	for i := range x.N {
		whole := math.MaxInt // what all holds after this image
		for start := 0; len(all) < whole; {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			act := tensors.FromFlatDataAndDimensions(of(acts, i, x.N), dims...)
			out, err := scores.Call(pixels(x.Part(i, i+1)), act, tensors.FromScalar(int32(start)))
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

// buildPerturbations is the graph of a chunk of a method's perturbations of one image,
// from number start on. The image's own activations are an input: to compute them beside
// the perturbations' slows these down.
func (e *Explainer) buildPerturbations(s Spec, n chain, image, act, start *Node) outputs {
	p := newPass(n, image, act)
	count := s.Perturbations.Count(p)
	some := min(count, e.opts.Chunk, exec.Batch)
	which := Add(Iota(image.Graph(), shapes.Make(dtypes.Int32, some), 0), start)
	which = MinScalar(which, float64(count-1))
	return outputs{"scores": s.Perturbations.Scores(p, which), "count": Const(image.Graph(), int32(count))}
}
