package metric

import "context"

var insertion = Metric{
	Name: "insertion", Better: Higher, Meaning: "mean score while the map's highest pixels are put into the blurred image first",
	Group: Faithful, Ranked: true, Relative: true,
	Economy: func(o *Options) { o.Steps = 4 },
	Compute: func(ctx context.Context, c *Case) ([]float64, error) { return area(c.Insertion(ctx)) },
}

// Insertion puts the pixels of each image onto a baseline image, those with the
// largest values of the map first: the insertion of Petsiuk et al. 2018 (RISE,
// arXiv:1806.07421), see [Case.Deletion]. The metric is [Curves.AUC],
// higher is better. Options.Insertion is the baseline, blurred as in the paper by
// default.
func (c *Case) Insertion(ctx context.Context) (*Curves, error) {
	fill, err := c.fill(ctx, c.evaluator.opts.Insertion)
	if err != nil {
		return nil, err
	}
	return c.curves(ctx, "insertion", fill.pixels, fill.scores, c.images.Pixels, c.scores)
}
