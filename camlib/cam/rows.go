package cam

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/exec"
)

// A graph with an equation for each of a thousand classes would be compiled for hours. So the
// maps of many classes are made row by row: a row is a class of an image, with the image's
// activations, which the network computes once.

// manyMaps are too many of an image for one graph.
const manyMaps = 17

// rowBytes bounds the activations of the rows of one run.
const rowBytes = 256 << 20

// row is a map to be made: of the image of a batch, for a class or asPredicted.
type row struct {
	image int
	class int32
}

// inRows returns how many maps an image has if they are to be made row by row, otherwise 0.
func (e *Explainer) inRows(j job, size images.Size) (int, error) {
	if !j.spec.Local || j.spec.Perturbations != nil && j.general || j.output != allClasses && j.output != topClasses {
		return 0, nil
	}
	classes, err := e.widths.Get(size, func() (n int, err error) {
		err = e.sketch(size, func(p *Pass) { n = p.Classes() })
		return n, err
	})
	if err != nil {
		return 0, err
	}
	k := classes
	if j.output == topClasses {
		k = j.target.k
		if err := checkTop(k, classes, j.spec.Name); err != nil {
			return 0, err
		}
	}
	if k < manyMaps {
		return 0, nil
	}
	return k, nil
}

// rows makes k maps of each image.
func (e *Explainer) rows(ctx context.Context, j job, p part, k int) (b batch, err error) {
	own, err := e.flow(p.x)
	if err != nil {
		return b, err
	}
	one := j
	one.output = oneClass
	t := one.task()
	t.output = classRows
	g, err := e.graph(t, exec.AllShared, func(n chain, in inputs) outputs {
		n.beside = in[3:]
		return one.outputs(newPass(n, nil, in[0]), in[1], in[2])
	})
	if err != nil {
		return b, err
	}
	bytes := 0
	for _, a := range own {
		bytes += 4 * len(a.values) / p.x.N
	}
	step := e.devices.ChunkSize(p.x.N*k, max(1, min(e.opts.Chunk, rowBytes/bytes)))
	run := func(rows []row) (batch, error) { return e.runRows(ctx, g, own, p.x.N, step, rows) }
	var all []row
	if j.output == allClasses {
		for i := range p.x.N {
			for c := range k {
				all = append(all, row{i, int32(c)})
			}
		}
	} else {
		for i := range p.x.N {
			all = append(all, row{i, asPredicted})
		}
		first, err := run(all)
		if err != nil {
			return b, err
		}
		all = all[:0]
		for i := range p.x.N {
			for _, c := range byScore(of(first.scores, i, p.x.N))[:k] {
				all = append(all, row{i, int32(c)})
			}
		}
	}
	if b, err = run(all); err != nil {
		return b, err
	}
	return b.ofImages(p.x.N, k), nil
}

// byScore are the classes, the highest first and of equals the first first.
func byScore(scores []float32) []int {
	order := make([]int, len(scores))
	for c := range order {
		order[c] = c
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	return order
}

// runRows makes the maps of rows of n images whose activations, and what passes beside them,
// are known, step of them at a time.
func (e *Explainer) runRows(ctx context.Context, g *exec.Graph, own []array, n, step int, rows []row) (all batch, err error) {
	for start := 0; start < len(rows); start += step {
		if err := ctx.Err(); err != nil {
			return all, err
		}
		some := slices.Clone(rows[start:min(start+step, len(rows))])
		known := len(some)
		for len(some) < step { // rather than have another graph compiled
			some = append(some, some[0])
		}
		classes, rivals := make([]int32, step), slices.Repeat([]int32{noRival}, step)
		for i, r := range some {
			classes[i] = r.class
		}
		in := []*tensors.Tensor{own[0].rows(some, n), tensors.FromFlatDataAndDimensions(classes, step), tensors.FromFlatDataAndDimensions(rivals, step)}
		for _, beside := range own[1:] {
			in = append(in, beside.rows(some, n))
		}
		out, err := g.Call(in...)
		if err != nil {
			return all, err
		}
		b, err := read(out)
		if err != nil {
			return all, err
		}
		all.add(b.rows(0, known, step))
	}
	return all, nil
}

// rows are those of some images, of n, one after the other.
func (a array) rows(some []row, n int) *tensors.Tensor {
	var values []float32
	for _, r := range some {
		values = append(values, of(a.values, r.image, n)...)
	}
	return tensors.FromFlatDataAndDimensions(values, append([]int{len(some)}, a.dims[1:]...)...)
}

// add adds the rows of another batch.
func (b *batch) add(c batch) {
	b.height, b.width, b.classes, b.k = c.height, c.width, c.classes, c.k
	b.maps, b.scores = append(b.maps, c.maps...), append(b.scores, c.scores...)
	b.predicted, b.chosen = append(b.predicted, c.predicted...), append(b.chosen, c.chosen...)
	b.finite, b.misfit = append(b.finite, c.finite...), append(b.misfit, c.misfit...)
	b.score, b.marks, b.total = append(b.score, c.score...), append(b.marks, c.marks...), append(b.total, c.total...)
}

// ofImages makes of k rows of each of n images the batch of these: what a row says of its image
// is kept once, and an image is as unfit as its worst row.
func (b batch) ofImages(n, k int) batch {
	images := b
	images.k, images.scores, images.predicted, images.finite, images.misfit = k, nil, nil, nil, nil
	for i := range n {
		of := b.rows(i*k, (i+1)*k, n*k)
		images.scores = append(images.scores, of.scores[:b.classes]...)
		images.predicted = append(images.predicted, of.predicted[0])
		finite := true
		for _, f := range of.finite {
			finite = finite && f
		}
		images.finite = append(images.finite, finite)
		if b.misfit != nil {
			images.misfit = append(images.misfit, worstOf(of.misfit))
		}
	}
	return images
}

// worstOf is the largest value, or NaN if one is.
func worstOf(values []float32) float32 {
	worst := float32(0)
	for _, v := range values {
		if math.IsNaN(float64(v)) {
			return v
		}
		worst = max(worst, v)
	}
	return worst
}
