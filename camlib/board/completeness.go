package board

import (
	"context"

	"github.com/camlab-go/camlab/camlib/metric"
)

var completeness = Entry{
	Metric: metric.Metric{
		Name: "completeness", Better: metric.Lower, Meaning: "what the map adds up to misses the score by, relative",
		Group: metric.Robust, // a matter of the factor
	},
	Over: AllImages,
	Compute: func(_ context.Context, c *Contestant) (*metric.Estimate, error) {
		r := c.Whole.Result
		if r.Residual == nil {
			return nil, nil // the method promises nothing
		}
		return c.Mean(metric.Completeness(r.Residual, r.Score))
	},
}
