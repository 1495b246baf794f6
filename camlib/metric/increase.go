package metric

import "context"

var increase = Metric{
	Name: "increase", Better: Higher, Meaning: "share of images whose class is more probable when only the map's part is seen",
	Group: Faithful, Ranked: true, Relative: true,
	Compute: func(ctx context.Context, c *Case) ([]float64, error) { return c.Increase(ctx) },
}

// Increase returns 1 for an image whose class is more probable seen through the map
// than without it, else 0,
//
//	[O > Y],
//
// the increase in confidence of Chattopadhay et al. 2018 (Grad-CAM++,
// arXiv:1710.11063), who give its mean over images in per cent; O and Y as in [Case.AverageDrop]. Higher is better.
func (c *Case) Increase(ctx context.Context) ([]float64, error) {
	return c.compareMasked(ctx, func(y, o float64) float64 {
		if o > y {
			return 1
		}
		return 0
	})
}
