package metric

import "context"

var averageGain = Metric{
	Name: "average-gain", Better: Higher, Meaning: "share of the missing probability gained when only the map's part is seen",
	Group: Faithful, Ranked: true, Relative: true,
	Compute: func(ctx context.Context, c *Case) ([]float64, error) { return c.AverageGain(ctx) },
}

// AverageGain returns how much of what the class's probability lacks the map adds,
//
//	max(0, O − Y) / (1 − Y),
//
// the average gain of Zhang et al. 2023 (Opti-CAM, arXiv:2301.07002); O and Y as in
// [Case.AverageDrop]. One value per image, 0 to 1; higher is better.
func (c *Case) AverageGain(ctx context.Context) ([]float64, error) {
	return c.compareMasked(ctx, func(y, o float64) float64 {
		if o <= y {
			return 0 // also where Y is 1
		}
		return (o - y) / (1 - y)
	})
}
