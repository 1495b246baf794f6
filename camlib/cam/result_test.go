package cam_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/google/go-cmp/cmp"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
)

// TestTopClasses is the order of the top k, and that their maps are those of all.
func TestTopClasses(t *testing.T) {
	b := backendOf(t, pureGo)
	e, x := explainer(t, b, newToy().Network, cam.Options{Batch: 2}), picture(3, 4, 6)
	for _, name := range []string{"cam", "gradcam", "scorecam", "integratedgradients"} {
		every := explain(t, e, method(t, name), x, cam.All)
		r := explain(t, e, method(t, name), x, cam.Top(3))
		if diff := cmp.Diff([]int{3, 3, every.Height, every.Width}, r.Shape()); diff != "" {
			t.Errorf("%s: shape (-want +got):\n%s", name, diff)
		}
		for i := range x.N {
			order := []int{0, 1, 2, 3}
			scores := every.Scores[i*toyClasses : (i+1)*toyClasses]
			slices.SortFunc(order, func(a, b int) int {
				if scores[a] > scores[b] {
					return -1
				}
				return 1
			})
			if diff := cmp.Diff(order[:3], r.ClassesOf(i)); diff != "" {
				t.Errorf("%s: image %d: classes (-want +got):\n%s", name, i, diff)
			}
			for k, c := range order[:3] {
				near(t, name, r.Map(i, c).Values, every.Map(i, c).Values, 1e-6)
				near(t, name+": score", r.Score[i*3+k:i*3+k+1], scores[c:c+1], 1e-6)
				if r.Outcome[i*3+k] != every.Outcome[i*toyClasses+c] {
					t.Errorf("%s: outcome %q, want %q", name, r.Outcome[i*3+k], every.Outcome[i*toyClasses+c])
				}
			}
		}
	}
}

// TestFunctionTargets is any function of the scores: one score is that class's map, a
// difference a contrast; Counterfactual turns it round.
func TestFunctionTargets(t *testing.T) {
	b := backendOf(t, pureGo)
	e, x := explainer(t, b, newToy().Network, cam.Options{}), picture(3, 4, 6)
	of := func(v ...float64) cam.Target {
		return cam.Func(func(y *Node) *Node { return ReduceSum(Mul(y, ConstAs(y, [][]float64{v})), -1) })
	}
	for _, m := range methods() {
		if m.Spec().Name == "finercam" {
			continue
		}
		third := explain(t, e, m, x, of(0, 0, 1, 0))
		near(t, m.Spec().Name+": one score", third.Maps, explain(t, e, m, x, cam.Class(2)).Maps, 1e-5)
		near(t, m.Spec().Name+": two", explain(t, e, m, x, of(0, -1, 1, 0)).Maps, explain(t, e, m, x, cam.Contrast(2, 1)).Maps, 1e-5)
		near(t, m.Spec().Name+": negative", explain(t, e, m, x, of(0, 0, 1, 0).Counterfactual()).Maps, explain(t, e, m, x, cam.Class(2).Counterfactual()).Maps, 1e-5)
		if diff := cmp.Diff(third.Predicted, third.Class); diff != "" {
			t.Errorf("%s: class (-predicted +got):\n%s", m.Spec().Name, diff)
		}
	}
}

// TestTargetPerImage is one contrast, or one name, for each image.
func TestTargetPerImage(t *testing.T) {
	b := backendOf(t, pureGo)
	e, x := explainer(t, b, newToy().Network, cam.Options{}), picture(2, 4, 6)
	r := explain(t, e, method(t, "cam"), x, cam.Contrasts([]int{1, 3}, []int{2, 0}))
	near(t, "first", r.Map(0, 1).Values, explain(t, e, method(t, "cam"), x, cam.Contrast(1, 2)).Map(0, 1).Values, 0)
	near(t, "second", r.Map(1, 3).Values, explain(t, e, method(t, "cam"), x, cam.Contrast(3, 0)).Map(1, 3).Values, 0)
	if diff := cmp.Diff([]int{2, 0}, r.Rival); diff != "" {
		t.Errorf("rivals (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{1, 3}, explain(t, e, method(t, "cam"), x, cam.ClassesNamed("Bee", "doe")).Class); diff != "" {
		t.Errorf("named (-want +got):\n%s", diff)
	}
	for _, test := range []struct {
		target cam.Target
		kind   error
		want   string
	}{
		{cam.Top(0), cam.ErrTarget, "cam: target: top 0 classes, want at least 1"},
		{cam.Top(5), cam.ErrTarget, "cam: cam: top 5 classes of a network that has 4, want at most those"},
		{cam.Contrasts([]int{1, 2}, []int{0}), cam.ErrTarget, "cam: target: 1 rival classes for 2 images, want one for each"},
		{cam.Contrasts([]int{1, 2}, []int{0, 2}), cam.ErrTarget, "cam: target: contrast of class 2 with itself for image 1, want two classes"},
		{cam.Contrasts([]int{1, 2}, nil), cam.ErrTarget, "cam: target: 0 rival classes for 2 images, want one for each"},
		{cam.ClassesNamed("bee"), cam.ErrTarget, "cam: target: 1 classes for 2 images, want one for each"},
		{cam.ClassesNamed("bee", "eel"), cam.ErrClass, `cam: target: class "eel", want one of ant, bee, cow, doe`},
		{cam.Func(func(y *Node) *Node { return Sqrt(Neg(Exp(ReduceSum(y, -1)))) }), cam.ErrNotFinite, "cam: cam: image 0: the target is infinite or NaN, want a finite function of the scores"},
	} {
		if _, err := e.Explain(t.Context(), method(t, "cam"), x, test.target); !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want of kind %q with text %q", err, test.kind, test.want)
		}
	}
	for _, k := range []int{0, 5} {
		if _, err := e.Explain(t.Context(), method(t, "integratedgradients"), x, cam.Top(k)); !errors.Is(err, cam.ErrTarget) {
			t.Errorf("top %d of 4, class by class: error %v, want of kind %q", k, err, cam.ErrTarget)
		}
	}
}

// TestResidual is completeness as every result reports it: of the methods that promise
// it, for scores and not for probabilities, and off where something is missing.
func TestResidual(t *testing.T) {
	b := backendOf(t, pureGo)
	e, x := explainer(t, b, newToy().Network, cam.Options{Chunk: 400}), picture(3, 4, 6)
	for _, m := range methods() {
		promised := m.Spec().Name == "cam" || m.Spec().Name == "hirescam" || m.Spec().Name == "fullgrad" || m.Spec().Name == "integratedgradients"
		for name, target := range map[string]cam.Target{"score": cam.Class(1), "all": cam.All, "centered contrast": cam.Contrast(2, 0).Centered(), "negative": cam.Class(3).Counterfactual()} {
			if m.Spec().Perturbations != nil && m.Spec().Linear == nil {
				continue // minutes with so many samples
			}
			r := explain(t, e, cam.WithSamples(m, 400), x, target)
			if (r.Residual != nil) != promised {
				t.Errorf("%s of %s: residual %v, promised %v", m.Spec().Name, name, r.Residual, promised)
			}
			tolerance := 1e-5
			if m.Spec().Name == "integratedgradients" {
				tolerance = 2e-2 // of the quadrature, over the kinks of ReLU
			}
			for k, d := range r.Residual {
				if math.Abs(float64(d)) > tolerance*(1+math.Abs(float64(r.Score[k]))) {
					t.Errorf("%s of %s: residual %v of map %d, whose score is %v", m.Spec().Name, name, d, k, r.Score[k])
				}
			}
		}
		if m.Spec().Name == "cam" || m.Spec().Name == "hirescam" || m.Spec().Name == "fullgrad" {
			if r := explain(t, e, m, x, cam.Class(1).Probability()); r.Residual != nil {
				t.Errorf("%s of a probability: residual %v, want none promised", m.Spec().Name, r.Residual)
			}
		}
	}
	half := cam.CAM{}.Spec()
	half.Name = "halfcam"
	half.Map = func(p *cam.Pass) *Node { return MulScalar(cam.CAM{}.Spec().Map(p), 0.5) }
	r := explain(t, e, of(half), x, cam.Class(1))
	for k, d := range r.Residual {
		if math.Abs(float64(d)) < 1e-3 {
			t.Errorf("half a map: residual %v of map %d, want what is missing", d, k)
		}
	}
}

// TestOutcomes causes each of the typed outcomes.
func TestOutcomes(t *testing.T) {
	b := backendOf(t, pureGo)
	x := picture(1, 4, 6)
	shift := func(by float64) *toy {
		net := newToy()
		net.head = func(y, _ *Node) *Node { return AddScalar(y, by) }
		return net
	}
	outcome := func(net *toy, name string, x images.Batch, target cam.Target) cam.Outcome {
		return explain(t, explainer(t, b, net.Network, cam.Options{}), method(t, name), x, target).Outcome[0]
	}
	against := newToy()
	against.head = func(y, act *Node) *Node {
		return Neg(Add(Mul(y, ZerosLike(y)), InsertAxes(ReduceMean(act, 1, 2, 3), -1)))
	}
	if o := outcome(against, "gradcam", x, cam.Class(1)); !o.Has(cam.NoPositiveEvidence) || !o.Has(cam.Flat) {
		t.Errorf("Grad-CAM of a class that everything speaks against: %q, want no positive evidence, flat map", o)
	}
	if o := outcome(against, "cam", x, cam.Class(1)); o != cam.NoPositiveEvidence {
		t.Errorf("CAM of it: %q, want no positive evidence", o)
	}
	if o := outcome(newToy(), "cam", x, cam.Predicted); o != 0 || o.String() != "ok" {
		t.Errorf("CAM of the predicted class: %q, want ok", o)
	}
	even := images.Batch{N: 1, Height: 4, Width: 6, Channels: 3, Pixels: slices.Repeat([]float32{0.5}, 72)}
	if o := outcome(newToy(), "scorecam", even, cam.Class(1)); !o.Has(cam.ConstantChannel) || !o.Has(cam.Flat) {
		t.Errorf("Score-CAM of an even image: %q, want a constant channel and a flat map", o)
	}
	if o := outcome(shift(-100), "ablationcam", x, cam.Class(1)); !o.Has(cam.NegativeScore) {
		t.Errorf("Ablation-CAM of a negative score: %q, want to be told", o)
	}
	if o := outcome(shift(100), "ablationcam", x, cam.Class(1)); o.Has(cam.NegativeScore) {
		t.Errorf("Ablation-CAM of a positive score: %q, want no negative one", o)
	}
	general := explainer(t, b, shift(-100).Network, cam.Options{General: true})
	if o := explain(t, general, method(t, "ablationcam"), x, cam.All).Outcome[2]; !o.Has(cam.NegativeScore) {
		t.Errorf("Ablation-CAM by trials: %q, want to be told", o)
	}
	if got, want := (cam.NoPositiveEvidence | cam.NegativeScore).String(), "no positive evidence, negative score"; got != want {
		t.Errorf("String %q, want %q", got, want)
	}
}

func TestNormalized(t *testing.T) {
	r := &cam.Result{N: 2, K: 2, Height: 1, Width: 2, Maps: []float32{1, -4, 2, 0, 0, 0, 8, 2}}
	for how, want := range map[cam.Normalization][]float32{
		cam.PerImage: {0.25, -1, 0.5, 0, 0, 0, 1, 0.25},
		cam.PerBatch: {0.125, -0.5, 0.25, 0, 0, 0, 1, 0.25},
		cam.MinMax:   {1, 0, 1, 0, 0, 0, 1, 0},
	} {
		if diff := cmp.Diff(want, r.Normalized(how).Maps); diff != "" {
			t.Errorf("way %d (-want +got):\n%s", how, diff)
		}
	}
	if r.Maps[1] != -4 {
		t.Error("Normalized changed its argument")
	}
}

// TestSmoothing averages by hand what the option averages.
func TestSmoothing(t *testing.T) {
	b := backendOf(t, pureGo)
	e, x := explainer(t, b, newToy().Network, cam.Options{}), picture(2, 4, 6)
	change := func(x images.Batch, flip bool, scale float32) images.Batch {
		y := x
		y.Pixels = make([]float32, len(x.Pixels))
		for i := range x.Pixels {
			row, column, c := i/18, i/3%6, i%3
			if flip {
				column = 5 - column
			}
			y.Pixels[(row*6+column)*3+c] = scale * x.Pixels[i]
		}
		return y
	}
	for _, m := range methods() {
		smoothed := cam.Smoothed{Method: m, Flips: true, Scales: []float64{0.5, 1}}
		plain := explain(t, e, m, x, cam.Predicted)
		var sum []float64
		for _, flip := range []bool{false, true} {
			for _, scale := range []float32{0.5, 1} {
				r := explain(t, e, m, change(x, flip, scale), cam.Classes(plain.Class...))
				if sum == nil {
					sum = make([]float64, len(r.Maps))
				}
				for i := range r.Maps {
					j := i
					if flip {
						j = i - i%r.Width + r.Width - 1 - i%r.Width
					}
					sum[i] += float64(r.Maps[j]) / 4
				}
			}
		}
		r := explain(t, e, smoothed, x, cam.Predicted)
		near(t, m.Spec().Name, r.Maps, sum, 1e-5)
		if diff := cmp.Diff(plain.Scores, r.Scores); diff != "" || !slices.Equal(r.Class, plain.Class) || r.Residual != nil {
			t.Errorf("%s: scores, class and residual are not those of the image itself: %s %v %v", m.Spec().Name, diff, r.Class, r.Residual)
		}
	}
	top := cam.Smoothed{Method: cam.GradCAM{}, Flips: true}
	every := explain(t, e, top, x, cam.All)
	for i, r := 0, explain(t, e, top, x, cam.Top(2)); i < x.N; i++ {
		for _, c := range r.ClassesOf(i) {
			near(t, "top 2", r.Map(i, c).Values, every.Map(i, c).Values, 1e-6)
		}
	}
	noisy := cam.Smoothed{Method: cam.HiResCAM{}, Noise: 0.2, Samples: 3, Seed: 1}
	r := explain(t, e, noisy, x, cam.Class(1))
	near(t, "the same noise", explain(t, e, noisy, x, cam.Class(1)).Maps, r.Maps, 0)
	if d := distance(t, r.Maps, explain(t, e, method(t, "hirescam"), x, cam.Class(1)).Maps); d < 1e-3 || d > 1 {
		t.Errorf("noise changes the map by %.2g of its largest value, want some of it", d)
	}
	noisy.Samples = 0
	if _, err := e.Explain(t.Context(), noisy, x, cam.Class(1)); err == nil || err.Error() != "cam: hirescam: smoothing: noise 0.2, 0 samples, want none, or a positive noise and at least one sample" {
		t.Errorf("error %v, want one that says how many samples", err)
	}
}

// TestSamplesNeedRoom is that copies of an image that go through the network at once
// are bounded by the chunk.
func TestSamplesNeedRoom(t *testing.T) {
	b := backendOf(t, pureGo)
	_, err := explainer(t, b, newToy().Network, cam.Options{Chunk: 8}).Explain(t.Context(), cam.SmoothGrad{Samples: 9}, picture(1, 4, 6), cam.Predicted)
	want := "cam: smoothgrad: 9 noises, of which all of an image go through the network at once, in chunks of 8: want fewer or a larger chunk"
	if !errors.Is(err, cam.ErrMethod) || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

// TestInfiniteWeightsAreSeen is Grad-CAM++ where its denominator is 0: minus infinity
// must not hide behind the ReLU.
func TestInfiniteWeightsAreSeen(t *testing.T) {
	out := MustExecOnce(backendOf(t, pureGo), cam.GradCAMPlusPlus{}.Equation, [][][][]float32{{{{-2}}}}, [][][][]float32{{{{1}}}})
	if got := out.Value().([][][]float32)[0][0][0]; !math.IsInf(float64(got), -1) {
		t.Errorf("map %v of A = −2 and g = 1, want −Inf, which an explainer refuses", got)
	}
}
