package board

import (
	"context"

	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/camlib/truth"
)

var maxBoxAcc = Entry{
	Metric: metric.Metric{
		Name: "max-box-acc", Better: metric.Higher, Meaning: "MaxBoxAccV2: boxes around the map that fit the cell",
		Group: metric.Localized, Relative: true, Flat: new(0.0),
	},
	Over: AllMosaics,
	Compute: func(ctx context.Context, c *Contestant) (*metric.Estimate, error) {
		cells, squares, err := c.OnMosaics(ctx)
		if err != nil {
			return nil, err
		}
		hits, err := truth.MaxBoxAcc(cells, squares, truth.BoxOptions{})
		if err != nil {
			return nil, err
		}
		// It is a number of all maps together: the bootstrap draws mosaics.
		e := metric.BootstrapOf(hits.N/truth.Cells, metric.Resampling{Seed: c.Seed}, func(mosaics []int) float64 {
			var maps []int
			for _, m := range mosaics {
				for cell := range truth.Cells {
					maps = append(maps, m*truth.Cells+cell)
				}
			}
			return hits.Accuracy(maps)
		})
		return &e, nil
	},
}
