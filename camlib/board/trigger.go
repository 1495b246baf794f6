package board

import (
	"context"
	"slices"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/truth"
)

var trigger = Entry{
	Metric: metric.Metric{
		Name: "trigger", Better: metric.Higher, Meaning: "share of the map on a planted pattern that the class depends on",
		Group: metric.Localized, Ranked: true, Relative: true,
	},
	Over: FirstImages,
	Compute: func(ctx context.Context, c *Contestant) (*metric.Estimate, error) {
		p, err := c.planted.Get(c.plant)
		if err != nil {
			return nil, err
		}
		r, err := c.Explain(ctx, p.net, p.images, slices.Repeat([]int{triggered}, p.images.N))
		if err != nil {
			return nil, err
		}
		return c.Mean(truth.Energy(r, p.squares))
	},
}

// triggered is the class of the pattern.
const triggered = 0

// planted is a network with a trigger, images with the pattern, and where that is.
type planted struct {
	net     *network.Network
	images  images.Batch
	squares truth.Truth
}

func (o *Common) plant() (p planted, err error) {
	if p.net, err = truth.WithTrigger(o.Network, truth.Trigger{Class: triggered}); err != nil {
		return p, err
	}
	p.images, p.squares, err = truth.Stamp(o.Again.Images(), o.Seed)
	return p, err
}
