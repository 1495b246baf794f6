package board

import (
	"context"
	"fmt"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/truth"
)

var blind = Entry{
	Metric: metric.Metric{
		Name: "blind", Better: metric.Lower, Meaning: "share of the map where the head sees nothing",
		Group: metric.Localized, Ranked: true, // methods that are the same on the network itself differ on a head that is not linear
	},
	Over: FirstImages,
	Compute: func(ctx context.Context, c *Contestant) (*metric.Estimate, error) {
		w, err := c.walled.Get(func() (walled, error) { return c.wall(ctx) })
		if err != nil {
			return nil, err
		}
		r, err := c.Explain(ctx, w.net, c.Again.Images(), c.Again.Classes())
		if err != nil {
			return nil, err
		}
		return c.Mean(truth.BlindShare(r, w.region))
	},
}

// walled is a network that is blind in the lower half of its grid.
type walled struct {
	net    *network.Network
	region truth.Truth
}

func (o *Common) wall(ctx context.Context) (w walled, err error) {
	e, err := o.explainer(o.Network)
	if err != nil {
		return w, err
	}
	r, err := e.Explain(ctx, cam.RandomCAM{}, o.Again.Images().Part(0, 1), cam.Predicted) // tells the size of the grid
	if err != nil {
		return w, fmt.Errorf("board: %w", err)
	}
	mask := make([]bool, r.Height*r.Width)
	for p := range mask {
		mask[p] = p/r.Width >= r.Height/2
	}
	if w.region, err = truth.New(1, r.Height, r.Width, mask); err != nil {
		return w, err
	}
	w.net, err = truth.Blind(o.Network, w.region)
	return w, err
}
