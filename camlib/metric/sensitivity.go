package measure

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"

	"github.com/camlab-go/camlab/camlib/cam"
)

// Explain makes one map per image, of the class given for it.
type Explain func(ctx context.Context, net cam.Network, images cam.Images, classes []int) (*cam.Result, error)

// Explaining returns the Explain of a method. It keeps an explainer for each
// network that it meets, whose type must be comparable, as pointers are.
func Explaining(backend compute.Backend, method cam.Method, opts cam.Options) Explain {
	var explainers keep[cam.Network, *cam.Explainer]
	return func(ctx context.Context, net cam.Network, images cam.Images, classes []int) (*cam.Result, error) {
		e, err := explainers.get(net, func() (*cam.Explainer, error) { return cam.New(backend, net, opts) })
		if err != nil {
			return nil, err
		}
		return e.Explain(ctx, method, images, cam.Classes(classes...))
	}
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
		return fmt.Errorf("measure: new: sensitivity with a radius of %v and %d samples, want 0 to 1, and 0 or more", o.Radius, o.Samples)
	}
	return nil
}

// SensitivityMax returns how much the map changes when the image hardly does,
//
//	SENS = max_{‖δ‖ ≤ r} ‖m(x + δ) − m(x)‖ / ‖m(x)‖,
//
// the max-sensitivity of Yeh et al. 2019 (arXiv:1901.09392), divided by the map's size
// so that methods compare. The maximum is over Samples draws of δ, uniform in −r to
// r for each value and cut where x + δ would leave 0 to 1; the class stays the
// same. The draws are the seed's, the same for every image. ‖·‖ is the Euclidean
// norm at the image's size; a map of zeros is divided by 1. One value per image, 0
// or more; lower is better, but a map that ignores the image has 0.
//
// It runs Explain Samples times on all images.
func (c *Case) SensitivityMax(ctx context.Context) ([]float64, error) {
	x, o := c.images, c.meter.opts.Sensitivity
	random := c.meter.random(neighbours)
	shift := make([]float32, len(x.Pixels)/x.N)
	out := make([]float64, x.N)
	for range o.Samples {
		for i := range shift {
			shift[i] = float32((2*random.Float64() - 1) * o.Radius)
		}
		near := x
		near.Pixels = slices.Clone(x.Pixels)
		for i := range near.Pixels {
			near.Pixels[i] = min(1, max(0, near.Pixels[i]+shift[i%len(shift)]))
		}
		maps, err := c.explain(ctx, "sensitivity", c.meter.net, near, c.classes)
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

// explain makes maps of other images, classes or another network, at the images'
// size.
func (c *Case) explain(ctx context.Context, name string, net cam.Network, images cam.Images, classes []int) ([]float32, error) {
	if c.Explain == nil {
		return nil, fail(ErrExplain, "%s: %s: no Explain in the case, want the method's, see Explaining", c.Result.Method, name)
	}
	r, err := c.Explain(ctx, net, images, slices.Clone(classes))
	if err != nil {
		return nil, within(err, "%s: %s", c.Result.Method, name)
	}
	return c.enlarge(r, classes)
}
