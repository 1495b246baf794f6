package metric_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backendtest"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestSpearmanByHand(t *testing.T) {
	for _, row := range []struct {
		rule string
		a, b []float32
		want float64
	}{
		{"order, not size", []float32{1, 2, 3}, []float32{-5, 100, 101}, 1},
		{"the other way round", []float32{1, 2, 3}, []float32{3, 2, -9}, -1},
		{"one swap of four: 1 − 6·2/60", []float32{1, 2, 3, 4}, []float32{1, 3, 2, 4}, 0.8},
		{"ties share the mean of their ranks", []float32{1, 2, 2, 4}, []float32{1, 3, 2, 4}, 4.5 / math.Sqrt(22.5)},
		{"both flat", []float32{1, 1}, []float32{0, 0}, 1},
		{"one flat", []float32{1, 1}, []float32{0, 1}, 0},
	} {
		got, err := metric.Spearman(row.a, row.b)
		want(t, row.rule, []float64{got}, []float64{row.want}, err)
	}
}

func TestSSIMByHand(t *testing.T) {
	const c1, c2 = 1e-4, 9e-4
	ramp := make([]float32, 81)
	for p := range ramp {
		ramp[p] = float32(p % 9)
	}
	step := make([]float32, 81) // its right half alone: every window of 7 columns sees another part of it
	for p := range step {
		if p%9 > 4 {
			step[p] = 1
		}
	}
	windows := 0.0
	for left := range 3 {
		// 7 columns of the ramp/8 from left on, of which left + 2 are 1 in the step.
		n, mx, my := 49., (float64(left)+3)/8, (float64(left)+2)/7
		sxx, sxy := 0.0, 0.0
		for c := left; c < left+7; c++ {
			sxx += 7 * (float64(c)/8 - mx) * (float64(c)/8 - mx)
			if c > 4 {
				sxy += 7 * (float64(c)/8 - mx)
			}
		}
		vx, vy, vxy := sxx/(n-1), n*my*(1-my)/(n-1), sxy/(n-1)
		windows += (2*mx*my + c1) * (2*vxy + c2) / ((mx*mx + my*my + c1) * (vx + vy + c2)) / 3
	}
	for _, row := range []struct {
		rule          string
		height, width int
		a, b          []float32
		want          float64
	}{
		{"itself", 9, 9, ramp, ramp, 1},
		{"units do not matter", 1, 3, []float32{1, 2, 3}, []float32{-10, 0, 10}, 1},
		{"the other way round", 1, 2, []float32{0, 1}, []float32{5, 4}, (0.5 + c1) * (c2 - 1) / ((0.5 + c1) * (1 + c2))},
		{"against a flat one", 1, 2, []float32{0, 1}, []float32{4, 4}, c1 * c2 / ((0.25 + c1) * (0.5 + c2))},
		{"windows of 7", 9, 9, ramp, step, windows},
	} {
		got, err := metric.SSIM(row.a, row.b, row.height, row.width)
		wantWithin(t, row.rule, []float64{got}, []float64{row.want}, 1e-9)
		if err != nil {
			t.Error(err)
		}
	}
}

// recorder explains by the coefficients of the class that it is asked for, as a
// method would that looks at the network, and remembers what it was asked.
type recorder struct {
	nets    []*network.Network
	classes [][]int
	weights [][]float32 // by class, [height, width]
}

func (r *recorder) explain(_ context.Context, net *network.Network, x images.Batch, classes []int) (*cam.Result, error) {
	r.nets, r.classes = append(r.nets, net), append(r.classes, classes)
	out := &cam.Result{Method: "recorder", N: x.N, Class: classes, Height: x.Height, Width: x.Width}
	for _, c := range classes {
		out.Maps = append(out.Maps, r.weights[c]...)
	}
	return out, nil
}

func TestRandomLogit(t *testing.T) {
	r := &recorder{weights: [][]float32{{1, 2, 3, 4}, {1, 3, 2, 4}, {4, 3, 2, 1}}}
	net := newAdder(2, 2, 1, []float32{0, 0, 0}, r.weights...)
	x := pictures(2, 2, slices.Repeat([][]float32{white}, 60)...)
	s := must(evaluator(t, net, metric.Options{}).Prepare(t.Context(), x, slices.Repeat([]int{0, 1, 2}, 20)))
	c := must(s.Case(must(r.explain(t.Context(), net.Network, x, s.Classes())), r.explain))
	got, err := c.RandomLogit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	between := [][]float64{{9, 0.8, -1}, {0.8, 9, -0.8}, {-1, -0.8, 9}}
	counts := map[[2]int]int{}
	for i, other := range r.classes[1] {
		own := s.Classes()[i]
		counts[[2]int{own, other}]++
		if own == other || math.Abs(got[i]-between[own][other]) > 1e-12 {
			t.Errorf("image %d: %v between classes %d and %d, want %v", i, got[i], own, other, between[own][other])
		}
	}
	if len(counts) != 6 {
		t.Errorf("pairs %v, want all six", counts)
	}
	again, err := c.RandomLogit(t.Context())
	want(t, "again", again, got, err)
}

func TestParameterRandomization(t *testing.T) {
	r := &recorder{weights: [][]float32{{1, 2, 3, 4}}}
	net := newAdder(2, 2, 1, []float32{0.5, 0.25}, []float32{1, 2, 3, 4}, []float32{5, 6, 7, 8})
	s := batch(t, net, metric.Options{}, pictures(2, 2, white))
	c := must(s.Case(mapsOf(s, 2, 2, []float32{1, 3, 2, 4}), r.explain))
	steps, err := c.ParameterRandomization(t.Context(), network.Normal, false)
	if err != nil {
		t.Fatal(err)
	}
	alone, err := c.ParameterRandomization(t.Context(), network.Normal, true, "head", "features")
	if err != nil {
		t.Fatal(err)
	}
	var layers []string
	for _, d := range append(steps, alone...) {
		layers = append(layers, fmt.Sprint(d.Scopes))
		want(t, "rank correlation", d.Spearman, []float64{0.8}, nil)
		ssim, err := metric.SSIM([]float32{1, 3, 2, 4}, []float32{1, 2, 3, 4}, 2, 2)
		want(t, "similarity", d.SSIM, []float64{ssim}, err)
	}
	if got, want := fmt.Sprint(layers), "[[head] [head features] [head] [features]]"; got != want {
		t.Errorf("layers %s, want %s", got, want)
	}
	if got, err := c.Randomization(t.Context()); err != nil || math.Abs(got[0]-0.8) > 1e-12 {
		t.Errorf("randomisation %v, %v; want 0.8", got, err)
	}
	opposite := must(s.Case(mapsOf(s, 2, 2, []float32{4, 2, 3, 1}), r.explain))
	if got, err := opposite.Randomization(t.Context()); err != nil || math.Abs(got[0]-0.8) > 1e-12 {
		t.Errorf("randomisation of the opposite map %v, %v; want 0.8", got, err)
	}
	r.nets = r.nets[:len(r.nets)-1]
	original := backendtest.Variables(t, net.Store)
	for i, net := range r.nets {
		p := backendtest.Variables(t, net.Store)
		head := slices.Equal(p["/head/a"], original["/head/a"]) && slices.Equal(p["/head/b"], original["/head/b"])
		if want := i == 3; head != want { // features alone; of one value, which has no deviation
			t.Errorf("call %d: head as it was: %t, want %t", i, head, want)
		}
	}
	_, err = c.ParameterRandomization(t.Context(), network.Permute, false, "neck")
	wantError(t, err, network.ErrLayer, `network: randomized: scope "neck", want some of features, head`)
}

func TestCompleteness(t *testing.T) {
	got, err := metric.Completeness([]float32{0, 0, -0.5, 3, -2, 1}, []float32{4, 0, 2, -1, 1, 0}) // S = 4, 0, 1.5, 2, −1, 1
	want(t, "completeness", got, []float64{0, 0, 0.25, 1.5, 2, 1}, err)
	_, err = metric.Completeness([]float32{1, 2}, []float32{1})
	wantError(t, err, metric.ErrValues, "metric: completeness: 2 residuals and 1 scores, want one of each per image")
	_, err = metric.Completeness(nil, nil)
	wantError(t, err, metric.ErrValues, "metric: completeness: no residuals, want those of a method whose maps add up to the score")
	_, err = metric.Completeness([]float32{1, 2}, []float32{1, float32(math.NaN())})
	wantError(t, err, metric.ErrValues, "metric: completeness: image 1: value NaN, want finite ones")
}
