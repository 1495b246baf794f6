package measure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/internal/compiled"
)

// Options of a [Meter]. The zero value is the default.
type Options struct {
	Batch        int   // changed images in one run of the network at most; 0 is 32
	Score        Score // what deletion, insertion, ROAD and infidelity look at
	Steps        int   // intervals of the deletion and insertion curves; 0 is 8
	Deletion     Fill  // what stands for a deleted pixel; the zero value is Black
	Insertion    Fill  // what insertion starts from; the zero value is Blurred
	ROAD         ROADOptions
	Infidelity   InfidelityOptions
	Sensitivity  SensitivityOptions
	RandomLayers []string // layers that [Case.Randomisation] re-draws; nil is all
	Seed         uint64   // of everything that is drawn
}

// Score is what is read off the network for an image's class.
type Score int

// The readings of a class.
const (
	Probability Score = iota // P_c = softmax(y)_c, as in the papers
	Logit                    // y_c, the score before softmax
)

// Meter measures maps of one network on one backend. It compiles a graph the
// first time that it meets a number of images, leaves the network as it is, and
// may be used by many goroutines at once. The network must not be trained
// meanwhile: what its scores were is kept.
type Meter struct {
	backend compute.Backend
	net     cam.Network
	opts    Options

	execs     keep[change, *model.Exec]
	enlargers keep[[2]int, *graph.Exec] // by height and width
	orders    keep[int, tieOrder]       // by number of pixels
	// randomised are copies of the network, by what was drawn anew. They are as many as
	// sets of layers were asked for.
	randomised keep[string, cam.Network]
}

// New returns a meter of a network. It fails when the network has weights without
// values and when an option is out of its range.
func New(backend compute.Backend, net cam.Network, opts Options) (*Meter, error) {
	if backend == nil || net == nil {
		return nil, errors.New("measure: new: no backend or no network, want both")
	}
	if !compiled.Initialized(net.Store()) {
		return nil, errors.New("measure: new: network has weights without values, want a loaded or trained one")
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	opts.Batch, opts.Steps = cmp.Or(opts.Batch, compiled.Batch), cmp.Or(opts.Steps, 8)
	opts.Deletion, opts.Insertion = cmp.Or(opts.Deletion, Black), cmp.Or(opts.Insertion, Blurred)
	opts.ROAD, opts.Infidelity, opts.Sensitivity = opts.ROAD.orDefault(), opts.Infidelity.orDefault(), opts.Sensitivity.orDefault()
	return &Meter{backend: backend, net: net, opts: opts}, nil
}

func (o Options) check() error {
	if o.Batch < 0 || o.Steps < 0 {
		return fmt.Errorf("measure: new: batch of %d, %d steps, want 0 or more", o.Batch, o.Steps)
	}
	if o.Score < Probability || o.Score > Logit {
		return fmt.Errorf("measure: new: score %d, want Probability or Logit", o.Score)
	}
	for _, f := range []Fill{o.Deletion, o.Insertion, o.Infidelity.Fill} {
		if f < 0 || f > Blurred {
			return fmt.Errorf("measure: new: fill %d, want Black, MeanColour or Blurred", f)
		}
	}
	return errors.Join(o.ROAD.check(), o.Infidelity.check(), o.Sensitivity.check())
}

// Subject is images, one class for each, and what the network says of them. It
// may be used by many goroutines at once.
type Subject struct {
	meter      *Meter
	images     cam.Images
	classes    []int
	numClasses int
	scores     scores // of the images, [n]

	filled    keep[Fill, filled]
	perturbed memo[perturbed]
}

// Prepare passes images through the network and returns the subject of the given
// class for each, or of the predicted classes if classes is nil. The images must
// not be changed afterwards. It fails with [ErrImages] and [ErrClass].
func (m *Meter) Prepare(ctx context.Context, images cam.Images, classes []int) (*Subject, error) {
	if err := checkImages(images); err != nil {
		return nil, err
	}
	if classes != nil && len(classes) != images.N {
		return nil, fail(ErrClass, "prepare: %d classes for %d images, want one for each, or nil for the predicted ones", len(classes), images.N)
	}
	s := &Subject{meter: m, images: images, classes: slices.Clone(classes), scores: newScores(images.N)}
	if classes == nil {
		s.classes = make([]int, images.N)
	}
	var err error
	runErr := m.run(ctx, asTheyAre, images.N, 1, func(p part) []*tensors.Tensor {
		return []*tensors.Tensor{tensorOf(images, images.Pixels, p)}
	}, func(i, _ int, y []float32) {
		s.numClasses = len(y)
		if classes == nil {
			s.classes[i] = slices.Index(y, slices.Max(y))
		}
		if c := s.classes[i]; c >= 0 && c < len(y) {
			s.scores.set(i, c, y)
		} else if err == nil {
			err = fail(ErrClass, "prepare: class %d for image %d, want 0 to %d", c, i, len(y)-1)
		}
	})
	if runErr != nil {
		return nil, within(runErr, "prepare")
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

func checkImages(x cam.Images) error {
	size := x.Height * x.Width * x.Channels
	if x.N < 1 || x.Height < 1 || x.Width < 1 || x.Channels < 1 || len(x.Pixels) != x.N*size {
		return fail(ErrImages, "images: %d values, want %d×%d×%d×%d, each at least 1", len(x.Pixels), x.N, x.Height, x.Width, x.Channels)
	}
	for i, v := range x.Pixels {
		if !(v >= 0 && v <= 1) { // NaN is neither
			return fail(ErrImages, "images: image %d: value %v, want 0 to 1 (divide bytes by 255)", i/size, v)
		}
	}
	return nil
}

// Images returns the images. Their pixels are shared.
func (s *Subject) Images() cam.Images { return s.images }

// Classes returns the class of each image.
func (s *Subject) Classes() []int { return slices.Clone(s.classes) }

// Scores returns the score of each image for its class, in the meter's [Score].
func (s *Subject) Scores() []float64 { return slices.Clone(s.pick(s.scores)) }

// pixels is the number of places of an image.
func (s *Subject) pixels() int { return s.images.Height * s.images.Width }

// pick returns what the meter's option asks for.
func (s *Subject) pick(v scores) []float64 {
	if s.meter.opts.Score == Logit {
		return v.logit
	}
	return v.probability
}

// changed returns the scores of k changes of every image, [n, k].
func (s *Subject) changed(ctx context.Context, c change, k int, inputs func(p part) []*tensors.Tensor) (scores, error) {
	out := newScores(s.images.N * k)
	err := s.meter.run(ctx, c, s.images.N, k, inputs, func(i, j int, y []float32) { out.set(i*k+j, s.classes[i], y) })
	return out, err
}

// scores are two readings of the network's outputs for the subject's classes.
type scores struct{ probability, logit []float64 }

func newScores(n int) scores { return scores{make([]float64, n), make([]float64, n)} }

// set reads score i off the outputs y, before softmax.
func (s scores) set(i, class int, y []float32) {
	sum := 0.0
	for _, v := range y {
		sum += math.Exp(float64(v) - float64(y[class]))
	}
	s.probability[i], s.logit[i] = 1/sum, float64(y[class])
}

// memo keeps a value that is computed once. A failure is not kept.
type memo[T any] struct {
	mu    sync.Mutex
	done  bool
	value T
}

func (m *memo[T]) get(f func() (T, error)) (T, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.done {
		return m.value, nil
	}
	v, err := f()
	m.value, m.done = v, err == nil
	return v, err
}

// keep is a memo for each key.
type keep[K comparable, V any] struct {
	mu    sync.Mutex
	memos map[K]*memo[V]
}

func (k *keep[K, V]) get(key K, f func() (V, error)) (V, error) {
	k.mu.Lock()
	if k.memos == nil {
		k.memos = make(map[K]*memo[V])
	}
	m := k.memos[key]
	if m == nil {
		m = &memo[V]{}
		k.memos[key] = m
	}
	k.mu.Unlock()
	return m.get(f)
}
