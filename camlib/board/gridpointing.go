package board

import (
	"context"

	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/camlib/truth"
)

var gridPointing = Entry{
	Metric: metric.Metric{
		Name: "grid-pointing", Better: metric.Higher, Meaning: "share of a class's map that is in its cell of a mosaic; chance is 0.25",
		Group: metric.Localized, Ranked: true, Relative: true, Flat: new(1.0 / truth.Cells),
	},
	Over: AllMosaics,
	Compute: func(ctx context.Context, c *Contestant) (*metric.Estimate, error) {
		cells, squares, err := c.OnMosaics(ctx)
		if err != nil {
			return nil, err
		}
		shares, err := truth.Energy(cells, squares)
		return c.Mean(truth.PerMosaic(shares), err)
	},
}
