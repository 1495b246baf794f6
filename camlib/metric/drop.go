package measure

import (
	"context"

	"github.com/gomlx/gomlx/core/tensors"
)

// AverageDrop returns by what share the class's probability falls when the image is
// seen through its map,
//
//	max(0, Y − O) / Y,
//
// the average drop of Chattopadhay et al. 2018 (Grad-CAM++, arXiv:1710.11063), who
// give its mean over images in per cent. Y is the probability of the class for the image x,
// O that for x ∘ m: m is the map at the image's size, values below zero set to zero,
// then min-max normalised to 0 to 1. A map that is flat then says nothing of where
// and gives the mask 0.
//
// One value per image, 0 to 1; lower is better. Probabilities whatever the
// meter's [Score]. It shares one pass of the network with [Case.Increase] and
// [Case.AverageGain].
func (c *Case) AverageDrop(ctx context.Context) ([]float64, error) {
	return c.compareMasked(ctx, func(y, o float64) float64 {
		if y == 0 {
			return 0 // in float64 only below e^-745: nothing can be lost
		}
		return max(0, y-o) / y
	})
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

// compareMasked gives each image's f(Y, O).
func (c *Case) compareMasked(ctx context.Context, f func(y, o float64) float64) ([]float64, error) {
	o, err := c.masked.get(func() (scores, error) { return c.seenThrough(ctx) })
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
