package metric

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/gomlx/compute"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/exec"
)

// Options of an [Evaluator]. The zero value is the default.
type Options struct {
	Batch        int   // changed images in one run of the network at most; 0 is 32
	Score        Score // what deletion, insertion, ROAD and infidelity look at
	Steps        int   // intervals of the deletion and insertion curves; 0 is 8
	Deletion     Fill  // what stands for a deleted pixel; the zero value is Black
	Insertion    Fill  // what insertion starts from; the zero value is Blurred
	ROAD         ROADOptions
	Infidelity   InfidelityOptions
	Sensitivity  SensitivityOptions
	RandomScopes []string // scopes that [Case.Randomization] re-draws; nil is all
	Seed         uint64   // of everything that is drawn
}

// Score is what is read off the network for an image's class.
type Score int

// The readings of a class.
const (
	Probability Score = iota // P_c = softmax(y)_c, as in the papers
	Logit                    // y_c, the score before softmax
)

// Evaluator measures maps of one network on one backend. It compiles a graph the
// first time that it meets a number of images, leaves the network as it is, and
// may be used by many goroutines at once. The network must not be trained
// meanwhile: what its scores were is kept.
type Evaluator struct {
	backend compute.Backend
	net     *network.Network
	opts    Options

	graphs exec.Cache[change, *exec.Graph]
	orders exec.Cache[int, tieOrder] // by number of pixels
	// randomized are copies of the network, by what was drawn anew. They are as many as
	// sets of scopes were asked for.
	randomized exec.Cache[string, *network.Network]
}

// New returns an evaluator of a network. It fails when the network is not whole, see
// [network.Network.Check], and when an option is out of its range.
func New(backend compute.Backend, net *network.Network, opts Options) (*Evaluator, error) {
	if backend == nil {
		return nil, errors.New("metric: new: no backend, want one")
	}
	if err := net.Check(); err != nil {
		return nil, fmt.Errorf("metric: new: %w", err)
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	opts.Batch, opts.Steps = cmp.Or(opts.Batch, exec.Batch), cmp.Or(opts.Steps, 8)
	opts.Deletion, opts.Insertion = cmp.Or(opts.Deletion, Black), cmp.Or(opts.Insertion, Blurred)
	opts.ROAD, opts.Infidelity, opts.Sensitivity = opts.ROAD.orDefault(), opts.Infidelity.orDefault(), opts.Sensitivity.orDefault()
	return &Evaluator{backend: backend, net: net, opts: opts}, nil
}

func (o Options) check() error {
	if o.Batch < 0 || o.Steps < 0 {
		return fmt.Errorf("metric: new: batch of %d, %d steps, want 0 or more", o.Batch, o.Steps)
	}
	if o.Score < Probability || o.Score > Logit {
		return fmt.Errorf("metric: new: score %d, want Probability or Logit", o.Score)
	}
	for _, f := range []Fill{o.Deletion, o.Insertion, o.Infidelity.Fill} {
		if f < 0 || f > Blurred {
			return fmt.Errorf("metric: new: fill %d, want Black, MeanColor or Blurred", f)
		}
	}
	return errors.Join(o.ROAD.check(), o.Infidelity.check(), o.Sensitivity.check())
}

// What is drawn from the seed, each from a stream of its own.
const (
	ties = iota + 1
	imputationNoise
	perturbations
	neighbors
	parameters
	otherClass
)

func (e *Evaluator) random(stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(e.opts.Seed, stream))
}
