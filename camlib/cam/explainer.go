package cam

import (
	"cmp"
	stdcontext "context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/gomlx/gomlx/pkg/ml/context"
)

// Options of an [Explainer]. The zero value is the default.
type Options struct {
	Batch int // images in one run of a compiled graph at most; 0 is 100
	// Chunk bounds the memory of methods that try changes of an image (Score-CAM,
	// Ablation-CAM): changed images in one run at most; 0 is 128.
	Chunk int
}

// Explainer makes maps of one network on one backend. It compiles a graph the
// first time that it meets a method and a batch shape, leaves the network as
// it is, and may be used by many goroutines at once. Training the network
// between two calls is allowed, during one it is not.
type Explainer struct {
	backend backends.Backend
	net     Network
	batch   int
	chunk   int

	mu    sync.Mutex
	execs map[task]*context.Exec
	sizes map[size]*Exec
}

// task and size are what compiled graphs are kept by, apart from batch shapes.
type task struct {
	method string
	output output
	form   form
}

type size struct {
	height, width int
	resize        Resize
}

type output int

const (
	oneClass   output = iota // maps [batch, height, width]
	allClasses               // maps [batch, classes, height, width]
	withAct                  // the same, with activations and head weights
	trials                   // scores of a method's trials
)

// New returns an explainer of a network. It fails when the network has weights
// without values.
func New(backend backends.Backend, net Network, opts Options) (*Explainer, error) {
	if backend == nil || net == nil {
		return nil, errors.New("cam: new: no backend or no network, want both")
	}
	if net.Context().NeedsInitialization() {
		return nil, errors.New("cam: new: network has weights without values, want a loaded or trained one")
	}
	if opts.Batch < 0 || opts.Chunk < 0 {
		return nil, fmt.Errorf("cam: new: batch of %d, chunk of %d, want 0 or more", opts.Batch, opts.Chunk)
	}
	opts.Batch, opts.Chunk = cmp.Or(opts.Batch, 100), cmp.Or(opts.Chunk, 128)
	return &Explainer{
		backend: backend, net: net, batch: opts.Batch, chunk: opts.Chunk,
		execs: make(map[task]*context.Exec), sizes: make(map[size]*Exec),
	}, nil
}

// Explain returns a method's maps of images. It stops between two batches with
// ctx's error when that is done.
func (e *Explainer) Explain(ctx stdcontext.Context, method Method, images Images, target Target) (*Result, error) {
	kind := oneClass
	if target.kind == all {
		kind = allClasses
	}
	r, _, err := e.explain(ctx, method, images, target, kind)
	return r, err
}

// ClassMaps returns what the article's get_cmap does: [CAM] of every class,
// the activations that they are sums of, and the head's weights and bias.
func (e *Explainer) ClassMaps(ctx stdcontext.Context, images Images) (*ClassMaps, error) {
	r, more, err := e.explain(ctx, cam, images, All, withAct)
	if err != nil {
		return nil, err
	}
	more.Result = *r
	return more, nil
}

func (e *Explainer) explain(ctx stdcontext.Context, method Method, images Images, target Target, kind output) (*Result, *ClassMaps, error) {
	if method.Map == nil {
		return nil, nil, fail(ErrMethod, "method %q has no Map, want one of Methods()", method.Name)
	}
	if err := images.check(); err != nil {
		return nil, nil, err
	}
	goals, err := target.resolve(images.N, e.net)
	if err != nil {
		return nil, nil, err
	}
	r := &Result{Method: method.Name, N: images.N}
	more := &ClassMaps{}
	exec, err := e.exec(method, kind, target.form)
	if err != nil {
		return nil, nil, err
	}
	step := e.batch
	if method.Trials != nil {
		step = min(step, max(1, e.chunk/16)) // the images themselves are passed through once in a chunk
	}
	for start := 0; start < images.N; start += step {
		if err := ctx.Err(); err != nil {
			return nil, nil, fmt.Errorf("cam: %s: stopped after %d of %d images: %w", method.Name, start, images.N, err)
		}
		end := min(start+step, images.N)
		part := images.part(start, end)
		var tried []float32
		if method.Trials != nil {
			if tried, err = e.try(ctx, method, part); err != nil {
				return nil, nil, fmt.Errorf("cam: %s: %w", method.Name, err)
			}
		}
		b, err := run(exec, part, goals.part(start, end), tried)
		if errors.As(err, new(*failure)) {
			return nil, nil, err // says all
		}
		if err != nil {
			return nil, nil, fmt.Errorf("cam: %s: %w", method.Name, err)
		}
		if err := b.check(method.Name, start, goals.part(start, end)); err != nil {
			return nil, nil, err
		}
		r.add(b)
		more.Act = append(more.Act, b.act...)
		more.Weights, more.Bias = b.weights, b.bias
	}
	if kind == oneClass {
		r.Class = make([]int, r.N)
		for i, c := range goals.classes {
			r.Class[i] = int(c)
			if c == asPredicted {
				r.Class[i] = r.Predicted[i]
			}
		}
	}
	if target.kind == contrast {
		r.Rival = slices.Repeat([]int{target.rival}, r.N)
	}
	more.Channels = len(more.Weights) / r.NumClasses
	return r, more, nil
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
	step := e.batch * r.Height * r.Width
	for start := 0; start < len(r.Maps); start += step {
		part := r.Maps[start:min(start+step, len(r.Maps))]
		out, err := call(exec.Exec, tensors.FromFlatDataAndDimensions(part, len(part)/(r.Height*r.Width), r.Height, r.Width))
		if err != nil {
			return nil, fmt.Errorf("cam: upsample: %w", err)
		}
		m, err := take[float32](out[0])
		if err != nil {
			return nil, fmt.Errorf("cam: upsample: %w", err)
		}
		large.Maps = append(large.Maps, m...)
	}
	return &large, nil
}

// try returns the scores of a method's trials of a batch of images, [batch, trials,
// classes].
func (e *Explainer) try(ctx stdcontext.Context, method Method, images Images) ([]float32, error) {
	exec, err := e.exec(method, trials, form{})
	if err != nil {
		return nil, err
	}
	var chunks [][]float32 // [batch, n, classes] each
	var n, count, classes int
	for start := 0; start == 0 || start < count; start += n {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out, err := call(exec.Exec, images.tensor(), tensors.FromScalar(int32(start)))
		if err != nil {
			return nil, err
		}
		n, classes = out[0].Shape().Dim(1), out[0].Shape().Dim(2)
		scores, err := take[float32](out[0])
		if err != nil {
			return nil, err
		}
		c, err := take[int32](out[1])
		if err != nil {
			return nil, err
		}
		count, chunks = int(c[0]), append(chunks, scores)
	}
	all := make([]float32, 0, images.N*count*classes)
	for i := range images.N {
		rest := count * classes
		for _, c := range chunks {
			row := c[i*n*classes : (i+1)*n*classes]
			row = row[:min(rest, len(row))] // the last chunk may reach past the end
			all, rest = append(all, row...), rest-len(row)
		}
	}
	return all, nil
}

// buildTrials is the graph of a chunk of a method's trials, from number start on.
func (e *Explainer) buildTrials(method Method, ctx *context.Context, images, start *Node) []*Node {
	p := newForward(e.net, ctx, images)
	count := method.Trials.Count(p)
	n := min(count, max(1, e.chunk/images.Shape().Dim(0)))
	which := Add(Iota(images.Graph(), shapes.Make(dtypes.Int32, n), 0), start)
	which = MinScalar(which, float64(count-1))
	return []*Node{method.Trials.Scores(p, which), Const(images.Graph(), int32(count))}
}

// exec returns the executor of a task, which compiles for each batch shape.
func (e *Explainer) exec(method Method, kind output, f form) (*context.Exec, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	k := task{method.Name, kind, f}
	if exec := e.execs[k]; exec != nil {
		return exec, nil
	}
	exec, err := context.NewExec(e.backend, e.net.Context(), func(ctx *context.Context, in []*Node) []*Node {
		if kind == trials {
			return e.buildTrials(method, ctx, in[0], in[1])
		}
		return build(e.net, method, kind, f, ctx, in)
	})
	if err != nil {
		return nil, fmt.Errorf("cam: %s: %w", method.Name, err)
	}
	exec.SetMaxCache(-1) // there are at most as many shapes of a batch as images in one
	e.execs[k] = exec
	return exec, nil
}

// build is the graph of a method, of which [run] gives the inputs and reads the
// outputs.
func build(net Network, method Method, kind output, f form, ctx *context.Context, in []*Node) []*Node {
	p, predicted := newPass(net, ctx, f, in[0], in[1], in[2])
	if len(in) > 3 {
		p.Tried = Reshape(in[3], in[0].Shape().Dim(0), -1, p.classes())
	}
	finite := ReduceLogicalAnd(IsFinite(p.Act), 1, 2) // of each channel: XLA compiles that twice as fast as of all
	var maps *Node
	if kind == oneClass {
		maps = method.Map(p)
	} else {
		each := make([]*Node, p.classes())
		for c := range each {
			each[c] = method.Map(p.ofClass(c))
		}
		maps = Stack(each, 1)
	}
	misfit := p.linear.misfit
	if misfit == nil {
		misfit = ZerosLike(ReduceMax(p.Scores, 1)) // the method takes any head
	}
	out := []*Node{maps, p.Scores, predicted, finite, misfit}
	if kind == withAct {
		out = append(out, TransposeAllAxes(p.Act, 0, 3, 1, 2), p.linear.weights, p.linear.bias)
	}
	return out
}

// batch is what one run of a graph gives.
type batch struct {
	height, width, classes int
	maps, scores           []float32
	predicted              []int32
	finite                 []bool    // whether all activations are, [batch, channels]
	misfit                 []float32 // see misfit
	act, weights, bias     []float32 // only with withAct
}

func run(exec *context.Exec, images Images, goals goals, tried []float32) (b batch, err error) {
	in := []*tensors.Tensor{
		images.tensor(),
		tensors.FromFlatDataAndDimensions(goals.classes, images.N),
		tensors.FromFlatDataAndDimensions(goals.rivals, images.N),
	}
	if tried != nil {
		in = append(in, tensors.FromFlatDataAndDimensions(tried, len(tried)))
	}
	out, err := call(exec.Exec, in...)
	if err != nil {
		return batch{}, err
	}
	d := out[0].Shape().Dimensions
	b.height, b.width, b.classes = d[len(d)-2], d[len(d)-1], out[1].Shape().Dim(1)
	var errs [8]error
	b.maps, errs[0] = take[float32](out[0])
	b.scores, errs[1] = take[float32](out[1])
	b.predicted, errs[2] = take[int32](out[2])
	b.finite, errs[3] = take[bool](out[3])
	b.misfit, errs[4] = take[float32](out[4])
	if len(out) > 5 {
		b.act, errs[5] = take[float32](out[5])
		b.weights, errs[6] = take[float32](out[6])
		b.bias, errs[7] = take[float32](out[7])
	}
	return b, errors.Join(errs[:]...)
}

// call runs a compiled graph and frees its inputs. A panic of a network is
// returned as an error.
func call(exec func(...any) ([]*tensors.Tensor, error), inputs ...*tensors.Tensor) (out []*tensors.Tensor, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("network: %v", r)
		}
		for _, t := range inputs {
			err = errors.Join(err, t.FinalizeAll())
		}
	}()
	args := make([]any, len(inputs))
	for i, t := range inputs {
		args[i] = t
	}
	return exec(args...)
}

// take returns the values of a tensor and frees it.
func take[T float32 | int32 | bool](t *tensors.Tensor) ([]T, error) {
	v, err := tensors.CopyFlatData[T](t)
	return v, errors.Join(err, t.FinalizeAll())
}

// check returns what makes the maps of a batch, whose first image is number
// start, unfit for use.
func (b *batch) check(method string, start int, goals goals) error {
	const tolerance = 1e-3 // a thousand times the rounding error of float32, a hundredth of any real difference
	n := len(b.predicted)
	size, channels := len(b.maps)/n, len(b.finite)/n
	for i := range n {
		for _, c := range []int32{goals.classes[i], goals.rivals[i]} {
			if int(c) >= b.classes {
				return fail(ErrClass, "%s: class %d for image %d, want 0 to %d", method, c, start+i, b.classes-1)
			}
		}
		if slices.Contains(b.finite[i*channels:(i+1)*channels], false) || !finite(b.scores[i*b.classes:(i+1)*b.classes]) {
			return fail(ErrNotFinite, "%s: image %d: activations or scores are infinite or NaN, want finite ones: the weights are too large or broken", method, start+i)
		}
		if !finite(b.maps[i*size : (i+1)*size]) {
			return fail(ErrNotFinite, "%s: image %d: the map is infinite or NaN, want finite values: the gradient or the weights overflow", method, start+i)
		}
		if !(b.misfit[i] <= tolerance) {
			return fail(ErrHead, "%s: image %d: mean of the map and bias miss the score by %.2g of their size: %s", method, start+i, b.misfit[i], wantLinear)
		}
	}
	return nil
}

func finite(values []float32) bool {
	for _, v := range values {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return false
		}
	}
	return true
}
