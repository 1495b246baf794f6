package board

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gomlx/compute"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/truth"
	"github.com/camlab-go/camlab/internal/exec"
)

// Common is what all rows of a board have in common.
type Common struct {
	Network *network.Network
	Seed    uint64
	Images  *metric.Batch // all images, with the classes that the network predicts
	Again   *metric.Batch // the first of them, for what makes maps again

	backend    compute.Backend
	mosaics    func() (*truth.Mosaics, error) // made once
	explainers exec.Cache[*network.Network, *cam.Explainer]
	planted    exec.Once[planted]
	walled     exec.Once[walled]
}

// prepare passes the images through the network.
func prepare(ctx context.Context, backend compute.Backend, net *network.Network, ds images.Dataset, opts Options) (*Common, error) {
	settings := metric.Options{Seed: opts.Seed}
	for _, e := range opts.Entries {
		if e.Economy != nil {
			e.Economy(&settings)
		}
	}
	evaluator, err := metric.New(backend, net, settings)
	if err != nil {
		return nil, err
	}
	all, err := images.FromDataset(ds, 0, opts.Images)
	if err != nil {
		return nil, fmt.Errorf("board: %w", err)
	}
	batch, err := evaluator.Prepare(ctx, all, nil)
	if err != nil {
		return nil, err
	}
	again, err := evaluator.Prepare(ctx, all.Part(0, opts.Again), batch.Classes()[:opts.Again])
	if err != nil {
		return nil, err
	}
	var mosaics exec.Once[*truth.Mosaics]
	return &Common{
		Network: net, Seed: opts.Seed, Images: batch, Again: again, backend: backend,
		mosaics: func() (*truth.Mosaics, error) {
			return mosaics.Get(func() (*truth.Mosaics, error) {
				return truth.NewMosaics(ds, opts.Mosaics, opts.Seed, truth.MosaicOptions{})
			})
		},
	}, nil
}

// explainer returns the one of a network.
func (o *Common) explainer(net *network.Network) (*cam.Explainer, error) {
	return o.explainers.Get(net, func() (*cam.Explainer, error) { return cam.New(o.backend, net, cam.Options{}) })
}

// Contestant is a row in the making: what an [Entry] computes from.
type Contestant struct {
	*Common
	Row
	Explain metric.Explain // makes the method's maps
	Whole   *metric.Case   // its maps of Images
	Part    *metric.Case   // its maps of Again

	method cam.Method // nil for a baseline
	cells  exec.Once[*cam.Result]
	shape  []float32 // the maps, each divided by its largest magnitude
}

// contestants are the rows to be: methods, and after them the baselines.
func (o *Common) contestants(methods []cam.Method) (all []*Contestant) {
	for _, m := range methods {
		m = Economical(m)
		s := m.Spec()
		all = append(all, &Contestant{
			Common: o, Row: Row{Name: s.Name, Setting: s.Setting}, method: m,
			Explain: func(ctx context.Context, net *network.Network, x images.Batch, classes []int) (*cam.Result, error) {
				e, err := o.explainer(net)
				if err != nil {
					return nil, err
				}
				return e.Explain(ctx, m, x, cam.Classes(classes...))
			},
		})
	}
	for _, b := range metric.Baselines(o.Seed) {
		all = append(all, &Contestant{Common: o, Row: Row{Name: b.Name, Baseline: true}, Explain: b.Explain})
	}
	return all
}

// makeMaps makes the maps of all images, the first of them apart, while the graphs are
// compiled.
func (c *Contestant) makeMaps(ctx context.Context) error {
	x, classes := c.Images.Images(), c.Images.Classes()
	n := min(100, (x.N+1)/2)
	var parts []*cam.Result
	for start, end := 0, n; start < x.N; start, end = end, x.N {
		clock := time.Now()
		r, err := c.Explain(ctx, c.Network, x.Part(start, end), classes[start:end])
		if err != nil {
			return fmt.Errorf("board: %w", err)
		}
		c.Milliseconds = float64(time.Since(clock).Microseconds()) / 1000 / float64(end-start)
		parts = append(parts, r)
	}
	all := join(parts...)
	var err error
	if c.Whole, err = c.Images.Case(all, c.Explain); err != nil {
		return err
	}
	first := make([]int, c.Again.Images().N)
	for i := range first {
		first[i] = i
	}
	part, err := truth.Pick(all, first, c.Again.Classes())
	if err != nil {
		return err
	}
	c.Part, err = c.Again.Case(part, c.Explain)
	return err
}

// join makes one result of those of parts of the images, each with a map of one class.
func join(parts ...*cam.Result) *cam.Result {
	all := *parts[0]
	for _, r := range parts[1:] {
		all.N += r.N
		all.Scores, all.Predicted = slices.Concat(all.Scores, r.Scores), slices.Concat(all.Predicted, r.Predicted)
		all.Class, all.Rival, all.Maps = slices.Concat(all.Class, r.Class), slices.Concat(all.Rival, r.Rival), slices.Concat(all.Maps, r.Maps)
		all.Score, all.Outcome = slices.Concat(all.Score, r.Score), slices.Concat(all.Outcome, r.Outcome)
		all.Closed = slices.Concat(all.Closed, r.Closed)
		if all.Residual != nil && r.Residual != nil {
			all.Residual = slices.Concat(all.Residual, r.Residual)
		} else {
			all.Residual = nil
		}
	}
	return &all
}

// same notes which of the earlier rows has the same maps, but for a factor, and returns it.
func (c *Contestant) same(earlier []*Contestant) *Contestant {
	c.shape = c.Whole.Result.Normalized(cam.PerImage).Maps
	for _, other := range earlier {
		if other.SameAs == "" && !c.Baseline && len(other.shape) == len(c.shape) && alike(other.shape, c.shape) {
			c.SameAs = other.Name
			return other
		}
	}
	return nil
}

func alike(a, b []float32) bool {
	for i, v := range a {
		if d := v - b[i]; d > 1e-4 || d < -1e-4 {
			return false
		}
	}
	return true
}

// forget drops what later rows do not need.
func (c *Contestant) forget() { c.Whole, c.Part, c.cells = nil, nil, exec.Once[*cam.Result]{} }

// Mean returns the estimate of the mean of values, with the board's seed, or err.
func (c *Contestant) Mean(values []float64, err error) (*metric.Estimate, error) {
	if err != nil {
		return nil, err
	}
	e, err := metric.Bootstrap(values, metric.Resampling{Seed: c.Seed})
	return &e, err
}
