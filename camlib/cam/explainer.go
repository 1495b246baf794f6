package cam

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/exec"
)

// Options of an [Explainer]. The zero value is the default.
type Options struct {
	Batch int // images in one run of a compiled graph at most; 0 is 32 a device, or one, see [network.Network.Alone]
	// Chunk bounds the memory of methods that try changes of an image (Score-CAM,
	// RISE, integrated gradients and others): changed images in one run at most; 0 is 128.
	Chunk int
	// General has every method take gradients and perturbations, and none its closed
	// form, also where the network ends in pooling and a linear layer.
	General bool
	// Type is what the layers up to the explained one compute in, dtypes.BFloat16 or
	// dtypes.Float32; the zero value is Float32. The layers must take images of that type.
	Type dtypes.DType
	// Devices is how many of the backend's devices share the images of a run, and the
	// changed images of one; 0 is one. The maps are those of one device up to rounding. While
	// an explainer on several devices runs, no other may that has the same network.
	Devices int
}

// Explainer makes maps of one network on one backend. It compiles a graph the
// first time that it meets a method and a batch shape, leaves the network as
// it is, and may be used by many goroutines at once. Training the network
// between two calls is allowed, during one it is not.
type Explainer struct {
	backend compute.Backend
	net     *network.Network
	opts    Options
	devices *exec.Devices

	graphs exec.Cache[task, *exec.Graph]
	heads  exec.Cache[images.Size, bool] // see mayClose
	counts exec.Cache[perturbedImage, int]
	widths exec.Cache[images.Size, int] // how many classes there are
}

// New returns an explainer of a network, of the layer that [network.Network.At] says. It
// fails when the network is not whole, see [network.Network.Check].
func New(backend compute.Backend, net *network.Network, opts Options) (*Explainer, error) {
	if isNil(backend) {
		return nil, errors.New("cam: new: no backend, want one")
	}
	if err := net.Check(); err != nil {
		return nil, fmt.Errorf("cam: new: %w", err)
	}
	for _, o := range []struct {
		name  string
		value int
	}{{"batch", opts.Batch}, {"chunk", opts.Chunk}} {
		if o.value < 0 {
			return nil, fmt.Errorf("cam: new: %s of %d, want 0 or more", o.name, o.value)
		}
	}
	devices, err := exec.Among(backend, opts.Devices)
	if err != nil {
		return nil, fmt.Errorf("cam: new: %w", err)
	}
	opts.Chunk, opts.Type = cmp.Or(opts.Chunk, 128), cmp.Or(opts.Type, dtypes.Float32)
	if opts.Type != dtypes.Float32 && opts.Type != dtypes.BFloat16 {
		return nil, fmt.Errorf("cam: new: type %s, want %s or %s", opts.Type, dtypes.Float32, dtypes.BFloat16)
	}
	return &Explainer{backend: backend, net: net, opts: opts, devices: devices}, nil
}

// Explain returns a method's maps of images. It stops between two batches with
// ctx's error when that is done.
func (e *Explainer) Explain(ctx context.Context, m Method, x images.Batch, t Target) (*Result, error) {
	if err := x.Check(); err != nil {
		return nil, fmt.Errorf("cam: %w", err)
	}
	return e.dispatch(ctx, m, x, t)
}

// dispatch is Explain of images that have been checked.
func (e *Explainer) dispatch(ctx context.Context, m Method, x images.Batch, t Target) (*Result, error) {
	s, err := check(m)
	if err != nil {
		return nil, err
	}
	if s.smoothed != nil {
		return e.smooth(ctx, *s.smoothed, x, t)
	}
	if err := checkKey(m, s.Name); err != nil {
		return nil, err
	}
	if s.Setting != "" && s.Copies > e.opts.Chunk {
		return nil, fail(ErrMethod, "%s: %s, of which all of an image go through the network at once, in chunks of %d: want fewer or a larger chunk", s.Name, s.Setting, e.opts.Chunk)
	}
	j := job{method: m, spec: s, target: t, output: oneClass}
	switch t.kind {
	case all:
		j.output = allClasses
	case topK:
		j.output = topClasses
	}
	if j.output != oneClass && s.Copies > 0 {
		return e.eachClass(ctx, j, x)
	}
	r, _, err := e.explain(ctx, j, x)
	return r, err
}

// ClassMaps returns what the article's get_cmap does: [CAM] of every class,
// the activations that they are sums of, and the head's weights and bias.
func (e *Explainer) ClassMaps(ctx context.Context, x images.Batch) (*ClassMaps, error) {
	if err := x.Check(); err != nil {
		return nil, fmt.Errorf("cam: %w", err)
	}
	r, parts, err := e.explain(ctx, job{method: CAM{}, spec: CAM{}.Spec(), target: All, output: withAct}, x)
	if err != nil {
		return nil, err
	}
	parts.Result = *r
	return parts, nil
}

// eachClass is a target of several classes for a method that passes so many
// images through the network that one class at a time is enough.
func (e *Explainer) eachClass(ctx context.Context, j job, x images.Batch) (*Result, error) {
	t := j.target
	if _, err := t.resolve(x.N, e.net); err != nil {
		return nil, err
	}
	// The first run, of class 0 or of the predicted one, tells how many classes there
	// are and which come next.
	j.output, j.target.kind, j.target.classes = oneClass, single, []int{0}
	if t.kind == topK {
		j.target.kind = predicted
	}
	first, _, err := e.explain(ctx, j, x)
	if err != nil {
		return nil, err
	}
	order := make([][]int, x.N) // the classes of each image
	for i := range order {
		if t.kind == topK {
			order[i] = byScore(of(first.Scores, i, x.N))
			continue
		}
		for c := range first.NumClasses {
			order[i] = append(order[i], c)
		}
	}
	k := first.NumClasses
	if t.kind == topK {
		if err := checkTop(t.k, k, j.spec.Name); err != nil {
			return nil, err
		}
		k = t.k
	}
	parts := []*Result{first}
	for c := 1; c < k; c++ {
		j.target.kind, j.target.classes = perImage, make([]int, x.N)
		for i := range order {
			j.target.classes[i] = order[i][c]
		}
		r, _, err := e.explain(ctx, j, x)
		if err != nil {
			return nil, err
		}
		parts = append(parts, r)
	}
	return interleave(parts, t.kind == topK), nil
}
