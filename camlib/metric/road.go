package metric

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/internal/parallel"
)

var road = Metric{
	Name: "road", Better: Higher, Meaning: "half of road-lerf less road-morf",
	Group: Faithful, Ranked: true, Relative: true,
	Economy: halfGone,
	Compute: func(ctx context.Context, c *Case) ([]float64, error) { return removed(ctx, c, (*ROAD).Combined) },
}

// halfGone is one level of ROAD.
func halfGone(o *Options) { o.ROAD.Percentages = []float64{50} }

// removed is a reading of a case's ROAD.
func removed(ctx context.Context, c *Case, read func(*ROAD) []float64) ([]float64, error) {
	r, err := c.ROAD(ctx)
	if err != nil {
		return nil, err
	}
	return read(r), nil
}

// ROADOptions are those of [Case.ROAD].
type ROADOptions struct {
	Percentages []float64 // of the pixels that are removed, between 0 and 100; nil is 20, 40, 60, 80
	Noise       float64   // standard deviation of the imputation's noise; 0 is 0.01, as in the paper's code; negative is none
}

func (o ROADOptions) orDefault() ROADOptions {
	o.Percentages = slices.Clone(o.Percentages)
	if len(o.Percentages) == 0 {
		o.Percentages = []float64{20, 40, 60, 80}
	}
	o.Noise = max(0, cmp.Or(o.Noise, 0.01))
	return o
}

func (o ROADOptions) check() error {
	for _, p := range o.Percentages {
		if !(p > 0 && p < 100) {
			return fmt.Errorf("metric: new: ROAD removes %v %% of the pixels, want more than 0 and less than 100", p)
		}
	}
	if math.IsNaN(o.Noise) || math.IsInf(o.Noise, 0) {
		return fmt.Errorf("metric: new: ROAD with noise of %v, want a finite number", o.Noise)
	}
	return nil
}

// ROAD holds the scores of images without some of their pixels.
type ROAD struct {
	Percentages []float64   // of the pixels that are gone
	Most        [][]float64 // without the most relevant pixels; one row per image, a score for each percentage
	Least       [][]float64 // without the least relevant
}

// Combined returns (LeRF − MoRF)/2 of each image, as pytorch-grad-cam's
// ROADCombined does. Higher is better.
func (r *ROAD) Combined() []float64 {
	out := r.LeRF()
	for i, m := range r.MoRF() {
		out[i] = (out[i] - m) / 2
	}
	return out
}

func rowMeans(rows [][]float64) []float64 {
	out := make([]float64, len(rows))
	for i, r := range rows {
		for _, v := range r {
			out[i] += v / float64(len(r))
		}
	}
	return out
}

// ROAD removes pixels and debiases: Rong et al. 2022 (arXiv:2202.00449). Those with
// the largest values of the map are removed (most relevant first), in another run
// those with the smallest (least relevant first), and replaced by noisy linear
// imputation: every removed pixel is the weighted mean of its
// neighbors,
//
//	x_p = Σ_q w_pq x_q / Σ_q w_pq + ε,   w = 1/6 beside, above and below, 1/12 diagonally,
//
// where neighbors outside the image are left out, and those that are removed too
// are unknowns of the same linear system. It is solved directly in float64, so that
// only float32's rounding is left, at most 1e-7. ε is noise that the seed fixes, the
// same for every image; it keeps the network from telling imputed pixels by their
// smoothness. Unlike that of a black patch, the shape of what is gone is not seen.
//
// The paper's figures are accuracies; these are scores of the class. Equal values
// of the map are in an order that the seed fixes.
func (c *Case) ROAD(ctx context.Context) (*ROAD, error) {
	return c.road.Get(func() (*ROAD, error) {
		ranks, err := c.rank()
		if err != nil {
			return nil, err
		}
		o, x := c.evaluator.opts.ROAD, c.images
		pixels, size := c.pixels(), c.pixels()*x.Channels
		noise := make([]float32, size)
		random := c.evaluator.random(imputationNoise)
		for i := range noise {
			noise[i] = float32(random.NormFloat64() * o.Noise)
		}
		levels := len(o.Percentages)
		s, err := c.changed(ctx, asTheyAre, 2*levels, func(p part) []*tensors.Tensor {
			k := p.k()
			imputed := make([]float32, p.n()*k*size)
			_ = parallel.Each(p.n()*k, func(at int) error {
				i, j := p.start+at/k, p.first+at%k
				count := int32(math.Round(o.Percentages[j%levels] / 100 * float64(pixels)))
				count = min(count, int32(pixels)-1) // something has to stay
				gone := make([]bool, pixels)
				for q, rank := range ranks[i*pixels : (i+1)*pixels] {
					if j >= levels { // the least relevant
						rank = int32(pixels) - 1 - rank
					}
					gone[q] = rank < count
				}
				impute(imputed[at*size:(at+1)*size], x.Pixels[i*size:(i+1)*size], gone, noise, x.Height, x.Width, x.Channels)
				return nil
			})
			return []*tensors.Tensor{tensors.FromFlatDataAndDimensions(imputed, p.n(), k, x.Height, x.Width, x.Channels)}
		})
		if err != nil {
			return nil, within(err, "%s: ROAD", c.Result.Method)
		}
		out := &ROAD{Percentages: slices.Clone(o.Percentages)}
		for row := range slices.Chunk(c.pick(s), 2*levels) {
			out.Most, out.Least = append(out.Most, row[:levels:levels]), append(out.Least, row[levels:])
		}
		return out, nil
	})
}
