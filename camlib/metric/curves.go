package metric

import (
	"context"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/integrate"
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
		out[i] = integrate.Trapezoidal(c.Fraction, row)
	}
	return out
}

// area is the metric of curves.
func area(c *Curves, err error) ([]float64, error) {
	if err != nil {
		return nil, err
	}
	return c.AUC(), nil
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

// curves replaces pixels of one set of images by those of another.
func (c *Case) curves(ctx context.Context, name string, from []float32, first scores, to []float32, last scores) (*Curves, error) {
	ranks, err := c.rank()
	if err != nil {
		return nil, err
	}
	x, steps := c.images, c.evaluator.opts.Steps
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
