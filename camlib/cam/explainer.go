package cam

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/compiled"
	"github.com/camlab-go/camlab/internal/failure"
	"github.com/camlab-go/camlab/internal/overflow"
)

// Options of an [Explainer]. The zero value is the default.
type Options struct {
	Batch int // images in one run of a compiled graph at most; 0 is 32
	// Chunk bounds the memory of methods that try changes of an image (Score-CAM,
	// RISE, integrated gradients and others): changed images in one run at most; 0 is 128.
	Chunk int
	// Channels bounds how many channels Score-CAM and its kin mask: those with the
	// largest variance over an image's places; 0 is all.
	Channels int
	// Samples is how many changed copies of an image the methods that average over
	// some make: masks of RISE, noises, steps of an integral; 0 is each method's own number.
	Samples int
	// General has every method take gradients and trials, and none its closed form,
	// also where the network ends in pooling and a linear layer.
	General bool
	// Type is what the network's first part computes in, dtypes.BFloat16 or
	// dtypes.Float32; the zero value is Float32. The network's Features must take
	// images of that type.
	Type dtypes.DType
}

// Explainer makes maps of one network on one backend. It compiles a graph the
// first time that it meets a method and a batch shape, leaves the network as
// it is, and may be used by many goroutines at once. Training the network
// between two calls is allowed, during one it is not.
type Explainer struct {
	backend compute.Backend
	net     Network
	opts    Options

	general atomic.Bool // whether closed forms are out of the question
	mu      sync.Mutex
	execs   map[task]*model.Exec
	sizes   map[size]*Exec
}

// task and size are what compiled graphs are kept by, apart from batch shapes.
type task struct {
	method  string
	output  output
	top     int // of topClasses
	form    form
	general bool
}

type size struct {
	height, width int
	resize        Resize
}

type output int

const (
	oneClass    output = iota // maps [batch, height, width]
	allClasses                // maps [batch, classes, height, width]
	topClasses                // maps [batch, k, height, width]
	withAct                   // allClasses, with activations and head weights
	trials                    // scores of a method's trials
	activations               // of the explained layer
)

// New returns an explainer of a network. It fails when the network has weights
// without values.
func New(backend compute.Backend, net Network, opts Options) (*Explainer, error) {
	if isNil(backend) || isNil(net) {
		return nil, errors.New("cam: new: no backend or no network, want both")
	}
	if !compiled.Initialized(net.Store()) {
		return nil, errors.New("cam: new: network has weights without values, want a loaded or trained one")
	}
	for _, o := range []struct {
		name  string
		value int
	}{{"batch", opts.Batch}, {"chunk", opts.Chunk}, {"channels", opts.Channels}, {"samples", opts.Samples}} {
		if o.value < 0 {
			return nil, fmt.Errorf("cam: new: %s of %d, want 0 or more", o.name, o.value)
		}
	}
	opts.Batch, opts.Chunk, opts.Type = cmp.Or(opts.Batch, compiled.Batch), cmp.Or(opts.Chunk, 128), cmp.Or(opts.Type, dtypes.Float32)
	if opts.Type != dtypes.Float32 && opts.Type != dtypes.BFloat16 {
		return nil, fmt.Errorf("cam: new: type %s, want %s or %s", opts.Type, dtypes.Float32, dtypes.BFloat16)
	}
	e := &Explainer{
		backend: backend, net: net, opts: opts,
		execs: make(map[task]*model.Exec), sizes: make(map[size]*Exec),
	}
	e.general.Store(opts.General)
	return e, nil
}

// isNil reports whether an interface holds nothing, or a nil pointer.
func isNil(v any) bool {
	value := reflect.ValueOf(v)
	return !value.IsValid() || value.Kind() == reflect.Pointer && value.IsNil()
}

// General reports whether methods take no closed form: where [Options].General says
// so, and from the first image on whose score the closed form missed. A new
// explainer with that as its option goes on as this one would.
func (e *Explainer) General() bool { return e.general.Load() }

// Explain returns a method's maps of images. It stops between two batches with
// ctx's error when that is done.
func (e *Explainer) Explain(ctx context.Context, method Method, images Images, target Target) (*Result, error) {
	if err := images.check(); err != nil {
		return nil, err
	}
	return e.dispatch(ctx, method, images, target)
}

// dispatch is Explain of images that have been checked.
func (e *Explainer) dispatch(ctx context.Context, method Method, images Images, target Target) (*Result, error) {
	if method.Smoothing.on() {
		return e.smooth(ctx, method, images, target)
	}
	kind := oneClass
	switch target.kind {
	case all:
		kind = allClasses
	case topK:
		kind = topClasses
	}
	if method.Variants > 0 && e.opts.Samples > e.opts.Chunk {
		return nil, fail(ErrMethod, "%s: %d samples, of which all of an image go through the network at once, in chunks of %d: want fewer samples or a larger chunk", method.Name, e.opts.Samples, e.opts.Chunk)
	}
	if kind != oneClass && method.Variants > 0 {
		return e.eachClass(ctx, method, images, target)
	}
	r, _, err := e.explain(ctx, method, images, target, kind)
	return r, err
}

// ClassMaps returns what the article's get_cmap does: [CAM] of every class,
// the activations that they are sums of, and the head's weights and bias.
func (e *Explainer) ClassMaps(ctx context.Context, images Images) (*ClassMaps, error) {
	if err := images.check(); err != nil {
		return nil, err
	}
	r, more, err := e.explain(ctx, cam, images, All, withAct)
	if err != nil {
		return nil, err
	}
	more.Result = *r
	return more, nil
}

// eachClass is a target of several classes for a method that passes so many
// images through the network that one class at a time is enough.
func (e *Explainer) eachClass(ctx context.Context, method Method, images Images, target Target) (*Result, error) {
	if _, err := target.resolve(images.N, e.net); err != nil {
		return nil, err
	}
	// The first run, of class 0 or of the predicted one, tells how many classes there
	// are and which come next.
	one := target
	one.kind, one.classes = single, []int{0}
	if target.kind == topK {
		one.kind = predicted
	}
	first, _, err := e.explain(ctx, method, images, one, oneClass)
	if err != nil {
		return nil, err
	}
	order := make([][]int, images.N) // the classes of each image
	for i := range order {
		scores := first.Scores[i*first.NumClasses : (i+1)*first.NumClasses]
		for c := range scores {
			order[i] = append(order[i], c)
		}
		if target.kind == topK {
			slices.SortStableFunc(order[i], func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
		}
	}
	k := first.NumClasses
	if target.kind == topK {
		if err := checkTop(target.k, k, method.Name); err != nil {
			return nil, err
		}
		k = target.k
	}
	parts := []*Result{first}
	for j := 1; j < k; j++ {
		one.kind, one.classes = perImage, make([]int, images.N)
		for i := range order {
			one.classes[i] = order[i][j]
		}
		r, _, err := e.explain(ctx, method, images, one, oneClass)
		if err != nil {
			return nil, err
		}
		parts = append(parts, r)
	}
	return interleave(parts, target.kind == topK), nil
}

func (e *Explainer) explain(ctx context.Context, method Method, images Images, target Target, kind output) (*Result, *ClassMaps, error) {
	if method.Map == nil {
		return nil, nil, fail(ErrMethod, "method %q has no Map, want one of Methods()", method.Name)
	}
	goals, err := target.resolve(images.N, e.net)
	if err != nil {
		return nil, nil, err
	}
	r := &Result{Method: method.Name, N: images.N}
	more := &ClassMaps{}
	for start := 0; start < images.N; {
		if err := ctx.Err(); err != nil {
			return nil, nil, fmt.Errorf("cam: %s: stopped after %d of %d images: %w", method.Name, start, images.N, err)
		}
		general := method.Linear == nil || e.general.Load() || method.Sums && !target.form.additive()
		step := e.step(method, general, images.N)
		end := min(start+step, images.N)
		begin := max(0, end-step) // the last run goes over some images again rather than have another graph compiled
		b, err := e.batch(ctx, method, target, kind, general, images.Part(begin, end), goals.part(begin, end))
		b = b.from(start-begin, end-begin)
		if err == nil {
			err = b.check(method.Name, start, goals.part(start, end))
		}
		err = e.locate(err, method, e.task(method, target, kind, general), images.Part(begin, end), goals.part(begin, end), begin, b, start)
		if !general && errors.Is(err, ErrHead) {
			e.general.Store(true) // from now on
			continue
		}
		if failure.Is(err) {
			return nil, nil, err // says all
		}
		if err != nil {
			return nil, nil, fmt.Errorf("cam: %s: %w", method.Name, err)
		}
		r.add(b, kind)
		more.Act = append(more.Act, b.act...)
		more.Weights, more.Bias = b.weights, b.bias
		start = end
	}
	for _, c := range goals.rivals {
		if target.rivals != nil {
			r.Rival = append(r.Rival, int(c))
		}
	}
	more.Channels = len(more.Weights) / r.NumClasses
	return r, more, nil
}

// step is how many images, of n, go through one run of a method's graph.
func (e *Explainer) step(method Method, general bool, n int) int {
	switch {
	case !general:
		return e.opts.Batch
	case method.Trials != nil:
		// Trials run one image at a time, and none twice for the last run's sake.
		step := min(e.opts.Batch, e.opts.Chunk, 8, n)
		for n%step != 0 {
			step--
		}
		return step
	case method.Variants > 0:
		return min(e.opts.Batch, max(1, e.opts.Chunk/cmp.Or(e.opts.Samples, method.Variants)))
	}
	return e.opts.Batch
}

// from returns what a run of n images gave from one of them on.
func (b batch) from(first, n int) batch {
	b.maps, b.scores = after(b.maps, first, n), after(b.scores, first, n)
	b.predicted, b.chosen = after(b.predicted, first, n), after(b.chosen, first, n)
	b.finite, b.misfit = after(b.finite, first, n), after(b.misfit, first, n)
	b.explained, b.marks = after(b.explained, first, n), after(b.marks, first, n)
	b.total, b.act = after(b.total, first, n), after(b.act, first, n)
	b.tried = after(b.tried, first, n)
	return b
}

func after[T any](values []T, first, n int) []T { return values[len(values)/n*first:] }

// batch runs a method on images that fit in one run.
func (e *Explainer) batch(ctx context.Context, method Method, target Target, kind output, general bool, images Images, goals goals) (b batch, err error) {
	exec, err := e.exec(method, e.task(method, target, kind, general))
	if err != nil {
		return b, err
	}
	in := images.inputs(goals)
	var tried []float32
	if method.Trials != nil && general {
		if tried, err = e.try(ctx, method, images); err != nil {
			return b, err
		}
		in = append(in, tensors.FromFlatDataAndDimensions(tried, len(tried)))
	}
	b, err = run(exec, in...)
	b.tried = tried
	return b, err
}

func (e *Explainer) task(method Method, target Target, kind output, general bool) task {
	return task{method.Name, kind, target.k, target.form, general}
}

// inputs are a graph's, but for a method's trials.
func (x Images) inputs(goals goals) []*tensors.Tensor {
	return []*tensors.Tensor{
		x.tensor(),
		tensors.FromFlatDataAndDimensions(goals.classes, x.N),
		tensors.FromFlatDataAndDimensions(goals.rivals, x.N),
	}
}

// locate returns err and, if it is of kind [ErrNotFinite], says which part of the
// network was the first that is not finite. For that it runs the images, whose first
// is number begin, once more with every part looked at; b are their results from
// number start on.
func (e *Explainer) locate(err error, method Method, t task, images Images, goals goals, begin int, b batch, start int) error {
	if !errors.Is(err, ErrNotFinite) {
		return err
	}
	look := func(n network, in []*Node) { e.build(method, t, n, in) }
	inputs := images.inputs(goals)
	if bad := failure.NotFinite(b.tried); bad >= 0 {
		each := len(b.tried) / len(b.predicted) // scores of one image's trials
		begin, images = start+bad/each, images.Part(start-begin+bad/each, start-begin+bad/each+1)
		look = func(n network, in []*Node) { e.buildTrials(method, n, in[0], e.forward(n, in[0]).Act, in[1]) }
		inputs = []*tensors.Tensor{images.tensor(), tensors.FromScalar(int32(bad % each / b.classes))}
	} else if t.general && method.Trials != nil {
		look = func(n network, in []*Node) { e.forward(n, in[0]) }
	}
	image, part, findErr := overflow.Find(e.backend, e.net.Store(), images.N, func(scope *model.Scope, in []*Node, p *overflow.Parts) {
		look(network{e.net, scope, e.opts.Type, p}, in)
	}, inputs...)
	if findErr != nil || part == "" {
		return err
	}
	return fail(ErrNotFinite, "%s: image %d: %s", method.Name, begin+image, overflow.Message(part))
}

// Upsample returns r with maps of another size. It fails when they cannot have
// it, see [Resize].
func (e *Explainer) Upsample(r *Result, height, width int, resize Resize) (*Result, error) {
	k := size{height, width, resize}
	e.mu.Lock()
	exec := e.sizes[k]
	if exec == nil {
		var err error
		exec, err = NewExec(e.backend, func(m *Node) *Node { return Upsample(m, height, width, resize) })
		if err != nil {
			e.mu.Unlock()
			return nil, fmt.Errorf("cam: upsample: %w", err)
		}
		exec.SetMaxCache(-1)
		e.sizes[k] = exec
	}
	e.mu.Unlock()

	large := *r
	large.Height, large.Width, large.Maps = height, width, nil
	step := e.opts.Batch * r.Height * r.Width
	for start := 0; start < len(r.Maps); start += step {
		part := r.Maps[start:min(start+step, len(r.Maps))]
		out, err := compiled.Call(exec.Call, tensors.FromFlatDataAndDimensions(part, len(part)/(r.Height*r.Width), r.Height, r.Width))
		if err != nil {
			return nil, fmt.Errorf("cam: upsample: %w", err)
		}
		m, err := compiled.Take[float32](out[0])
		if err != nil {
			return nil, fmt.Errorf("cam: upsample: %w", err)
		}
		large.Maps = append(large.Maps, m...)
	}
	return &large, nil
}

// try returns the scores of a method's trials of a batch of images, [batch, trials,
// classes].
func (e *Explainer) try(ctx context.Context, method Method, images Images) ([]float32, error) {
	exec, err := e.exec(method, task{method: method.Name, output: trials, general: true})
	if err != nil {
		return nil, err
	}
	forward, err := e.exec(method, task{output: activations})
	if err != nil {
		return nil, err
	}
	out, err := compiled.Call(forward.Exec, images.tensor())
	if err != nil {
		return nil, err
	}
	dims := slices.Clone(out[0].Shape().Dimensions)
	dims[0] = 1
	acts, err := compiled.Take[float32](out[0])
	if err != nil {
		return nil, err
	}
	size := len(acts) / images.N
	var all []float32
	for i := range images.N {
		image := images.Part(i, i+1)
		whole := math.MaxInt // what all holds after this image
		for start := 0; len(all) < whole; {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			act := tensors.FromFlatDataAndDimensions(acts[i*size:(i+1)*size], dims...)
			out, err := compiled.Call(exec.Call, image.tensor(), act, tensors.FromScalar(int32(start)))
			if err != nil {
				return nil, err
			}
			n, classes := out[0].Shape().Dim(1), out[0].Shape().Dim(2)
			scores, err := compiled.Take[float32](out[0])
			if err != nil {
				return nil, err
			}
			count, err := compiled.Take[int32](out[1])
			if err != nil {
				return nil, err
			}
			whole = (i + 1) * int(count[0]) * classes
			all, start = append(all, scores[:min(len(scores), whole-len(all))]...), start+n // the last run may reach past the end
		}
	}
	return all, nil
}

// buildTrials is the graph of a chunk of a method's trials of one image, from number
// start on. The image's own activations are an input: to compute them beside the
// trials' slows these down.
func (e *Explainer) buildTrials(method Method, n network, image, act, start *Node) []*Node {
	p := e.pass(newPass(n, image, act))
	count := method.Trials.Count(p)
	some := min(count, e.opts.Chunk, compiled.Batch)
	which := Add(Iota(image.Graph(), shapes.Make(dtypes.Int32, some), 0), start)
	which = MinScalar(which, float64(count-1))
	return []*Node{method.Trials.Scores(p, which), Const(image.Graph(), int32(count))}
}

// exec returns the executor of a task, which compiles for each batch shape.
func (e *Explainer) exec(method Method, t task) (*model.Exec, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if exec := e.execs[t]; exec != nil {
		return exec, nil
	}
	exec, err := model.NewExec(e.backend, e.net.Store(), func(scope *model.Scope, in []*Node) []*Node {
		n := network{net: e.net, scope: scope, dtype: e.opts.Type}
		switch t.output {
		case trials:
			return e.buildTrials(method, n, in[0], in[1], in[2])
		case activations:
			act, _ := n.explained(in[0])
			return []*Node{act}
		}
		return e.build(method, t, n, in)
	})
	if err != nil {
		return nil, fmt.Errorf("cam: %s: %w", method.Name, err)
	}
	exec.SetMaxCache(-1) // there are at most as many shapes of a batch as images in one
	e.execs[t] = exec
	return exec, nil
}

// forward starts a graph.
func (e *Explainer) forward(n network, images *Node) *Pass { return e.pass(newForward(n, images)) }

// pass gives a pass the explainer's options.
func (e *Explainer) pass(p *Pass) *Pass {
	p.keep, p.samples = e.opts.Channels, e.opts.Samples
	return p
}

// build is the graph of a method, of which [Explainer.batch] gives the inputs and
// [run] reads the outputs.
func (e *Explainer) build(method Method, t task, n network, in []*Node) []*Node {
	p := e.forward(n, in[0])
	p.form = t.form
	if len(in) > 3 {
		p.Tried = Reshape(in[3], in[0].Shape().Dim(0), -1, p.classes())
	}
	predicted := ArgMax(p.Scores, -1, dtypes.Int32)
	chosen := InsertAxes(Where(LessThan(in[1], ZerosLike(in[1])), predicted, in[1]), -1) // [batch, maps of an image]
	var each []*Pass
	if t.output == oneClass {
		p.choose(Squeeze(chosen, -1), in[2])
		each = append(each, p)
	} else {
		chosen = Iota(in[1].Graph(), shapes.Make(dtypes.Int32, in[1].Shape().Dim(0), p.classes()), 1)
		if t.output == topClasses {
			if err := checkTop(t.top, p.classes(), method.Name); err != nil {
				panic(err)
			}
			chosen = Stack(highest(p.Scores, t.top), 1)
		}
		for j := range chosen.Shape().Dim(1) {
			q := p.ofClass(Squeeze(Slice(chosen, AxisRange(), AxisElem(j)), 1))
			if t.output != topClasses && t.form == (form{}) {
				q.only = &j
			}
			each = append(each, q)
		}
	}
	equation := method.Map
	if !t.general {
		equation = method.Linear
	}
	var maps, explained, marks, totals, needed []*Node
	for _, p := range each {
		m := equation(p)
		maps, explained = append(maps, m), append(explained, p.Score())
		if p.marks == nil {
			p.marks = ZerosLike(predicted)
		}
		marks = append(marks, p.marks)
		if method.Total != nil {
			if total := method.Total(p, m); total != nil {
				totals = append(totals, total)
			}
		}
		needed = append(needed, p.needed...)
	}
	misfit := p.linear.misfit
	if misfit == nil {
		misfit = ZerosLike(ReduceMax(p.Scores, 1)) // the method takes any head
	}
	finite := IsFinite(p.size()) // one value that is not makes the mean so
	for _, x := range needed {
		finite = LogicalAnd(finite, InsertAxes(overflow.Finite(x, x.Shape().Dim(0)), -1))
	}
	out := []*Node{Stack(maps, 1), p.Scores, predicted, finite, misfit, chosen, Stack(explained, 1), Stack(marks, 1)}
	if totals != nil {
		out = append(out, Stack(totals, 1))
	}
	if t.output == withAct {
		out = append(out, TransposeAllAxes(p.Act, 0, 3, 1, 2), p.linear.weights, p.linear.bias)
	}
	return out
}

// batch is what one run of a graph gives. An image has k maps.
type batch struct {
	height, width, classes, k int
	maps, scores              []float32
	predicted, chosen         []int32 // chosen is [batch, k]
	finite                    []bool  // whether all activations are, and what else has to be, [batch, channels]
	misfit                    []float32
	explained                 []float32 // y, [batch, k]
	marks                     []int32   // [batch, k]
	total                     []float32 // [batch, k], nil if the method promises none
	tried                     []float32 // scores, [batch, trials, classes], nil for a method without
	act, weights, bias        []float32 // only with withAct
}

func run(exec *model.Exec, in ...*tensors.Tensor) (b batch, err error) {
	out, err := compiled.Call(exec.Call, in...)
	if err != nil {
		return batch{}, err
	}
	d := out[0].Shape().Dimensions
	b.k, b.height, b.width, b.classes = d[1], d[2], d[3], out[1].Shape().Dim(1)
	read := func(into any) {
		if len(out) == 0 {
			return
		}
		var e error
		switch into := into.(type) {
		case *[]float32:
			*into, e = compiled.Take[float32](out[0])
		case *[]int32:
			*into, e = compiled.Take[int32](out[0])
		case *[]bool:
			*into, e = compiled.Take[bool](out[0])
		}
		out, err = out[1:], errors.Join(err, e)
	}
	for _, into := range []any{
		&b.maps, &b.scores, &b.predicted, &b.finite, &b.misfit, &b.chosen, &b.explained, &b.marks, &b.total,
		&b.act, &b.weights, &b.bias,
	} {
		read(into)
	}
	return b, err
}

// check returns what makes the maps of a batch, whose first image is number
// start, unfit for use.
func (b *batch) check(method string, start int, goals goals) error {
	const tolerance = 1e-4 // a hundred times the rounding error of float32, a hundredth of any real difference
	n := len(b.predicted)
	size, channels := len(b.maps)/n, len(b.finite)/n
	for i := range n {
		for _, c := range []int32{goals.classes[i], goals.rivals[i]} {
			if int(c) >= b.classes {
				return fail(ErrClass, "%s: class %d for image %d, want 0 to %d", method, c, start+i, b.classes-1)
			}
		}
		if slices.Contains(b.finite[i*channels:(i+1)*channels], false) || failure.NotFinite(b.scores[i*b.classes:(i+1)*b.classes]) >= 0 {
			return fail(ErrNotFinite, "%s: image %d: activations or scores are infinite or NaN, want finite ones: the weights are too large or broken", method, start+i)
		}
		if tried := len(b.tried) / n; failure.NotFinite(b.tried[i*tried:(i+1)*tried]) >= 0 {
			return fail(ErrNotFinite, "%s: image %d: scores of changed copies are infinite or NaN, want finite ones: the weights are too large or broken", method, start+i)
		}
		if failure.NotFinite(b.explained[i*b.k:(i+1)*b.k]) >= 0 {
			return fail(ErrNotFinite, "%s: image %d: the target is infinite or NaN, want a finite function of the scores", method, start+i)
		}
		if total := len(b.total) / n; failure.NotFinite(b.maps[i*size:(i+1)*size]) >= 0 || failure.NotFinite(b.total[i*total:(i+1)*total]) >= 0 {
			return fail(ErrNotFinite, "%s: image %d: the map is infinite or NaN, want finite values: the gradient or the weights overflow", method, start+i)
		}
		if !(b.misfit[i] <= tolerance) {
			return fail(ErrHead, "%s: image %d: mean of the map and bias miss the score by %.2g of their size: %s", method, start+i, b.misfit[i], wantLinear)
		}
	}
	return nil
}
