package cam

import (
	"context"
	"fmt"
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
	theirs := func(input int) bool { return input == 2 } // rows that devices share: the perturbations
	scores, err := e.graph(task{method: j.method, output: perturbation, general: true}, theirs, func(n chain, in inputs) outputs {
		n.beside = in[3:]
		return outputs{"scores": j.spec.Perturbations.Scores(newPass(n, in[0], in[1]), in[2])}
	})
	if err != nil {
		return nil, err
	}
	own, err := e.flow(x)
	if err != nil {
		return nil, err
	}
	count, err := e.count(j, x)
	if err != nil {
		return nil, err
	}
	var all []float32
	run := min(count, e.opts.Chunk, exec.Batch*e.devices.Count())
	for i := range x.N {
		for start := 0; start < count; start += run {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			which := make([]int32, run)
			for k := range which {
				which[k] = int32(min(start+k, count-1)) // the last run may reach past the end
			}
			// The image's own activations, and what passes beside them, are inputs: to compute
			// them beside the perturbations' slows these down.
			in := []*tensors.Tensor{pixels(x.Part(i, i+1)), own[0].of(i, x.N), tensors.FromFlatDataAndDimensions(which, run)}
			for _, b := range own[1:] {
				in = append(in, b.of(i, x.N))
			}
			out, err := scores.Call(in...)
			if err != nil {
				return nil, err
			}
			classes := out.Dims("scores")[2]
			var some []float32
			if err := out.Read(map[string]any{"scores": &some}); err != nil {
				return nil, err
			}
			all = append(all, some[:classes*min(run, count-start)]...)
		}
	}
	return all, nil
}

// perturbedImage is what the number of a method's perturbations depends on.
type perturbedImage struct {
	method Method
	size   images.Size
}

// count is how many perturbations a method has of an image. The network is built for it, not
// compiled.
func (e *Explainer) count(j job, x images.Batch) (int, error) {
	return e.counts.Get(perturbedImage{j.method, x.Size()}, func() (n int, err error) {
		err = e.sketch(x.Size(), func(p *Pass) { n = j.spec.Perturbations.Count(p) })
		return n, err
	})
}

// sketch builds the network for an image of a size, compiles nothing, and hands on its pass.
func (e *Explainer) sketch(size images.Size, look func(p *Pass)) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			err = r
		default:
			err = fmt.Errorf("network: %v", r)
		}
	}()
	g := NewGraph(e.backend, "sketch")
	defer g.Finalize()
	x := Parameter(g, "x", shapes.Make(dtypes.Float32, 1, size.Height, size.Width, size.Channels))
	look(newForward(e.chain(e.net.Store.RootScope(), nil), x))
	return nil
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
	forward, err := e.graph(task{output: activations}, exec.AllShared, func(n chain, in inputs) outputs {
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
