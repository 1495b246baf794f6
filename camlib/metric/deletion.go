package metric

import "context"

var deletion = Metric{
	Name: "deletion", Better: Lower, Meaning: "mean score while the map's highest pixels are taken away first",
	Group: Faithful, Ranked: true, Relative: true,
	Economy: func(o *Options) { o.Steps, o.Deletion = 4, MeanColor },
	Compute: func(ctx context.Context, c *Case) ([]float64, error) { return area(c.Deletion(ctx)) },
}

// Deletion takes the pixels out of each image, those with the largest values of
// the map first,
//
//	s_j = score(x with the first round(j·P/J) of P pixels replaced),   j = 0 … J,
//
// the deletion of Petsiuk et al. 2018 (RISE, arXiv:1806.07421); the metric is [Curves.AUC], lower is better. Options.Deletion stands for the pixels,
// black as in the paper by default, and Options.Steps is J; the paper's own J is
// the number of pixels. The first score is the image's and the last the baseline
// image's, which all methods share, so J − 1 passes are run. Equal values of the map
// are in an order that the seed fixes.
func (c *Case) Deletion(ctx context.Context) (*Curves, error) {
	fill, err := c.fill(ctx, c.evaluator.opts.Deletion)
	if err != nil {
		return nil, err
	}
	return c.curves(ctx, "deletion", c.images.Pixels, c.scores, fill.pixels, fill.scores)
}
