package metric

import "context"

var roadMoRF = Metric{
	Name: "road-morf", Better: Lower, Meaning: "score without the map's highest pixels, which are imputed",
	Group: Faithful, Detail: true, Relative: true,
	Economy: halfGone,
	Compute: func(ctx context.Context, c *Case) ([]float64, error) { return removed(ctx, c, (*ROAD).MoRF) },
}

// MoRF returns each image's mean score when the most relevant pixels are removed
// first. Lower is better.
func (r *ROAD) MoRF() []float64 { return rowMeans(r.Most) }
