package metric_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// wantError fails unless err is of a kind and reads as it should.
func wantError(t *testing.T, err, kind error, text string) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), text) {
		t.Errorf("error %v, want %s", err, text)
	}
	if kind != nil && !errors.Is(err, kind) {
		t.Errorf("error %v is not of the kind %v", err, kind)
	}
}

func TestOptionErrors(t *testing.T) {
	nan := math.NaN()
	for want, opts := range map[string]metric.Options{
		"batch of -1, 0 steps, want 0 or more":                                       {Batch: -1},
		"batch of 0, -2 steps, want 0 or more":                                       {Steps: -2},
		"score 2, want Probability or Logit":                                         {Score: 2},
		"fill 4, want Black, MeanColor or Blurred":                                   {Deletion: 4},
		"fill -1, want Black, MeanColor or Blurred":                                  {Infidelity: metric.InfidelityOptions{Fill: -1}},
		"ROAD removes 100 % of the pixels, want more than 0 and less than 100":       {ROAD: metric.ROADOptions{Percentages: []float64{20, 100}}},
		"ROAD removes NaN % of the pixels":                                           {ROAD: metric.ROADOptions{Percentages: []float64{nan}}},
		"ROAD with noise of NaN, want a finite number":                               {ROAD: metric.ROADOptions{Noise: nan}},
		"infidelity with -1 perturbations, squares of 0 and noise of 0, want 0":      {Infidelity: metric.InfidelityOptions{Perturbations: -1}},
		"sensitivity with a radius of 1.5 and 0 samples, want 0 to 1, and 0 or more": {Sensitivity: metric.SensitivityOptions{Radius: 1.5}},
	} {
		_, err := metric.New(backendtest.Go(t), odds().Network, opts)
		wantError(t, err, nil, "metric: new: "+want)
	}
	_, err := metric.New(nil, odds().Network, metric.Options{})
	wantError(t, err, nil, "metric: new: no backend, want one")
	_, err = metric.New(backendtest.Go(t), nil, metric.Options{})
	wantError(t, err, nil, "metric: new: network: none, want one")
}

// TestOverflowOfACopy: two pixels cancel out in an image, and in what a metric makes of
// it one of them is black. The second image is well.
func TestOverflowOfACopy(t *testing.T) {
	net := newAdder(1, 4, 1, []float32{0, 0}, []float32{2e38, -2e38, 2e38, -2e38}, make([]float32, 4))
	x := pictures(1, 4, []float32{0, 0, 0, 0.5}, []float32{1, 1, 1, 1})
	c := judge(t, batch(t, net, metric.Options{Steps: 4}, x), []float32{4, 3, 2, 1}, []float32{1, 4, 2, 3}) // the second and the fourth pixel go first
	_, err := c.Deletion(t.Context())
	wantError(t, err, metric.ErrNotFinite, "metric: image 1: infinite or NaN from the head of a changed copy on, want finite numbers")
	if err := net.Store.GetVariable("features/gain").SetValue(tensors.FromFlatDataAndDimensions([]float32{float32(math.Inf(1))}, 1)); err != nil {
		t.Fatal(err)
	}
	_, err = evaluator(t, net, metric.Options{}).Prepare(t.Context(), pictures(1, 4, []float32{1, 1, 1, 1}), nil)
	wantError(t, err, metric.ErrNotFinite, "metric: image 0: infinite or NaN from gain on, want finite numbers")
}

// TestOverflowNamesTheLayer of a network of several.
func TestOverflowNamesTheLayer(t *testing.T) {
	net, b := article.New(1), backendtest.XLA(t)
	backendtest.Overflow(t, net.Store, "conv3/weights")
	m, err := metric.New(b, net, metric.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const want = "metric: image 0: infinite or NaN from conv3 on, want finite numbers"
	_, err = m.Prepare(t.Context(), must(images.FromDataset(cifar10.Sample(), 0, 2)), nil)
	wantError(t, err, metric.ErrNotFinite, want)
}

func TestPrepareErrors(t *testing.T) {
	m := evaluator(t, odds(), metric.Options{})
	for _, row := range []struct {
		kind    error
		want    string
		x       images.Batch
		classes []int
	}{
		{images.ErrNone, "images: none, want at least one", images.Batch{}, nil},
		{images.ErrRange, "images: image 1: value 2, want 0 to 1 (divide bytes by 255)", pictures(2, 2, white, []float32{0, 2, 0, 0}), nil},
		{images.ErrRange, "images: image 0: value NaN", pictures(2, 2, []float32{0, 0, 0, float32(math.NaN())}), nil},
		{images.ErrShape, "metric: images shaped (Float32)[1, 1, 4, 1]: the network takes none such", pictures(1, 4, white), nil},
		{metric.ErrClass, "metric: prepare: 1 classes for 2 images, want one for each, or nil for the predicted ones", pictures(2, 2, white, white), []int{0}},
		{metric.ErrClass, "metric: prepare: class 2 for image 1, want 0 to 1", pictures(2, 2, white, white), []int{0, 2}},
		{metric.ErrClass, "metric: prepare: class -1 for image 0, want 0 to 1", pictures(2, 2, white), []int{-1}},
	} {
		_, err := m.Prepare(t.Context(), row.x, row.classes)
		wantError(t, err, row.kind, row.want)
	}
	broken := newAdder(2, 2, 1, []float32{0, 0}, []float32{1, 1, 1, float32(math.Inf(1))}, make([]float32, 4))
	_, err := evaluator(t, broken, metric.Options{}).Prepare(t.Context(), pictures(2, 2, []float32{1, 1, 1, 0.5}, white), nil)
	wantError(t, err, metric.ErrNotFinite, "metric: image 0: infinite or NaN from the head on, want finite numbers: the weights are too large or broken; load others, or train with a smaller learning rate")
	stopped, stop := context.WithCancel(t.Context())
	stop()
	_, err = m.Prepare(stopped, pictures(2, 2, white), nil)
	wantError(t, err, context.Canceled, "metric: prepare: stopped after 0 of 1 images: context canceled")
}

func TestCaseErrors(t *testing.T) {
	s := batch(t, odds(), metric.Options{}, pictures(2, 2, white, white))
	good := mapsOf(s, 1, 2, []float32{1, 2}, []float32{3, 4})
	change := func(f func(r *cam.Result)) *cam.Result {
		r := *good
		r.Maps, r.Class = slices.Clone(good.Maps), slices.Clone(good.Class)
		f(&r)
		return &r
	}
	for _, row := range []struct {
		kind error
		want string
		r    *cam.Result
	}{
		{metric.ErrMaps, "metric: case: no result, want the maps of 2 images", nil},
		{metric.ErrMaps, "metric: hand: 2 values of 2 classes in 2 maps of 1×2, want a map and a class for each of 2 images", change(func(r *cam.Result) { r.Maps = r.Maps[:2] })},
		{metric.ErrMaps, "metric: hand: 4 values of 2 classes in 1 maps of 1×2", change(func(r *cam.Result) { r.N = 1 })},
		{metric.ErrMaps, "metric: hand: 4 values of 2 classes in 2 maps of 0×2", change(func(r *cam.Result) { r.Height = 0 })},
		{metric.ErrClass, "metric: hand: maps of all classes, want those of one class per image: explain another target than cam.All", change(func(r *cam.Result) { r.Class = nil })},
		{metric.ErrClass, "metric: hand: image 1: map of class 1, want class 0: explain cam.Classes(batch.Classes()...)", change(func(r *cam.Result) { r.Class[1] = 1 })},
		{metric.ErrNotFinite, "metric: hand: image 0: the map holds +Inf, want finite values", change(func(r *cam.Result) { r.Maps[0] = float32(math.Inf(1)) })},
		{metric.ErrNotFinite, "metric: hand: image 1: the map holds NaN, want finite values", change(func(r *cam.Result) { r.Maps[2] = float32(math.NaN()) })},
	} {
		_, err := s.Case(row.r, nil)
		wantError(t, err, row.kind, row.want)
	}
	c := must(s.Case(good, nil))
	for _, m := range metric.Metrics() {
		if m.Explain {
			_, err := m.Compute(t.Context(), c)
			wantError(t, err, metric.ErrExplain, "metric: hand: ")
		}
	}
	other := must(s.Case(good, func(_ context.Context, _ *network.Network, x images.Batch, classes []int) (*cam.Result, error) {
		return nil, errors.New("no maps today")
	}))
	_, err := other.SensitivityMax(t.Context())
	wantError(t, err, nil, "metric: hand: sensitivity: no maps today")
	single := batch(t, newAdder(1, 1, 1, []float32{0}, []float32{1}), metric.Options{}, pictures(1, 1, []float32{1}))
	_, err = judge(t, single, []float32{1}).RandomLogit(t.Context())
	wantError(t, err, metric.ErrClass, "metric: random logit: the network has one class, want another one to compare with")
	stopped, stop := context.WithCancel(t.Context())
	stop()
	fresh := must(s.Case(good, nil))
	_, err = fresh.AverageDrop(stopped)
	wantError(t, err, context.Canceled, "metric: hand: masked images: stopped after 0 of 2 images: context canceled")
	if _, err := fresh.AverageDrop(t.Context()); err != nil {
		t.Errorf("after a stop: %v", err)
	}
	for _, err := range []error{
		second(metric.Spearman([]float32{1}, nil)), second(metric.SSIM([]float32{1}, []float32{float32(math.NaN())}, 1, 1)),
		second(metric.SSIM([]float32{1}, []float32{1}, 1, 2)),
	} {
		wantError(t, err, metric.ErrValues, "metric: s")
	}
}

func second[T any](_ T, err error) error { return err }

func TestPredictedClasses(t *testing.T) {
	x := pictures(2, 2, white, []float32{0, 0, 0, 1}, []float32{0, 0, 0, 0})
	s := must(evaluator(t, odds(), metric.Options{}).Prepare(t.Context(), x, nil))
	if got := fmt.Sprint(s.Classes()); got != "[0 1 0]" { // odds of 12, ½ and 1
		t.Errorf("classes %s, want [0 1 0]", got)
	}
	want(t, "scores", s.Scores(), []float64{12. / 13, 2. / 3, 0.5}, nil)
}

// TestMetricsOfOddMaps: whatever the map, every metric gives finite values in its
// range.
func TestMetricsOfOddMaps(t *testing.T) {
	maps := [][]float32{{0, 0, 0, 0}, {5, 5, 5, 5}, {-1, -2, -1, -2}, {0, 0, 1e-38, 0}, {3e38, -3e38, 0, 1}, {1, 2, 3, 4}}
	x := pictures(2, 2, white, []float32{0, 0, 0, 0}, []float32{1, 0, 1, 0}, white, white, []float32{0.1, 0.2, 0.3, 0.4})
	s := batch(t, odds(), metric.Options{}, x)
	c := must(s.Case(mapsOf(s, 2, 2, maps...), func(_ context.Context, _ *network.Network, _ images.Batch, classes []int) (*cam.Result, error) {
		r := mapsOf(s, 2, 2, maps...)
		slices.Reverse(r.Maps)
		r.Class = classes
		return r, nil
	}))
	names := map[string]bool{}
	for _, m := range metric.Metrics() {
		if m.Name != strings.ToLower(m.Name) || names[m.Name] || m.Meaning == "" {
			t.Errorf("metric %q: not lower case, twice, or without a meaning", m.Name)
		}
		names[m.Name] = true
		values, err := m.Compute(t.Context(), c)
		if err != nil || len(values) != len(maps) {
			t.Errorf("%s: %v, %v; want %d values", m.Name, values, err, len(maps))
		}
		for i, v := range values {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("%s: image %d: %v", m.Name, i, v)
			}
		}
	}
}

// TestMetricsAreTheMethods: the list names each method once, with its direction, and
// in the papers' settings.
func TestMetricsAreTheMethods(t *testing.T) {
	x := pictures(2, 2, []float32{1, 0.5, 0.25, 1})
	s := batch(t, odds(), metric.Options{}, x)
	explain := metric.Random(2, 2, 1)
	c := must(s.Case(mapsOf(s, 2, 2, []float32{1, 4, 2, 3}), explain))
	ctx := t.Context()
	deletion, insertion, road := must(c.Deletion(ctx)), must(c.Insertion(ctx)), must(c.ROAD(ctx))
	for i, row := range []struct {
		name   string
		better metric.Better
		values []float64
	}{
		{"average-drop", metric.Lower, must(c.AverageDrop(ctx))},
		{"increase", metric.Higher, must(c.Increase(ctx))},
		{"average-gain", metric.Higher, must(c.AverageGain(ctx))},
		{"deletion", metric.Lower, deletion.AUC()},
		{"insertion", metric.Higher, insertion.AUC()},
		{"road-morf", metric.Lower, road.MoRF()},
		{"road-lerf", metric.Higher, road.LeRF()},
		{"road", metric.Higher, road.Combined()},
		{"infidelity", metric.Lower, must(c.Infidelity(ctx))},
		{"sensitivity-max", metric.Lower, must(c.SensitivityMax(ctx))},
		{"sparseness", metric.Higher, c.Sparseness()},
		{"complexity", metric.Lower, c.Complexity()},
		{"randomisation", metric.Lower, must(c.Randomization(ctx))},
		{"random-logit", metric.Lower, must(c.RandomLogit(ctx))},
	} {
		m := metric.Metrics()[i]
		if m.Name != row.name || m.Better != row.better {
			t.Errorf("metric %d is %s, %s is better; want %s, %s", i, m.Name, m.Better, row.name, row.better)
		}
		want(t, m.Name, must(m.Compute(ctx, c)), row.values, nil)
	}
	black, blurred := x, x
	black.Pixels, blurred.Pixels = metric.FillOf(metric.Black, x), metric.FillOf(metric.Blurred, x)
	if len(deletion.Fraction) != 9 || len(insertion.Fraction) != 9 {
		t.Errorf("%d and %d points, want 8 steps", len(deletion.Fraction), len(insertion.Fraction))
	}
	want(t, "deletion ends black", deletion.Scores[0][8:], batch(t, odds(), metric.Options{}, black).Scores(), nil)
	want(t, "insertion starts blurred", insertion.Scores[0][:1], batch(t, odds(), metric.Options{}, blurred).Scores(), nil)
	want(t, "ROAD", road.Percentages, []float64{20, 40, 60, 80}, nil)
}

func TestDefaults(t *testing.T) {
	got, want := fmt.Sprintf("%+v", metric.Settings(evaluator(t, odds(), metric.Options{}))), fmt.Sprintf("%+v", metric.Options{
		Batch: 32, Steps: 8, Deletion: metric.Black, Insertion: metric.Blurred,
		ROAD:        metric.ROADOptions{Percentages: []float64{20, 40, 60, 80}, Noise: 0.01},
		Infidelity:  metric.InfidelityOptions{Perturbations: 32, Fill: metric.Black, SD: 0.1},
		Sensitivity: metric.SensitivityOptions{Radius: 0.02, Samples: 4},
	})
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestExplaining: of this network HiResCAM's map is a_pc x_p, for the class that is
// asked for.
func TestExplaining(t *testing.T) {
	net := newAdder(1, 2, 1, []float32{9, 0}, []float32{2, 3}, []float32{4, 5})
	other := newAdder(1, 2, 1, []float32{9, 0}, []float32{6, 7}, []float32{8, 9})
	explain := metric.Explaining(backendtest.Go(t), cam.HiResCAM{}, cam.Options{})
	x := pictures(1, 2, []float32{1, 0.5}, []float32{0.5, 1})
	for range 2 {
		r := must(explain(t.Context(), net.Network, x, []int{0, 1}))
		want(t, "a network's maps", wide(r.Maps), []float64{2, 1.5, 2, 5}, nil)
		r = must(explain(t.Context(), other.Network, x, []int{1, 0}))
		want(t, "another one's", wide(r.Maps), []float64{8, 4.5, 3, 7}, nil)
	}
	if net.built.Load() != other.built.Load() || net.built.Load() > 2 {
		t.Errorf("built %d and %d times, want as often as one call needs", net.built.Load(), other.built.Load())
	}
	_, err := explain(t.Context(), net.Network, x, []int{0})
	wantError(t, err, cam.ErrTarget, "cam: target: 1 classes for 2 images")
}
