package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backend"
)

// Plan is what a training will take.
type Plan struct {
	Config        Config  `json:"config"` // with numbers for zeros
	Parameters    int     `json:"parameters"`
	Images        int     `json:"images"`       // an epoch
	Steps         int     `json:"steps"`        // an epoch
	ForwardFLOP   float64 `json:"forward_flop"` // of one image: twice the multiplications of its convolutions and products, as direct sums
	Checkpoint    int     `json:"checkpoint"`   // bytes of one, about
	ImagesASecond float64 `json:"images_a_second"`
	// Seconds are those of all epochs' steps, without the evaluations, from the steps timed.
	Seconds float64 `json:"seconds"`
}

// FLOP is the work of the whole training, forward and backward, which is about three times the
// forward pass.
func (p *Plan) FLOP() float64 {
	return 3 * p.ForwardFLOP * float64(p.Images) * float64(p.Config.Epochs)
}

// planSteps are how many steps are timed, after one that is compiled.
const planSteps = 4

// NewPlan looks at a training and makes its first steps, to time them. The network is left as
// it was, and nothing is written.
func NewPlan(ctx context.Context, b compute.Backend, net *network.Network, train, test images.Dataset, config Config) (*Plan, error) {
	config.Dir, config.OnEpoch, config.Start = "", nil, ""
	c, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := c.check(net, train, test); err != nil {
		return nil, err
	}
	if net, err = net.Clone(); err != nil {
		return nil, fmt.Errorf("train: plan: %w", err)
	}
	p := &Plan{Config: c, Parameters: net.Store.NumParameters()}
	ctx, stop := context.WithCancelCause(ctx)
	enough := errors.New("enough steps were timed")
	var first time.Time
	config.OnStep = func(at Progress) {
		switch (at.Epoch-1)*at.Steps + at.Step {
		case 1:
			first = time.Now()
		case 1 + planSteps:
			p.ImagesASecond = planSteps * float64(c.BatchSize) / time.Since(first).Seconds()
			stop(enough)
		}
	}
	h, err := Train(ctx, b, net, train, test, config)
	if err != nil && !errors.Is(context.Cause(ctx), enough) {
		return nil, err
	}
	p.Images, p.Steps = h.perEpoch()
	if p.ImagesASecond == 0 { // there are fewer steps
		p.ImagesASecond = float64(p.Images*c.Epochs) / h.Seconds()
	}
	p.Seconds = float64(p.Images*c.Epochs) / p.ImagesASecond
	p.Checkpoint = content{net.Name, parameters(net, c.update())}.room()
	if p.ForwardFLOP, err = forwardFLOP(net, train.Size()); err != nil {
		return nil, err
	}
	return p, nil
}

// forwardFLOP counts the work of a network on one image: in a graph for the pure-Go backend,
// where every convolution is a direct sum.
func forwardFLOP(net *network.Network, size images.Size) (flop float64, err error) {
	b, err := backend.Go()
	if err != nil {
		return 0, fmt.Errorf("train: plan: %w", err)
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("train: plan: %v", r)
		}
	}()
	g := graph.NewGraph(b, "plan")
	defer g.Finalize()
	net.Forward(net.Store.RootScope(), graph.Parameter(g, "x", shapes.Make(dtypes.Float32, 1, size.Height, size.Width, size.Channels)))
	for _, n := range g.Nodes() {
		flop += 2 * multiplications(n)
	}
	return flop, nil
}

// multiplications are those of a convolution or a product.
func multiplications(n *graph.Node) float64 {
	in := n.Inputs()
	size := func(n *graph.Node) float64 { return float64(n.Shape().Size()) }
	switch n.Type() {
	case graph.NodeTypeConvGeneral:
		return size(n) * size(in[1]) / float64(n.Shape().Dim(-1))
	case graph.NodeTypeDotGeneral:
		// One axis is summed over: [batch…, m…, k] by [batch…, n…, k] is [batch…, m…, n…].
		batch := 1.0
		for _, d := range n.Shape().Dimensions[:max(0, in[0].Rank()+in[1].Rank()-2-n.Rank())] {
			batch *= float64(d)
		}
		return size(n) * math.Sqrt(size(in[0])*size(in[1])/size(n)/batch)
	}
	return 0
}

// String says it in a few lines.
func (p *Plan) String() string {
	c := p.Config
	var b strings.Builder
	line := func(what, format string, args ...any) {
		fmt.Fprintf(&b, "%-16s %s\n", what, fmt.Sprintf(format, args...))
	}
	line("parameters", "%d", p.Parameters)
	line("epochs", "%d of %d images, %d steps of %d", c.Epochs, p.Images, p.Steps, c.BatchSize)
	line("forward pass", "%.3g GFLOP an image", p.ForwardFLOP/1e9)
	line("whole training", "%.3g PFLOP, about", p.FLOP()/1e15)
	line("checkpoint", "%.3g MB", float64(p.Checkpoint)/1e6)
	line("speed", "%.0f images a second, %d steps timed: %.0f GFLOP/s", p.ImagesASecond, planSteps, 3*p.ForwardFLOP*p.ImagesASecond/1e9)
	line("time", "%s, without the evaluations", (time.Duration(p.Seconds) * time.Second))
	return b.String()
}
