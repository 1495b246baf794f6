package metric

import (
	"cmp"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/camlab-go/camlab/internal/failure"
)

// Spearman returns the rank correlation of two maps of equal size: Pearson's
// correlation of the ranks of their values, where equal values have the mean of
// their ranks. It is −1 to 1: 1 for two flat maps, 0 if one alone is flat.
func Spearman(a, b []float32) (float64, error) {
	if err := checkPair("spearman", a, b); err != nil {
		return 0, err
	}
	return spearman(a, b), nil
}

func checkPair(name string, a, b []float32) error {
	if len(a) != len(b) || len(a) == 0 {
		return fail(ErrValues, "%s: %d and %d values, want as many, at least one", name, len(a), len(b))
	}
	for _, m := range [][]float32{a, b} {
		if bad := failure.NotFinite(m); bad >= 0 {
			return fail(ErrValues, "%s: value %d is %v, want finite ones", name, bad, m[bad])
		}
	}
	return nil
}

func spearman(a, b []float32) float64 {
	x, y := meanRanks(a), meanRanks(b)
	switch flatX, flatY := isFlat(x), isFlat(y); {
	case flatX && flatY:
		return 1
	case flatX || flatY:
		return 0
	}
	return max(-1, min(1, stat.Correlation(x, y, nil)))
}

func isFlat(ranks []float64) bool { return slices.Min(ranks) == slices.Max(ranks) }

// meanRanks returns the rank of each value from 0, equal ones sharing the mean.
func meanRanks(m []float32) []float64 {
	order := make([]int, len(m))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(m[i], m[j]) })
	ranks := make([]float64, len(m))
	for start := 0; start < len(order); {
		end := start + 1
		for end < len(order) && m[order[end]] == m[order[start]] {
			end++
		}
		for _, p := range order[start:end] {
			ranks[p] = float64(start+end-1) / 2
		}
		start = end
	}
	return ranks
}

// SSIM returns the structural similarity of two maps of equal size, row by row,
// each min-max normalized to 0 to 1 (a flat one to 0),
//
//	mean over windows of (2 μ_a μ_b + C₁)(2 σ_ab + C₂) / ((μ_a² + μ_b² + C₁)(σ_a² + σ_b² + C₂)),
//
// Wang et al. 2004 (IEEE TIP 13(4)), equation 13, with C₁ = 0.01² and C₂ = 0.03², over all
// windows of 7 × 7 pixels inside the map (smaller ones in smaller maps) and sample
// variances, as scikit-image's structural_similarity has it. It is −1 to 1.
func SSIM(a, b []float32, height, width int) (float64, error) {
	if err := checkPair("ssim", a, b); err != nil {
		return 0, err
	}
	if height < 1 || width < 1 || height*width != len(a) {
		return 0, fail(ErrValues, "ssim: %d values, want %d×%d", len(a), height, width)
	}
	return ssim(a, b, height, width), nil
}

func ssim(a, b []float32, height, width int) float64 {
	const c1, c2 = 0.01 * 0.01, 0.03 * 0.03
	x, y := toUnit(a), toUnit(b)
	down, right := min(7, height), min(7, width)
	n := float64(down * right)
	sum, windows := 0.0, 0
	for top := 0; top+down <= height; top++ {
		for left := 0; left+right <= width; left++ {
			sx, sy, sxx, syy, sxy := 0.0, 0.0, 0.0, 0.0, 0.0
			for r := top; r < top+down; r++ {
				for p := r*width + left; p < r*width+left+right; p++ {
					sx, sy = sx+x[p], sy+y[p]
					sxx, syy, sxy = sxx+x[p]*x[p], syy+y[p]*y[p], sxy+x[p]*y[p]
				}
			}
			mx, my, sample := sx/n, sy/n, max(1, n-1)
			vx, vy, vxy := (sxx-n*mx*mx)/sample, (syy-n*my*my)/sample, (sxy-n*mx*my)/sample
			sum += (2*mx*my + c1) * (2*vxy + c2) / ((mx*mx + my*my + c1) * (vx + vy + c2))
			windows++
		}
	}
	return sum / float64(windows)
}

// toUnit brings values to 0 to 1.
func toUnit(m []float32) []float64 {
	low, high := float64(slices.Min(m)), float64(slices.Max(m))
	out := make([]float64, len(m))
	if high > low {
		for i, v := range m {
			out[i] = (float64(v) - low) / (high - low)
		}
	}
	return out
}
