package board

import (
	"context"

	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/camlib/truth"
)

var pointing = Entry{
	Metric: metric.Metric{
		Name: "pointing", Better: metric.Higher, Meaning: "share of maps whose highest place is in the class's cell of a mosaic",
		Group: metric.Localized, Ranked: true, Relative: true, Flat: new(1.0 / truth.Cells),
	},
	Over: AllMosaics,
	Compute: func(ctx context.Context, c *Contestant) (*metric.Estimate, error) {
		cells, squares, err := c.OnMosaics(ctx)
		if err != nil {
			return nil, err
		}
		hits, err := truth.Pointing(cells, squares, 0)
		return c.Mean(truth.PerMosaic(hits), err)
	},
}
