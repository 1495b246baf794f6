package metric

import (
	"context"

	"github.com/gomlx/gomlx/core/tensors"
)

var averageDrop = Metric{
	Name: "average-drop", Better: Lower, Meaning: "share of the class's probability lost when only the map's part of the image is seen",
	Group: Faithful, Ranked: true, Relative: true,
	Compute: func(ctx context.Context, c *Case) ([]float64, error) { return c.AverageDrop(ctx) },
}

// AverageDrop returns by what share the class's probability falls when the image is
// seen through its map,
//
//	max(0, Y − O) / Y,
//
// the average drop of Chattopadhay et al. 2018 (Grad-CAM++, arXiv:1710.11063), who
// give its mean over images in per cent. Y is the probability of the class for the image x,
// O that for x ∘ m: m is the map at the image's size, values below zero set to zero,
// then min-max normalized to 0 to 1. A map that is flat then says nothing of where
// and gives the mask 0.
//
// One value per image, 0 to 1; lower is better. Probabilities whatever the
// evaluator's [Score]. It shares one pass of the network with [Case.Increase] and
// [Case.AverageGain].
func (c *Case) AverageDrop(ctx context.Context) ([]float64, error) {
	return c.compareMasked(ctx, func(y, o float64) float64 {
		if y == 0 {
			return 0 // in float64 only below e^-745: nothing can be lost
		}
		return max(0, y-o) / y
	})
}

// compareMasked gives each image's f(Y, O).
func (c *Case) compareMasked(ctx context.Context, f func(y, o float64) float64) ([]float64, error) {
	o, err := c.masked.Get(func() (scores, error) { return c.seenThrough(ctx) })
	if err != nil {
		return nil, within(err, "%s: masked images", c.Result.Method)
	}
	out := make([]float64, c.images.N)
	for i := range out {
		out[i] = f(c.scores.probability[i], o.probability[i])
	}
	return out, nil
}

// seenThrough returns the scores of x ∘ m.
func (c *Case) seenThrough(ctx context.Context) (scores, error) {
	x := c.images
	masked := make([]float32, len(x.Pixels))
	for i := range x.N {
		m := c.mapOf(i)
		low, high := max(0, m[0]), max(0, m[0])
		for _, v := range m {
			low, high = min(low, max(0, v)), max(high, v)
		}
		if low == high {
			continue // the mask 0
		}
		for p, v := range m {
			share := (max(0, v) - low) / (high - low)
			at := (i*c.pixels() + p) * x.Channels
			for channel := range x.Channels {
				masked[at+channel] = share * x.Pixels[at+channel]
			}
		}
	}
	return c.changed(ctx, asTheyAre, 1, func(p part) []*tensors.Tensor {
		return []*tensors.Tensor{tensorOf(x, masked, p)}
	})
}
