package metric

import "context"

var randomLogit = Metric{
	Name: "random-logit", Better: Lower, Meaning: "rank correlation with the map of another class",
	Group: Robust, Ranked: true, Relative: true, Explain: true, Flat: new(1.0),
	Compute: func(ctx context.Context, c *Case) ([]float64, error) { return c.RandomLogit(ctx) },
}

// RandomLogit returns the Spearman rank correlation ([Spearman]) of each map with
// the map of another class, which the seed draws: the random-logit test of Sixt
// et al. 2020 (arXiv:1912.09818). A map that hardly depends on the class cannot
// say why it was this one. One value per image, −1 to 1; lower is better. It fails with
// [ErrClass] if the network has one class only, and with [ErrExplain].
func (c *Case) RandomLogit(ctx context.Context) ([]float64, error) {
	if c.numClasses < 2 {
		return nil, fail(ErrClass, "random logit: the network has one class, want another one to compare with")
	}
	random := c.evaluator.random(otherClass)
	others := make([]int, c.images.N)
	for i, class := range c.classes {
		others[i] = (class + 1 + random.IntN(c.numClasses-1)) % c.numClasses
	}
	maps, err := c.explain(ctx, "random logit", c.evaluator.net, c.images, others)
	if err != nil {
		return nil, err
	}
	return c.compare(nil, maps).Spearman, nil
}
