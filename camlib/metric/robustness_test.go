package metric_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/camlib/network"
)

func TestImputeByHand(t *testing.T) {
	for _, row := range []struct {
		rule          string
		height, width int
		x             []float32
		gone          []bool
		want          []float64
	}{
		{"beside", 1, 3, []float32{1, 9, 3}, []bool{false, true, false}, []float64{1, 2, 3}},
		{"corner: 1/6, 1/6 and 1/12", 2, 2, []float32{9, 1, 2, 6}, []bool{true, false, false, false}, []float64{2.4, 1, 2, 6}},
		{"middle", 3, 3, []float32{12, 6, 0, 6, 99, 0, 0, 0, 24}, []bool{4: true, 8: false}, []float64{12, 6, 0, 6, (36./12 + 12./6), 0, 0, 0, 24}},
		{"two unknowns: p = (q+3)/2, q = p", 1, 3, []float32{3, 8, 8}, []bool{false, true, true}, []float64{3, 3, 3}},
		{"between two: thirds", 1, 4, []float32{0, 8, 8, 3}, []bool{false, true, true, false}, []float64{0, 1, 2, 3}},
		{"nothing gone", 1, 2, []float32{4, 5}, []bool{false, false}, []float64{4, 5}},
	} {
		got := metric.Impute(row.x, row.gone, row.height, row.width, 1)
		want(t, row.rule, wide(got), row.want, nil)
	}
	two := metric.Impute([]float32{1, 10, 9, 9, 3, 30}, []bool{false, true, false}, 1, 3, 2)
	want(t, "channels apart", wide(two), []float64{1, 10, 2, 20, 3, 30}, nil)
}

func wide(v []float32) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		out[i] = float64(v[i])
	}
	return out
}

// TestImputeSolves puts the imputed pixels into the equation.
func TestImputeSolves(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const height, width = 32, 28
	for _, share := range []float64{0.2, 0.5, 0.8, 0.99} {
		x, gone := make([]float32, height*width), make([]bool, height*width)
		for p := range x {
			x[p], gone[p] = rng.Float32(), rng.Float64() < share
		}
		got := metric.Impute(x, gone, height, width, 1)
		worst := 0.0
		for p, v := range got {
			if !gone[p] {
				if v != x[p] {
					t.Fatalf("%v gone: pixel %d stayed, but changed", share, p)
				}
				continue
			}
			sum, weights := 0.0, 0.0
			for down := -1; down <= 1; down++ {
				for right := -1; right <= 1; right++ {
					r, c := p/width+down, p%width+right
					if r < 0 || r >= height || c < 0 || c >= width || down == 0 && right == 0 {
						continue
					}
					w := 2.
					if down != 0 && right != 0 {
						w = 1
					}
					sum, weights = sum+w*float64(got[r*width+c]), weights+w
				}
			}
			worst = math.Max(worst, math.Abs(float64(v)-sum/weights))
		}
		if worst > 1e-7 {
			t.Errorf("%v gone: residual %.2g, want float32's rounding at most", share, worst)
		}
	}
}

// TestROADByHand: four pixels in a row, of which one half goes.
func TestROADByHand(t *testing.T) {
	net := newAdder(1, 4, 1, []float32{0, 0}, []float32{1, 10, 100, 1000}, make([]float32, 4))
	x := pictures(1, 4, []float32{0.5, 1, 0.25, 0})
	opts := metric.Options{Score: metric.Logit, ROAD: metric.ROADOptions{Percentages: []float64{50, 75}, Noise: -1}}
	c := judge(t, batch(t, net, opts, x), []float32{1, 4, 3, 2})
	r, err := c.ROAD(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Most relevant: pixels 1 and 2, then 3. Between ½ and 0: 1/3 and 1/6. Beside ½ only: ½.
	most := []float64{0.5 + 10./3 + 100./6, 1111. / 2}
	// Least relevant: pixels 0 and 3, then 2. Beside 1 and ¼; then all like pixel 1.
	least := []float64{1 + 10 + 25 + 250, 1111}
	wantWithin(t, "most", r.Most[0], most, 1e-4)
	wantWithin(t, "least", r.Least[0], least, 1e-4)
	morf, lerf := (most[0]+most[1])/2, (least[0]+least[1])/2
	wantWithin(t, "MoRF", r.MoRF(), []float64{morf}, 1e-4)
	wantWithin(t, "LeRF", r.LeRF(), []float64{lerf}, 1e-4)
	wantWithin(t, "combined", r.Combined(), []float64{(lerf - morf) / 2}, 1e-4)
	again, err := c.ROAD(t.Context())
	if err != nil || again != r {
		t.Errorf("computed twice: %v", err)
	}
}

// TestROADNoise: with a gain of one per imputed pixel, the scores' spread over seeds
// is that of the noise of two pixels.
func TestROADNoise(t *testing.T) {
	net := newAdder(1, 4, 1, []float32{0, 0}, []float32{1, 1, 1, 1}, make([]float32, 4))
	var square float64
	const seeds = 200
	for seed := range uint64(seeds) {
		opts := metric.Options{Score: metric.Logit, Seed: seed, ROAD: metric.ROADOptions{Percentages: []float64{50}}}
		c := judge(t, batch(t, net, opts, pictures(1, 4, []float32{0.5, 0.5, 0.5, 0.5})), []float32{1, 2, 3, 4})
		r, err := c.ROAD(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		square += (r.Most[0][0] - 2) * (r.Most[0][0] - 2) / seeds
	}
	if sd := math.Sqrt(square); sd < 0.012 || sd > 0.0165 { // 0.01·√2, ±3 of its own deviations of 5 %
		t.Errorf("deviation of two imputed pixels' sum is %v, want about 0.0141", sd)
	}
}

// TestInfidelityByHand: squares as large as the image are all alike, so that
// INFD = (β Σ m − Δ)².
func TestInfidelityByHand(t *testing.T) {
	net := newAdder(2, 2, 1, []float32{0, 0}, []float32{1, 2, 3, 4}, make([]float32, 4))
	x := pictures(2, 2, []float32{1, 0.5, 0.5, 0.25})
	const black, mean = 4.5, 4.5 - 10*0.5625 // what is lost to black, and to the mean color
	for _, row := range []struct {
		rule string
		opts metric.InfidelityOptions
		m    []float32
		want float64
	}{
		{"as it is", metric.InfidelityOptions{Unscaled: true}, []float32{1, 1, 1, -1}, (2 - black) * (2 - black)},
		{"scaled to fit", metric.InfidelityOptions{}, []float32{1, 1, 1, -1}, 0},
		{"the opposite is not scaled", metric.InfidelityOptions{}, []float32{-1, -1, -1, 1}, black * black},
		{"zeros foretell nothing", metric.InfidelityOptions{}, []float32{0, 0, 0, 0}, black * black},
		{"mean color", metric.InfidelityOptions{Unscaled: true, Fill: metric.MeanColor}, []float32{1, 1, 1, -1}, (2 - mean) * (2 - mean)},
	} {
		row.opts.Side = 5
		c := judge(t, batch(t, net, metric.Options{Score: metric.Logit, Infidelity: row.opts}, x), row.m)
		got, err := c.Infidelity(t.Context())
		wantWithin(t, row.rule, got, []float64{row.want}, 1e-4)
		if err != nil {
			t.Error(err)
		}
	}
}

// TestInfidelitySquares: squares are a quarter of the shorter side, but at least a pixel. A
// map of ones of which nothing comes true is wrong by their area.
func TestInfidelitySquares(t *testing.T) {
	opts := metric.Options{Score: metric.Logit, Infidelity: metric.InfidelityOptions{Unscaled: true}}
	for _, row := range []struct{ height, width, area int }{{8, 12, 2 * 2}, {9, 7, 1}, {3, 5, 1}} {
		zeros := make([]float32, row.height*row.width)
		ones := slices.Repeat([]float32{1}, len(zeros))
		net := newAdder(row.height, row.width, 1, []float32{0, 0}, zeros, zeros)
		got, err := judge(t, batch(t, net, opts, pictures(row.height, row.width, ones)), ones).Infidelity(t.Context())
		want(t, "area squared", got, []float64{float64(row.area * row.area)}, err)
	}
}

// TestInfidelityScaling: squares of one pixel, in a share q of the perturbations on
// the first of two. A map of zeros gives mean Δ² = q·4 + (1−q)·1, hence q. With the map
// (1, 1), β = mean Δ = 1 + q and INFD = mean Δ² − (1+q)².
func TestInfidelityScaling(t *testing.T) {
	net := newAdder(1, 2, 1, []float32{0, 0}, []float32{2, 1}, make([]float32, 2))
	opts := metric.Options{Score: metric.Logit, Infidelity: metric.InfidelityOptions{Side: 1, Perturbations: 37}}
	c := judge(t, batch(t, net, opts, pictures(1, 2, []float32{1, 1}, []float32{1, 1})), []float32{0, 0}, []float32{1, 1})
	got, err := c.Infidelity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	q := (got[0] - 1) / 3
	if q < 0.25 || q > 0.75 || math.Abs(q*37-math.Round(q*37)) > 1e-4 {
		t.Errorf("%v of 37 squares on the first pixel, want about a half", q*37)
	}
	wantWithin(t, "scaled", got[1:], []float64{got[0] - (1+q)*(1+q)}, 1e-5)
}

// TestInfidelityOfTruth: contributions foretell squares, slopes along gray foretell
// noise, whatever the places and draws; and neither does for the other.
func TestInfidelityOfTruth(t *testing.T) {
	a := []float32{1, 2, -3, 4, 5, -6, 7, 8, 9, 1, 2, 3} // 2 × 3 pixels of two channels
	net := newAdder(2, 3, 2, []float32{0.5, 0}, a, make([]float32, 12))
	x := pictures(2, 3, []float32{1, 0.5, 0.25, 1, 0, 1, 0.5, 0.5, 1, 1, 0.75, 0.5})
	var contributions, slopes []float32
	for p := range 6 {
		contributions = append(contributions, a[2*p]*x.Pixels[2*p]+a[2*p+1]*x.Pixels[2*p+1])
		slopes = append(slopes, a[2*p]+a[2*p+1])
	}
	squares, noise := metric.InfidelityOptions{Unscaled: true, Side: 1}, metric.InfidelityOptions{Unscaled: true, Noise: true}
	for _, row := range []struct {
		rule  string
		opts  metric.InfidelityOptions
		m     []float32
		truth bool
	}{
		{"squares", squares, contributions, true}, {"noise", noise, slopes, true},
		{"squares by slopes", squares, slopes, false}, {"noise by contributions", noise, contributions, false},
	} {
		c := judge(t, batch(t, net, metric.Options{Score: metric.Logit, Infidelity: row.opts}, x), row.m)
		got, err := c.Infidelity(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got[0] < 1e-9 != row.truth {
			t.Errorf("%s: infidelity %v, want it near zero: %t", row.rule, got[0], row.truth)
		}
	}
	// A map of zeros under noise has the variance of the noise: SD² Σ slopes².
	opts := metric.InfidelityOptions{Noise: true, SD: 0.2, Perturbations: 4000}
	c := judge(t, batch(t, net, metric.Options{Score: metric.Logit, Infidelity: opts}, x), make([]float32, 6))
	got, err := c.Infidelity(t.Context())
	sum := 0.0
	for _, s := range slopes {
		sum += 0.04 * float64(s) * float64(s)
	}
	wantWithin(t, "variance of the noise", got, []float64{sum}, 0.07*sum) // 3 deviations of √(2/4000)
	if err != nil {
		t.Error(err)
	}
}

// TestSensitivityByHand: the maps of the samples are 1.1, 1.3 and 1.2 times the map.
func TestSensitivityByHand(t *testing.T) {
	x := pictures(2, 2, []float32{0, 0.5, 1, 0.01}, white)
	s := batch(t, odds(), metric.Options{Sensitivity: metric.SensitivityOptions{Radius: 0.05, Samples: 3}}, x)
	base := mapsOf(s, 2, 2, []float32{1, -2, 3, 4}, []float32{0, 0, 0, 0})
	calls := 0
	seen := map[float32]bool{}
	c, err := s.Case(base, func(_ context.Context, _ *network.Network, near images.Batch, classes []int) (*cam.Result, error) {
		calls++
		for i, v := range near.Pixels {
			seen[v] = true
			if v < 0 || v > 1 || math.Abs(float64(v-x.Pixels[i])) > 0.05+1e-6 {
				t.Errorf("value %d is %v, want 0 to 1 and within 0.05 of %v", i, v, x.Pixels[i])
			}
		}
		r := mapsOf(s, 2, 2)
		for _, v := range base.Maps {
			r.Maps = append(r.Maps, v*[]float32{1.1, 1.3, 1.2}[calls-1])
		}
		r.N = 2
		r.Maps[4] = float32(2 - calls) // the map of zeros becomes 1, 0, −1
		return r, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.SensitivityMax(t.Context())
	want(t, "largest relative change", got, []float64{0.3, 1}, err)
	if calls != 3 || len(seen) < 15 {
		t.Errorf("%d calls with %d different values, want 3 of 24 changed values each", calls, len(seen))
	}
}

// TestSensitivityRaw is that raw values are not cut off at 0 and 1.
func TestSensitivityRaw(t *testing.T) {
	x := pictures(2, 2, []float32{-3, 0, 1, 200})
	x.Raw = true
	s := batch(t, odds(), metric.Options{Sensitivity: metric.SensitivityOptions{Radius: 0.05, Samples: 8}}, x)
	base := mapsOf(s, 2, 2, []float32{1, -2, 3, 4})
	below, above := 0, 0
	c, err := s.Case(base, func(_ context.Context, _ *network.Network, near images.Batch, _ []int) (*cam.Result, error) {
		for i, v := range near.Pixels {
			if !near.Raw || math.Abs(float64(v-x.Pixels[i])) > 0.05+1e-4 {
				t.Errorf("value %d is %v, want within 0.05 of %v", i, v, x.Pixels[i])
			}
		}
		if near.Pixels[1] < 0 {
			below++
		}
		if near.Pixels[2] > 1 {
			above++
		}
		return base, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SensitivityMax(t.Context()); err != nil || below == 0 || above == 0 {
		t.Errorf("%d values below 0, %d above 1 of 8 each, %v, want some", below, above, err)
	}
}

func TestSparsenessByHand(t *testing.T) {
	maps := [][]float32{{1, -2, 3, 4}, {0, 0, 5, 0}, {2, 2, -2, 2}, {0, 0, 0, 0}, {0, 2, -1, 1}}
	x := pictures(2, 2, white, white, white, white, white)
	c := judge(t, batch(t, odds(), metric.Options{}, x), maps...)
	want(t, "Gini index", c.Sparseness(), []float64{0.25, 0.75, 0, 0, 1 - 2./4*(0+1*2.5+1*1.5+2*0.5)/4}, nil)
	tenths := func(p ...float64) (h float64) {
		for _, v := range p {
			h -= v / 10 * math.Log(v/10)
		}
		return h
	}
	want(t, "entropy", c.Complexity(), []float64{tenths(1, 2, 3, 4), 0, math.Log(4), math.Log(4), 1.5 * math.Ln2}, nil)
}
