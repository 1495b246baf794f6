package cam

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/exec"
	"github.com/camlab-go/camlab/internal/failure"
)

// job is what an explainer is to do with images.
type job struct {
	method  Method
	spec    Spec // the method's
	target  Target
	output  output
	general bool // whether gradients and perturbations are taken and not the closed form
}

// part is some images of a call, by their numbers there, and what is explained of them.
type part struct {
	x       images.Batch
	goals   goals
	numbers []int
}

// cut returns the images from start to end.
func (p part) cut(start, end int) part {
	return part{p.x.Part(start, end), p.goals.part(start, end), p.numbers[start:end]}
}

// only returns the images at some places.
func (p part) only(places []int) part {
	q := part{x: images.NewBatch(len(places), p.x.Size())}
	q.x.Raw = p.x.Raw
	size := p.x.Size().Values()
	for k, i := range places {
		copy(q.x.Pixels[k*size:], p.x.Pixels[i*size:(i+1)*size])
		q.goals.classes = append(q.goals.classes, p.goals.classes[i])
		q.goals.rivals = append(q.goals.rivals, p.goals.rivals[i])
		q.numbers = append(q.numbers, p.numbers[i])
	}
	return q
}

// inputs are a graph's, but for the scores of a method's perturbations.
func (p part) inputs() []*tensors.Tensor {
	return []*tensors.Tensor{
		pixels(p.x),
		tensors.FromFlatDataAndDimensions(p.goals.classes, p.x.N),
		tensors.FromFlatDataAndDimensions(p.goals.rivals, p.x.N),
	}
}

func pixels(x images.Batch) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(x.Pixels, x.N, x.Height, x.Width, x.Channels)
}

// explain makes the maps of a job, in closed form where there is one and it holds. An
// image for which it does not takes the general form, whatever the others do.
func (e *Explainer) explain(ctx context.Context, j job, x images.Batch) (*Result, *ClassMaps, error) {
	goals, err := j.target.resolve(x.N, e.net)
	if err != nil {
		return nil, nil, err
	}
	whole := part{x, goals, make([]int, x.N)}
	for i := range whole.numbers {
		whole.numbers[i] = i
	}
	j.general = j.spec.Linear == nil || e.opts.General || j.spec.Sums && !j.target.form.additive()
	if !j.general {
		close, err := e.mayClose(x.Size())
		if err != nil {
			return nil, nil, named(err, j)
		}
		j.general = !close
	}
	step := e.step(j, x.N)
	r, more, missed, err := e.run(ctx, j, whole, step)
	if err != nil {
		return nil, nil, err
	}
	if missed != nil {
		j.general = true
		if step = e.step(j, len(missed)); len(missed) < step || j.spec.Perturbations != nil {
			step = 1 // rather than have a graph compiled for each number of them
		}
		general, _, _, err := e.run(ctx, j, whole.only(missed), step)
		if err != nil {
			return nil, nil, err
		}
		r.replace(missed, general)
	}
	for _, c := range goals.rivals {
		if j.target.rivals != nil {
			r.Rival = append(r.Rival, int(c))
		}
	}
	return r, more, nil
}

// step is how many images, of n, go through one run of a job's graph.
func (e *Explainer) step(j job, n int) int {
	batch := e.opts.Batch
	switch {
	case batch > 0:
	case n > 1 && e.net.Alone() != nil:
		batch = 1
	default:
		batch = exec.Batch * e.devices.Count()
	}
	switch {
	case !j.general:
		return batch
	case j.spec.Perturbations != nil:
		// Perturbations run one image at a time, and none twice for the last run's sake.
		step := min(batch, e.opts.Chunk, 8, n)
		for n%step != 0 {
			step--
		}
		return step
	case j.spec.Attention && e.net.Attention.Batch > 0:
		return min(batch, e.net.Attention.Batch)
	case j.spec.Copies > 0:
		return min(batch, max(1, e.opts.Chunk/j.spec.Copies))
	}
	return batch
}

// run makes the maps of images, step of them at a time, and returns with them the places of
// those whose maps are of no use, because the closed form does not hold for them.
func (e *Explainer) run(ctx context.Context, j job, p part, step int) (*Result, *ClassMaps, []int, error) {
	r := &Result{Method: j.spec.Name, N: p.x.N}
	more := &ClassMaps{}
	var missed []int
	for start := 0; start < p.x.N; {
		if err := ctx.Err(); err != nil {
			return nil, nil, nil, fmt.Errorf("cam: %s: stopped after %d of %d images: %w", j.spec.Name, start, p.x.N, err)
		}
		end := min(start+step, p.x.N)
		begin := max(0, end-step) // the last run goes over some images again rather than have another graph compiled
		b, err := e.batch(ctx, j, p.cut(begin, end))
		b = b.rows(start-begin, end-begin, end-begin)
		var bad []int
		if err == nil {
			bad, err = b.check(j, p.cut(start, end))
		}
		if err = e.locate(err, j, p.cut(begin, end), b, start-begin); err != nil {
			return nil, nil, nil, named(err, j)
		}
		for _, i := range bad {
			missed = append(missed, start+i)
		}
		r.add(b, j)
		more.Act = append(more.Act, b.act...)
		more.Weights, more.Bias = b.weights, b.bias
		start = end
	}
	more.Channels = len(more.Weights) / r.NumClasses
	return r, more, missed, nil
}

// named adds the method's name to an error that does not say all.
func named(err error, j job) error {
	if failure.Is(err) {
		return err
	}
	return fmt.Errorf("cam: %s: %w", j.spec.Name, err)
}

// batch runs a job on images that fit in one run.
func (e *Explainer) batch(ctx context.Context, j job, p part) (b batch, err error) {
	k, err := e.inRows(j, p.x.Size())
	if err != nil {
		return b, err
	}
	if k > 0 {
		return e.rows(ctx, j, p, k)
	}
	g, err := e.graph(j.task(), exec.AllShared, func(n chain, in inputs) outputs { return build(j, n, in) })
	if err != nil {
		return b, err
	}
	in := p.inputs()
	var perturbed []float32
	if j.spec.Perturbations != nil && j.general {
		if perturbed, err = e.perturb(ctx, j, p.x); err != nil {
			return b, err
		}
		in = append(in, tensors.FromFlatDataAndDimensions(perturbed, p.x.N, len(perturbed)/p.x.N))
	}
	out, err := g.Call(in...)
	if err != nil {
		return b, err
	}
	if b, err = read(out); err != nil {
		return b, err
	}
	b.perturbed = perturbed
	return b, nil
}

// read reads what a graph of [job.outputs] returned.
func read(out exec.Values) (batch, error) {
	d := out.Dims("maps")
	b := batch{k: d[1], height: d[2], width: d[3], classes: out.Dims("scores")[1]}
	return b, out.Read(map[string]any{
		"maps": &b.maps, "scores": &b.scores, "predicted": &b.predicted, "chosen": &b.chosen, "finite": &b.finite, "misfit": &b.misfit,
		"score": &b.score, "marks": &b.marks, "total": &b.total, "act": &b.act, "weights": &b.weights, "bias": &b.bias,
	})
}

// batch is what one run of a graph gives. An image has k maps.
type batch struct {
	height, width, classes, k int
	maps, scores              []float32
	predicted, chosen         []int32   // chosen is [batch, k]
	finite                    []bool    // whether all activations are, and what else has to be, [batch, channels]
	misfit                    []float32 // [batch], nil if the method takes any head
	score                     []float32 // y, [batch, k]
	marks                     []int32   // [batch, k]
	total                     []float32 // [batch, k], nil if the method promises none
	perturbed                 []float32 // scores, [batch, perturbations, classes], nil for a method without
	act                       []float32 // with withAct, as weights and bias
	weights, bias             []float32
}

// rows returns what is of the images from one on to another, of n.
func (b batch) rows(from, to, n int) batch {
	b.maps, b.scores = between(b.maps, from, to, n), between(b.scores, from, to, n)
	b.predicted, b.chosen = between(b.predicted, from, to, n), between(b.chosen, from, to, n)
	b.finite, b.misfit = between(b.finite, from, to, n), between(b.misfit, from, to, n)
	b.score, b.marks = between(b.score, from, to, n), between(b.marks, from, to, n)
	b.total, b.act = between(b.total, from, to, n), between(b.act, from, to, n)
	b.perturbed = between(b.perturbed, from, to, n)
	return b
}

// between returns the values of the images from one on to another, of n.
func between[T any](values []T, from, to, n int) []T {
	each := len(values) / n
	return values[from*each : to*each]
}

// of returns the values of image i, of n.
func of[T any](values []T, i, n int) []T { return between(values, i, i+1, n) }

// check returns the images that a closed form does not fit, and what makes the maps of
// others unfit for use.
func (b *batch) check(j job, p part) (missed []int, err error) {
	name, n := j.spec.Name, p.x.N
	infinite := func(values []float32, i int) bool { return failure.NotFinite(of(values, i, n)) >= 0 }
	for i, number := range p.numbers {
		for _, c := range []int32{p.goals.classes[i], p.goals.rivals[i]} {
			if int(c) >= b.classes {
				return nil, fail(ErrClass, "%s: class %d for image %d, want 0 to %d", name, c, number, b.classes-1)
			}
		}
		misses := b.misfit != nil && !(b.misfit[i] <= headTolerance)
		switch {
		case slices.Contains(of(b.finite, i, n), false), infinite(b.scores, i):
			err = errors.New("activations or scores are infinite or NaN, want finite ones: the weights are too large or broken")
		case infinite(b.perturbed, i):
			err = errors.New("scores of changed copies are infinite or NaN, want finite ones: the weights are too large or broken")
		case infinite(b.score, i):
			err = errors.New("the target is infinite or NaN, want a finite function of the scores")
		case misses && !j.general:
			missed = append(missed, i)
			continue
		case infinite(b.maps, i), infinite(b.total, i):
			err = errors.New("the map is infinite or NaN, want finite values: the gradient or the weights overflow")
		case misses:
			return nil, fail(ErrHead, "%s: image %d: mean of the map and bias miss the score by %.2g of their size: %s", name, number, b.misfit[i], wantLinear)
		}
		if err != nil {
			return nil, fail(ErrNotFinite, "%s: image %d: %w", name, number, err)
		}
	}
	return missed, nil
}
