package measure

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
)

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
			return fmt.Errorf("measure: new: ROAD removes %v %% of the pixels, want more than 0 and less than 100", p)
		}
	}
	if math.IsNaN(o.Noise) || math.IsInf(o.Noise, 0) {
		return fmt.Errorf("measure: new: ROAD with noise of %v, want a finite number", o.Noise)
	}
	return nil
}

// ROAD holds the scores of images without some of their pixels.
type ROAD struct {
	Percentages []float64   // of the pixels that are gone
	Most        [][]float64 // without the most relevant pixels; one row per image, a score for each percentage
	Least       [][]float64 // without the least relevant
}

// MoRF returns each image's mean score when the most relevant pixels are removed
// first. Lower is better.
func (r *ROAD) MoRF() []float64 { return rowMeans(r.Most) }

// LeRF returns each image's mean score when the least relevant pixels are removed
// first. Higher is better.
func (r *ROAD) LeRF() []float64 { return rowMeans(r.Least) }

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
// neighbours,
//
//	x_p = Σ_q w_pq x_q / Σ_q w_pq + ε,   w = 1/6 beside, above and below, 1/12 diagonally,
//
// where neighbours outside the image are left out, and those that are removed too
// are unknowns of the same linear system. It is solved directly in float64, so that
// only float32's rounding is left, at most 1e-7. ε is noise that the seed fixes, the
// same for every image; it keeps the network from telling imputed pixels by their
// smoothness. Unlike that of a black patch, the shape of what is gone is not seen.
//
// The paper's figures are accuracies; these are scores of the class. Equal values
// of the map are in an order that the seed fixes.
func (c *Case) ROAD(ctx context.Context) (*ROAD, error) {
	return c.road.get(func() (*ROAD, error) {
		ranks, err := c.rank()
		if err != nil {
			return nil, err
		}
		o, x := c.meter.opts.ROAD, c.images
		pixels, size := c.pixels(), c.pixels()*x.Channels
		noise := make([]float32, size)
		random := c.meter.random(imputationNoise)
		for i := range noise {
			noise[i] = float32(random.NormFloat64() * o.Noise)
		}
		levels := len(o.Percentages)
		s, err := c.changed(ctx, asTheyAre, 2*levels, func(p part) []*tensors.Tensor {
			k := p.k()
			imputed := make([]float32, p.n()*k*size)
			inParallel(p.n()*k, func(at int) {
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

// beside are a pixel's neighbours and their weights.
var beside = []struct {
	down, right int
	weight      float64
}{
	{-1, -1, 1. / 12}, {-1, 0, 1. / 6}, {-1, 1, 1. / 12}, {0, -1, 1. / 6},
	{0, 1, 1. / 6}, {1, -1, 1. / 12}, {1, 0, 1. / 6}, {1, 1, 1. / 12},
}

// impute writes image x with the pixels that are gone replaced. At least one must
// have stayed.
//
// The system of the removed pixels, in the order of rows, is symmetric, positive
// definite and banded: A = L Lᵀ with no entry of L left of A's first entry in its
// row. Solving it directly leaves no residual to bound.
func impute(out, x []float32, gone []bool, noise []float32, height, width, channels int) {
	copy(out, x)
	number := make([]int, len(gone)) // of the unknown at each pixel
	var unknowns []int
	for p, g := range gone {
		if g {
			number[p] = len(unknowns)
			unknowns = append(unknowns, p)
		}
	}
	n := len(unknowns)
	first := make([]int, n)      // column of the first entry of each row of L
	rows := make([][]float64, n) // its entries from there to the diagonal
	right := make([]float64, n*channels)
	for i, p := range unknowns {
		row, column := p/width, p%width
		first[i] = i
		var entries [4]struct {
			column int
			weight float64
		}
		found, sum := 0, 0.0
		for _, b := range beside {
			r, c := row+b.down, column+b.right
			if r < 0 || r >= height || c < 0 || c >= width {
				continue
			}
			q := r*width + c
			sum += b.weight
			switch {
			case !gone[q]:
				for k := range channels {
					right[i*channels+k] += b.weight * float64(x[q*channels+k])
				}
			case q < p: // the upper half follows by symmetry
				entries[found].column, entries[found].weight = number[q], b.weight
				first[i] = min(first[i], number[q])
				found++
			}
		}
		rows[i] = make([]float64, i-first[i]+1)
		rows[i][i-first[i]] = sum
		for _, e := range entries[:found] {
			rows[i][e.column-first[i]] = -e.weight
		}
		factor(rows, first, i)
	}
	for i := range n { // L y = right
		solution := right[i*channels : (i+1)*channels]
		for j, l := range rows[i][:i-first[i]] {
			for k := range solution {
				solution[k] -= l * right[(first[i]+j)*channels+k]
			}
		}
		for k := range solution {
			solution[k] /= rows[i][i-first[i]]
		}
	}
	for i := n - 1; i >= 0; i-- { // Lᵀ x = y
		solution := right[i*channels : (i+1)*channels]
		for k := range solution {
			solution[k] /= rows[i][i-first[i]]
		}
		for j, l := range rows[i][:i-first[i]] {
			for k := range solution {
				right[(first[i]+j)*channels+k] -= l * solution[k]
			}
		}
	}
	for i, p := range unknowns {
		for k := range channels {
			at := p*channels + k
			out[at] = float32(right[i*channels+k]) + noise[at]
		}
	}
}

// factor turns row i of A into that of L, once the rows above are.
func factor(rows [][]float64, first []int, i int) {
	row := rows[i]
	for j := first[i]; j < i; j++ {
		from := max(first[i], first[j])
		above := rows[j]
		mine, theirs := row[from-first[i]:j-first[i]], above[from-first[j]:j-first[j]]
		row[j-first[i]] = (row[j-first[i]] - dot(mine, theirs)) / above[j-first[j]]
	}
	left := row[:i-first[i]]
	row[i-first[i]] = math.Sqrt(row[i-first[i]] - dot(left, left))
}

// dot has four sums, since each addition has to wait for the one before.
func dot(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		s0 += v * b[i]
	}
	return s0 + s1 + s2 + s3
}
