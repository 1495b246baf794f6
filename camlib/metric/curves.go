package measure

import (
	"context"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
)

// Curves are the scores of images as more and more of their pixels are changed.
type Curves struct {
	Fraction []float64   // of the pixels that are changed, 0 to 1, evenly apart
	Scores   [][]float64 // one row per image, a score for each fraction
}

// AUC returns the area under each image's curve by the trapezoid rule: the mean
// score over all fractions.
func (c *Curves) AUC() []float64 {
	out := make([]float64, len(c.Scores))
	for i, row := range c.Scores {
		for j := 1; j < len(row); j++ {
			out[i] += (row[j-1] + row[j]) / 2 * (c.Fraction[j] - c.Fraction[j-1])
		}
	}
	return out
}

// Mean returns the curve's mean over the images.
func (c *Curves) Mean() []float64 {
	out := make([]float64, len(c.Fraction))
	for _, row := range c.Scores {
		for j, v := range row {
			out[j] += v / float64(len(c.Scores))
		}
	}
	return out
}

// Deletion takes the pixels out of each image, those with the largest values of
// the map first,
//
//	s_j = score(x with the first round(j·P/J) of P pixels replaced),   j = 0 … J,
//
// the deletion of Petsiuk et al. 2018 (RISE, arXiv:1806.07421); the metric is [Curves.AUC], lower is better. Options.Deletion stands for the pixels,
// black as in the paper by default, and Options.Steps is J; the paper's own J is
// the number of pixels. The first score is the image's and the last the baseline
// image's, which all methods share, so J − 1 passes are run. Equal values of the map
// are in an order that the seed fixes.
func (c *Case) Deletion(ctx context.Context) (*Curves, error) {
	fill, err := c.fill(ctx, c.meter.opts.Deletion)
	if err != nil {
		return nil, err
	}
	return c.curves(ctx, "deletion", c.images.Pixels, c.scores, fill.pixels, fill.scores)
}

// Insertion puts the pixels of each image onto a baseline image, those with the
// largest values of the map first: the insertion of Petsiuk et al. 2018 (RISE,
// arXiv:1806.07421), see [Case.Deletion]. The metric is [Curves.AUC],
// higher is better. Options.Insertion is the baseline, blurred as in the paper by
// default.
func (c *Case) Insertion(ctx context.Context) (*Curves, error) {
	fill, err := c.fill(ctx, c.meter.opts.Insertion)
	if err != nil {
		return nil, err
	}
	return c.curves(ctx, "insertion", fill.pixels, fill.scores, c.images.Pixels, c.scores)
}

// curves replaces pixels of one set of images by those of another.
func (c *Case) curves(ctx context.Context, name string, from []float32, first scores, to []float32, last scores) (*Curves, error) {
	ranks, err := c.rank()
	if err != nil {
		return nil, err
	}
	x, steps := c.images, c.meter.opts.Steps
	counts := make([]int32, steps+1)
	out := &Curves{Fraction: make([]float64, steps+1)}
	for j := range counts {
		out.Fraction[j] = float64(j) / float64(steps)
		counts[j] = int32(math.Round(float64(j*c.pixels()) / float64(steps)))
	}
	counts = counts[1:steps]
	var between []float64
	if len(counts) > 0 {
		s, err := c.changed(ctx, replace, len(counts), func(p part) []*tensors.Tensor {
			return []*tensors.Tensor{
				batchOf(x, from, p), batchOf(x, to, p),
				tensors.FromFlatDataAndDimensions(ranks[p.start*c.pixels():p.end*c.pixels()], p.n(), x.Height, x.Width),
				tensors.FromFlatDataAndDimensions(counts[p.first:p.last], p.k()),
			}
		})
		if err != nil {
			return nil, within(err, "%s: %s", c.Result.Method, name)
		}
		between = c.pick(s)
	}
	for i := range x.N {
		k := len(counts)
		row := append([]float64{c.pick(first)[i]}, between[i*k:(i+1)*k]...)
		out.Scores = append(out.Scores, append(row, c.pick(last)[i]))
	}
	return out, nil
}
