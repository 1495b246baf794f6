package metric

import "context"

var roadLeRF = Metric{
	Name: "road-lerf", Better: Higher, Meaning: "score without the map's lowest pixels, which are imputed",
	Group: Faithful, Detail: true, Relative: true,
	Economy: halfGone,
	Compute: func(ctx context.Context, c *Case) ([]float64, error) { return removed(ctx, c, (*ROAD).LeRF) },
}

// LeRF returns each image's mean score when the least relevant pixels are removed
// first. Higher is better.
func (r *ROAD) LeRF() []float64 { return rowMeans(r.Least) }
