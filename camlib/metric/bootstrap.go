package metric

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/camlab-go/camlab/internal/failure"
)

// Estimate is a mean over images or trainings with its 95 % interval.
type Estimate struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	N    int     `json:"n"` // values
}

// String returns the estimate with four digits, as "0.1234 [0.1200, 0.1270]".
func (e Estimate) String() string { return fmt.Sprintf("%.4g [%.4g, %.4g]", e.Mean, e.Low, e.High) }

// Resampling are the options of [Bootstrap]. The zero value is the default.
type Resampling struct {
	Resamples int // 0 is 1,000
	Seed      uint64
}

// Bootstrap returns the mean of the values and its 95 % percentile interval: the
// 2.5th and 97.5th percentile, linearly interpolated, of the means of resamples
// of as many values, drawn with replacement (Efron & Tibshirani 1993, chapter
// 13). Equal seeds and numbers of values draw the same images, so estimates of
// several methods share their luck. It fails with [ErrValues].
func Bootstrap(values []float64, opts Resampling) (Estimate, error) {
	n, resamples := len(values), cmp.Or(opts.Resamples, 1000)
	if n == 0 {
		return Estimate{}, fail(ErrValues, "bootstrap: no values, want at least one")
	}
	if resamples < 0 {
		return Estimate{}, fail(ErrValues, "bootstrap: %d resamples, want 0 or more", resamples)
	}
	if bad := failure.NotFinite(values); bad >= 0 {
		return Estimate{}, fail(ErrValues, "bootstrap: value %d is %v, want finite ones", bad, values[bad])
	}
	opts.Resamples = resamples
	every := make([]int, n)
	for i := range every {
		every[i] = i
	}
	return BootstrapOf(n, opts, func(images []int) float64 {
		if images == nil {
			images = every
		}
		sum := 0.0 // one way of adding for all: the mean of equal values is theirs
		for _, i := range images {
			sum += values[i]
		}
		return sum / float64(n)
	}), nil
}

// BootstrapOf is [Bootstrap] of any statistic of n images, of which nil is all and an
// image may come several times.
func BootstrapOf(n int, opts Resampling, statistic func(images []int) float64) Estimate {
	random := rand.New(rand.NewPCG(opts.Seed, 0))
	drawn := make([]float64, cmp.Or(opts.Resamples, 1000))
	images := make([]int, n)
	for i := range drawn {
		for k := range images {
			images[k] = int(random.Uint64N(uint64(n)))
		}
		drawn[i] = statistic(images)
	}
	slices.Sort(drawn)
	return Estimate{Mean: statistic(nil), Low: quantile(drawn, 0.025), High: quantile(drawn, 0.975), N: n}
}

// Difference returns the [Bootstrap] of a − b, two methods' values of the same
// images: where its interval leaves out 0, they differ. It fails with [ErrValues].
func Difference(a, b []float64, opts Resampling) (Estimate, error) {
	if len(a) != len(b) {
		return Estimate{}, fail(ErrValues, "difference: %d and %d values, want those of the same images", len(a), len(b))
	}
	d := make([]float64, len(a))
	for i := range d {
		d[i] = a[i] - b[i]
	}
	return Bootstrap(d, opts)
}

// Student returns the mean of a few values, such as the accuracies of trainings that differ
// in their seed, and its 95 % interval by Student's t distribution (Student 1908),
//
//	mean ± t(0.975; n − 1) · s/√n,
//
// with the standard deviation s of n − 1: for values that are near normal, and far too few
// for [Bootstrap]. It fails with [ErrValues], also for a single value.
func Student(values []float64) (Estimate, error) {
	n := float64(len(values))
	if n < 2 {
		return Estimate{}, fail(ErrValues, "student: %d values, want at least two", len(values))
	}
	if bad := failure.NotFinite(values); bad >= 0 {
		return Estimate{}, fail(ErrValues, "student: value %d is %v, want finite ones", bad, values[bad])
	}
	mean, deviation := stat.MeanStdDev(values, nil)
	half := distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(0.975) * stat.StdErr(deviation, n)
	return Estimate{Mean: mean, Low: mean - half, High: mean + half, N: len(values)}, nil
}

// quantile interpolates sorted values linearly, as NumPy's percentile does; gonum's
// stat.Quantile has another definition, with n positions in place of n − 1.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	low := int(math.Floor(at))
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}
