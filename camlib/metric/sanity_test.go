package metric_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cnn"
	"github.com/camlab-go/camlab/camlib/measure"
)

// parameters returns copies of a network's variables, by scope and name.
func parameters(t *testing.T, net cam.Network) map[string][]float32 {
	t.Helper()
	out := map[string][]float32{}
	for v := range net.Store().IterVariables() {
		value, err := v.Value()
		if err != nil {
			t.Fatal(err)
		}
		out[v.Path()], err = tensors.CopyFlatData[float32](value)
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestRandomised(t *testing.T) {
	net := cnn.New(1)
	if got, want := fmt.Sprint(measure.Layers(net)), "[conv1 conv2 conv3 conv4 conv5 dense]"; got != want {
		t.Errorf("layers %s, want %s", got, want)
	}
	before := parameters(t, net)
	deep, err := measure.Randomised(net, measure.Permute, 7, "dense", "conv5")
	if err != nil {
		t.Fatal(err)
	}
	deeper, err := measure.Randomised(net, measure.Permute, 7, "dense", "conv5", "conv4")
	if err != nil {
		t.Fatal(err)
	}
	other, err := measure.Randomised(net, measure.Permute, 8, "dense")
	if err != nil {
		t.Fatal(err)
	}
	normal, err := measure.Randomised(net, measure.Normal, 7, "conv4")
	if err != nil {
		t.Fatal(err)
	}
	after, a, b, c, d := parameters(t, net), parameters(t, deep), parameters(t, deeper), parameters(t, other), parameters(t, normal)
	for name, w := range before {
		if !slices.Equal(w, after[name]) {
			t.Errorf("%s of the network itself changed", name)
		}
	}
	for _, row := range []struct {
		rule  string
		equal bool
		x, y  []float32
	}{
		{"a layer that is not named stays", true, before["/conv1/weights"], a["/conv1/weights"]},
		{"a layer that is named is drawn anew", false, before["/conv5/weights"], a["/conv5/weights"]},
		{"the copies of a cascade agree", true, a["/conv5/weights"], b["/conv5/weights"]},
		{"a cascade goes deeper", false, a["/conv4/weights"], b["/conv4/weights"]},
		{"another seed, another draw", false, a["/dense/weights"], c["/dense/weights"]},
		{"normal draws", false, before["/conv4/weights"], d["/conv4/weights"]},
		{"and no others", true, before["/dense/weights"], d["/dense/weights"]},
	} {
		if slices.Equal(row.x, row.y) != row.equal || len(row.x) != len(row.y) {
			t.Errorf("%s: equal is %t", row.rule, !row.equal)
		}
	}
	x, y := slices.Sorted(slices.Values(before["/conv5/weights"])), slices.Sorted(slices.Values(a["/conv5/weights"]))
	if !slices.Equal(x, y) {
		t.Error("a permuted variable has other values")
	}
	m0, sd0 := moments(before["/conv4/weights"])
	m1, sd1 := moments(d["/conv4/weights"])
	if math.Abs(m0-m1) > 5*sd0/math.Sqrt(147456) || math.Abs(sd1/sd0-1) > 0.01 { // of 147,456 weights
		t.Errorf("mean and deviation %v and %v, want about %v and %v", m1, sd1, m0, sd0)
	}
	fours := make([]float32, 1000) // 4 and 6 in turn
	for i := range fours {
		fours[i] = 4 + 2*float32(i%2)
	}
	drawn := parameters(t, must(measure.Randomised(newAdder(20, 50, 1, []float32{0}, fours), measure.Normal, 1, "head")))["/head/a"]
	if mean, sd := moments(drawn); math.Abs(mean-5) > 0.1 || math.Abs(sd-1) > 0.07 { // 3 deviations of 1/√1000 and 1/√2000
		t.Errorf("mean and deviation %v and %v, want about 5 and 1", mean, sd)
	}
	if got := cam.ClassNames(deep); len(got) != 10 || got[6] != "frog" {
		t.Errorf("classes %v", got)
	}
	if a := fmt.Sprint(cam.ClassNames(must(measure.Randomised(odds(), measure.Permute, 1, "head")))); a != "[]" {
		t.Errorf("classes %s of a network that names none", a)
	}
	_, err = measure.Randomised(net, measure.Permute, 1, "conv6")
	wantError(t, err, measure.ErrLayer, `measure: randomised: layer "conv6", want some of conv1, conv2, conv3, conv4, conv5, dense`)
	_, err = measure.Randomised(net, 9, 1, "conv1")
	wantError(t, err, nil, "measure: randomised: redraw 9, want Permute or Normal")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func moments(w []float32) (mean, sd float64) {
	for _, v := range w {
		mean += float64(v) / float64(len(w))
	}
	for _, v := range w {
		sd += (float64(v) - mean) * (float64(v) - mean) / float64(len(w))
	}
	return mean, math.Sqrt(sd)
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
		got, err := measure.Spearman(row.a, row.b)
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
		got, err := measure.SSIM(row.a, row.b, row.height, row.width)
		wantWithin(t, row.rule, []float64{got}, []float64{row.want}, 1e-9)
		if err != nil {
			t.Error(err)
		}
	}
}

// recorder explains by the coefficients of the class that it is asked for, as a
// method would that looks at the network, and remembers what it was asked.
type recorder struct {
	nets    []cam.Network
	classes [][]int
	weights [][]float32 // by class, [height, width]
}

func (r *recorder) explain(_ context.Context, net cam.Network, x cam.Images, classes []int) (*cam.Result, error) {
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
	s := must(meter(t, net, measure.Options{}).Prepare(t.Context(), x, slices.Repeat([]int{0, 1, 2}, 20)))
	c := must(s.Case(must(r.explain(t.Context(), net, x, s.Classes())), r.explain))
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

func TestParameterRandomisation(t *testing.T) {
	r := &recorder{weights: [][]float32{{1, 2, 3, 4}}}
	net := newAdder(2, 2, 1, []float32{0.5, 0.25}, []float32{1, 2, 3, 4}, []float32{5, 6, 7, 8})
	s := subject(t, net, measure.Options{}, pictures(2, 2, white))
	c := must(s.Case(mapsOf(s, 2, 2, []float32{1, 3, 2, 4}), r.explain))
	steps, err := c.ParameterRandomisation(t.Context(), measure.Normal, false)
	if err != nil {
		t.Fatal(err)
	}
	alone, err := c.ParameterRandomisation(t.Context(), measure.Normal, true, "head", "features")
	if err != nil {
		t.Fatal(err)
	}
	var layers []string
	for _, d := range append(steps, alone...) {
		layers = append(layers, fmt.Sprint(d.Layers))
		want(t, "rank correlation", d.Spearman, []float64{0.8}, nil)
		ssim, err := measure.SSIM([]float32{1, 3, 2, 4}, []float32{1, 2, 3, 4}, 2, 2)
		want(t, "similarity", d.SSIM, []float64{ssim}, err)
	}
	if got, want := fmt.Sprint(layers), "[[head] [head features] [head] [features]]"; got != want {
		t.Errorf("layers %s, want %s", got, want)
	}
	if got, err := c.Randomisation(t.Context()); err != nil || math.Abs(got[0]-0.8) > 1e-12 {
		t.Errorf("randomisation %v, %v; want 0.8", got, err)
	}
	opposite := must(s.Case(mapsOf(s, 2, 2, []float32{4, 2, 3, 1}), r.explain))
	if got, err := opposite.Randomisation(t.Context()); err != nil || math.Abs(got[0]-0.8) > 1e-12 {
		t.Errorf("randomisation of the opposite map %v, %v; want 0.8", got, err)
	}
	r.nets = r.nets[:len(r.nets)-1]
	original := parameters(t, net)
	for i, net := range r.nets {
		p := parameters(t, net)
		head := slices.Equal(p["/head/a"], original["/head/a"]) && slices.Equal(p["/head/b"], original["/head/b"])
		if want := i == 3; head != want { // features alone; of one value, which has no deviation
			t.Errorf("call %d: head as it was: %t, want %t", i, head, want)
		}
	}
	_, err = c.ParameterRandomisation(t.Context(), measure.Permute, false, "neck")
	wantError(t, err, measure.ErrLayer, `measure: randomised: layer "neck", want some of features, head`)
}

func TestCompleteness(t *testing.T) {
	got, err := measure.Completeness([]float32{0, 0, -0.5, 3, -2, 1}, []float32{4, 0, 2, -1, 1, 0}) // S = 4, 0, 1.5, 2, −1, 1
	want(t, "completeness", got, []float64{0, 0, 0.25, 1.5, 2, 1}, err)
	_, err = measure.Completeness([]float32{1, 2}, []float32{1})
	wantError(t, err, measure.ErrValues, "measure: completeness: 2 residuals and 1 scores, want one of each per image")
	_, err = measure.Completeness(nil, nil)
	wantError(t, err, measure.ErrValues, "measure: completeness: no residuals, want those of a method whose maps add up to the score")
	_, err = measure.Completeness([]float32{1, 2}, []float32{1, float32(math.NaN())})
	wantError(t, err, measure.ErrValues, "measure: completeness: image 1: value NaN, want finite ones")
}
