package metric

import (
	"cmp"
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/internal/parallel"
)

var infidelity = Metric{
	Name: "infidelity", Better: Lower, Meaning: "squared error of the score's change as the map foretells it",
	Group: Faithful, Ranked: true, Relative: true,
	Economy: func(o *Options) { o.Infidelity.Perturbations = 16 },
	Compute: func(ctx context.Context, c *Case) ([]float64, error) { return c.Infidelity(ctx) },
}

// InfidelityOptions are those of [Case.Infidelity].
type InfidelityOptions struct {
	Perturbations int     // of each image; 0 is 32
	Noise         bool    // Gaussian noise instead of squares
	Side          int     // of a square, in pixels; 0 is a quarter of the image's shorter side
	Fill          Fill    // what stands in a square; the zero value is Black
	SD            float64 // of the noise; 0 is 0.1
	Unscaled      bool    // compare the map's values as they are, without β
}

func (o InfidelityOptions) orDefault() InfidelityOptions {
	o.Perturbations, o.SD, o.Fill = cmp.Or(o.Perturbations, 32), cmp.Or(o.SD, 0.1), cmp.Or(o.Fill, Black)
	return o
}

func (o InfidelityOptions) check() error {
	if o.Perturbations < 0 || o.Side < 0 || !(o.SD >= 0 && o.SD < 1e3) {
		return fmt.Errorf("metric: new: infidelity with %d perturbations, squares of %d and noise of %v, want 0 or more", o.Perturbations, o.Side, o.SD)
	}
	return nil
}

// perturbed are the images' perturbations, the same for each, and what they do.
type perturbed struct {
	shares []float32 // I, [perturbations, height, width]
	lost   []float64 // f(x) − f(x perturbed), [n, perturbations]
}

// Infidelity returns how badly the map predicts what perturbations of the image do
// to the score f,
//
//	INFD = mean_I (β Σ_p I_p m_p − (f(x) − f(x − I)))²,
//
// definition 2.1 of Yeh et al. 2019 (arXiv:1901.09392) with the map m, at the
// image's size, for the explanation Φ. One value per image, 0 or more, in squared
// units of the score; lower is better.
//
// The perturbations take away squares at places that the seed fixes: I_p is 1 in
// the square and 0 elsewhere, and a pixel's m_p is read as its contribution to the
// score, as with the paper's Φ that is multiplied by the input. With Noise,
// I ~ N(0, SD²) is taken from all channels of a pixel, and m_p is read as the score's
// slope along gray.
//
// β = max(0, Σ_I ⟨I, m⟩ Δ / Σ_I ⟨I, m⟩²), with Δ the loss of score, is the
// scaling of the map that suits it best, one for each image: the units of methods
// differ. It is never negative, since a map that says the opposite is
// wrong. A map that predicts no change anywhere has mean_I Δ². With Unscaled, β = 1.
//
// The scores of perturbed images are computed once for all methods.
func (c *Case) Infidelity(ctx context.Context) ([]float64, error) {
	all, err := c.perturbed.Get(func() (perturbed, error) { return c.perturb(ctx) })
	if err != nil {
		return nil, within(err, "infidelity: perturbed images")
	}
	out := make([]float64, c.images.N)
	k := len(all.lost) / c.images.N
	err = parallel.Each(c.images.N, func(i int) error {
		lost, said := all.lost[i*k:(i+1)*k], make([]float64, k)
		m := c.mapOf(i)
		own, both := 0.0, 0.0
		for j := range said {
			for p, share := range all.shares[j*len(m) : (j+1)*len(m)] {
				said[j] += float64(share) * float64(m[p])
			}
			own += said[j] * said[j]
			both += said[j] * lost[j]
		}
		beta := 1.0
		if !c.evaluator.opts.Infidelity.Unscaled {
			beta = 0
			if own > 0 && both > 0 {
				beta = both / own
			}
		}
		for j := range said {
			miss := beta*said[j] - lost[j]
			out[i] += miss * miss / float64(k)
		}
		return nil
	})
	return out, err
}

// perturb computes the scores of the perturbed images.
func (b *Batch) perturb(ctx context.Context) (perturbed, error) {
	o, x := b.evaluator.opts.Infidelity, b.images
	random := b.evaluator.random(perturbations)
	v := perturbed{shares: make([]float32, o.Perturbations*b.pixels())}
	other := make([]float32, len(x.Pixels))
	if o.Noise {
		// A whole share is one step of gray down, x − 1.
		for i, p := range x.Pixels {
			other[i] = p - 1
		}
		for i := range v.shares {
			v.shares[i] = float32(random.NormFloat64() * o.SD)
		}
	} else {
		other = o.Fill.of(x)
		side := cmp.Or(o.Side, max(1, min(x.Height, x.Width)/4))
		height, width := min(side, x.Height), min(side, x.Width)
		for j := range o.Perturbations {
			top, left := random.IntN(x.Height-height+1), random.IntN(x.Width-width+1)
			for row := range height {
				at := j*b.pixels() + (top+row)*x.Width + left
				for column := range width {
					v.shares[at+column] = 1
				}
			}
		}
	}
	after, err := b.changed(ctx, blend, o.Perturbations, func(p part) []*tensors.Tensor {
		return []*tensors.Tensor{
			batchOf(x, x.Pixels, p), batchOf(x, other, p),
			tensors.FromFlatDataAndDimensions(v.shares[p.first*b.pixels():p.last*b.pixels()], p.k(), x.Height, x.Width),
		}
	})
	if err != nil {
		return perturbed{}, err
	}
	before := b.pick(b.scores)
	for i, score := range b.pick(after) {
		v.lost = append(v.lost, before[i/o.Perturbations]-score)
	}
	return v, nil
}
