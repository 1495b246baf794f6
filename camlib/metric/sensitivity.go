package metric

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
)

var sensitivityMax = Metric{
	Name: "sensitivity-max", Better: Lower, Meaning: "largest relative change of the map when the image hardly changes",
	Group: Robust, Relative: true, Explain: true, Flat: new(0.0),
	Economy: func(o *Options) { o.Sensitivity.Samples = 2 },
	Compute: func(ctx context.Context, c *Case) ([]float64, error) { return c.SensitivityMax(ctx) },
}

// SensitivityOptions are those of [Case.SensitivityMax].
type SensitivityOptions struct {
	Radius  float64 // largest change of a value of an image; 0 is 0.02
	Samples int     // changed images for each image; 0 is 4
}

func (o SensitivityOptions) orDefault() SensitivityOptions {
	return SensitivityOptions{cmp.Or(o.Radius, 0.02), cmp.Or(o.Samples, 4)}
}

func (o SensitivityOptions) check() error {
	if !(o.Radius >= 0 && o.Radius <= 1) || o.Samples < 0 {
		return fmt.Errorf("metric: new: sensitivity with a radius of %v and %d samples, want 0 to 1, and 0 or more", o.Radius, o.Samples)
	}
	return nil
}

// SensitivityMax returns how much the map changes when the image hardly does,
//
//	SENS = max_{‖δ‖ ≤ r} ‖m(x + δ) − m(x)‖ / ‖m(x)‖,
//
// the max-sensitivity of Yeh et al. 2019 (arXiv:1901.09392), divided by the map's size
// so that methods compare. The maximum is over Samples draws of δ, uniform in −r to
// r for each value and cut where x + δ would leave 0 to 1, unless the images are
// Raw; the class stays the same. The draws are the seed's, the same for every image.
// ‖·‖ is the Euclidean norm at the image's size; a map of zeros is divided by 1. One
// value per image, 0 or more; lower is better, but a map that ignores the image has 0.
//
// It runs Explain Samples times on all images.
func (c *Case) SensitivityMax(ctx context.Context) ([]float64, error) {
	x, o := c.images, c.evaluator.opts.Sensitivity
	random := c.evaluator.random(neighbors)
	shift := make([]float32, len(x.Pixels)/x.N)
	out := make([]float64, x.N)
	for range o.Samples {
		for i := range shift {
			shift[i] = float32((2*random.Float64() - 1) * o.Radius)
		}
		near := x
		near.Pixels = slices.Clone(x.Pixels)
		for i := range near.Pixels {
			near.Pixels[i] += shift[i%len(shift)]
			if !near.Raw {
				near.Pixels[i] = min(1, max(0, near.Pixels[i]))
			}
		}
		maps, err := c.explain(ctx, "sensitivity", c.evaluator.net, near, c.classes)
		if err != nil {
			return nil, err
		}
		for i := range out {
			change, size := 0.0, 0.0
			m := maps[i*c.pixels() : (i+1)*c.pixels()]
			for p, v := range c.mapOf(i) {
				change = math.Hypot(change, float64(m[p])-float64(v))
				size = math.Hypot(size, float64(v))
			}
			if size == 0 {
				size = 1
			}
			out[i] = max(out[i], change/size)
		}
	}
	return out, nil
}
