package metric_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/camlab-go/camlab/camlib/metric"
)

func TestBootstrapByHand(t *testing.T) {
	e := must(metric.Bootstrap([]float64{0.25}, metric.Resampling{}))
	if want := (metric.Estimate{Mean: 0.25, Low: 0.25, High: 0.25, N: 1}); e != want {
		t.Errorf("%v, want %v", e, want)
	}
	// Of two values, a resample has the mean 0, 1 or 2 with probabilities ¼, ½, ¼.
	e = must(metric.Bootstrap([]float64{0, 2}, metric.Resampling{}))
	if want := (metric.Estimate{Mean: 1, Low: 0, High: 2, N: 2}); e != want {
		t.Errorf("%v, want %v", e, want)
	}
	// 2,000 values of 0 or 1: near the binomial's 0.3 ± 1.96·√(0.21/2000) = 0.0201.
	values := make([]float64, 2000)
	for i := range 600 {
		values[i] = 1
	}
	e = must(metric.Bootstrap(values, metric.Resampling{Seed: 3}))
	if e.N != 2000 || math.Abs(e.Mean-0.3) > 1e-12 || math.Abs(e.Low-0.2799) > 0.002 || math.Abs(e.High-0.3201) > 0.002 {
		t.Errorf("%v, want about 0.3 [0.2799, 0.3201]", e)
	}
	if again := must(metric.Bootstrap(values, metric.Resampling{Seed: 3})); again != e {
		t.Errorf("again %v, want %v", again, e)
	}
	if other := must(metric.Bootstrap(values, metric.Resampling{Seed: 4})); other == e {
		t.Error("another seed gives the same interval")
	}
	// Equal values have no interval, however sums are rounded.
	for i := range values {
		values[i] = math.Log(1024)
	}
	if e = must(metric.Bootstrap(values, metric.Resampling{})); e.Low != e.Mean || e.High != e.Mean {
		t.Errorf("%v ± %g, %g of equal values, want their mean alone", e, e.Low-e.Mean, e.High-e.Mean)
	}
	if got := (metric.Estimate{Mean: 0.25, Low: 1. / 6, High: 1. / 3}).String(); got != "0.25 [0.1667, 0.3333]" {
		t.Error(got)
	}
}

func TestQuantileByHand(t *testing.T) {
	// Six values lie at 0, 0.2 … 1; between them it is linear, numpy.percentile's default.
	for q, want := range map[float64]float64{0: 1, 0.5: 4, 0.25: 2.25, 0.8: 6, 0.9: 7, 1: 8} {
		if got := metric.Quantile([]float64{1, 2, 3, 5, 6, 8}, q); math.Abs(got-want) > 1e-12 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
}

// TestCoverage: of intervals from samples of 60, about 95 % hold the true mean.
func TestCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	hits := 0
	const trials = 400
	for i := range trials {
		values := make([]float64, 60)
		for j := range values {
			values[j] = rng.NormFloat64() + 3
		}
		e := must(metric.Bootstrap(values, metric.Resampling{Resamples: 400, Seed: uint64(i)}))
		if e.Low <= 3 && 3 <= e.High {
			hits++
		}
	}
	if hits < 0.91*trials || hits > 0.98*trials { // 95 % less the percentile interval's 1 %, ± 3 deviations
		t.Errorf("%d of %d intervals hold the mean, want about 95 %%", hits, trials)
	}
}

// TestDifference: what images have in common does not widen the interval.
func TestDifference(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	a, b := make([]float64, 500), make([]float64, 500)
	for i := range a {
		common := 10 * rng.NormFloat64()
		a[i], b[i] = common+0.5, common+0.01*rng.NormFloat64()
	}
	e := must(metric.Difference(a, b, metric.Resampling{}))
	if math.Abs(e.Mean-0.5) > 0.002 || e.High-e.Low > 0.003 || e.Low > e.Mean || e.High < e.Mean {
		t.Errorf("%v, want about 0.5 ± 0.001", e)
	}
}

func TestBootstrapErrors(t *testing.T) {
	_, err := metric.Bootstrap(nil, metric.Resampling{})
	wantError(t, err, metric.ErrValues, "metric: bootstrap: no values, want at least one")
	_, err = metric.Bootstrap([]float64{1, math.Inf(1)}, metric.Resampling{})
	wantError(t, err, metric.ErrValues, "metric: bootstrap: value 1 is +Inf, want finite ones")
	_, err = metric.Bootstrap([]float64{1}, metric.Resampling{Resamples: -1})
	wantError(t, err, metric.ErrValues, "metric: bootstrap: -1 resamples, want 0 or more")
	_, err = metric.Difference([]float64{1, 2}, []float64{1}, metric.Resampling{})
	wantError(t, err, metric.ErrValues, "metric: difference: 2 and 1 values, want those of the same images")
}

// TestStudentByTable holds intervals to tabled quantiles of the t distribution: 12.706 for one
// degree of freedom, 4.3027 for two, 2.2622 for nine.
func TestStudentByTable(t *testing.T) {
	for _, row := range []struct {
		values     []float64
		mean, half float64
	}{
		{[]float64{0, 2}, 1, 12.706},                                                     // s = √2
		{[]float64{1, 2, 3}, 2, 4.3027 / math.Sqrt(3)},                                   // s = 1
		{[]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 5.5, 2.2622 * 3.0277 / math.Sqrt(10)}, // s = √(82.5/9)
		{[]float64{0.1, 0.1, 0.1}, 0.1, 0},
	} {
		e := must(metric.Student(row.values))
		if math.Abs(e.Mean-row.mean) > 1e-12 || math.Abs(e.High-e.Mean-row.half) > 1e-3*row.half+1e-12 || math.Abs(e.Mean-e.Low-(e.High-e.Mean)) > 1e-12 || e.N != len(row.values) {
			t.Errorf("%v: %v, want %v ± %v", row.values, e, row.mean, row.half)
		}
	}
	for _, values := range [][]float64{nil, {1}, {1, math.NaN()}, {math.Inf(1), 1}} {
		if _, err := metric.Student(values); !errors.Is(err, metric.ErrValues) {
			t.Errorf("%v: error %v, want ErrValues", values, err)
		}
	}
}
