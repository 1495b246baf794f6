package cam_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/google/go-cmp/cmp"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestBackendsAgree is that XLA makes the maps that the pure-Go backend makes, by which
// most tests here are run, because it compiles nothing; and that no method changes the
// weights, which XLA finds where Go has them.
func TestBackendsAgree(t *testing.T) {
	net := newToy()
	before := backendtest.Variables(t, net.Store)
	xla := explainer(t, backendOf(t, xlaCPU), net.Network, cam.Options{})
	pure := explainer(t, backendOf(t, pureGo), newToy().Network, cam.Options{})
	x := picture(3, 4, 6)
	for i, m := range methods() {
		tolerance := 2e-5
		if m.Spec().Perturbations != nil {
			tolerance = 1e-3 // of nearly equal scores, less one another
		}
		targets := map[string]cam.Target{"top 2": cam.Top(2)}
		if m.Spec().Linear != nil { // which need not hold for a probability
			targets["probability"] = cam.Class(1).Probability()
		}
		if i < 2 {
			targets["all"] = cam.All
		}
		for name, target := range targets {
			got, want := explain(t, xla, m, x, target), explain(t, pure, m, x, target)
			near(t, m.Spec().Name+" of "+name, got.Maps, want.Maps, tolerance)
			near(t, m.Spec().Name+" of "+name+": score", got.Score, want.Score, 1e-5)
			if diff := cmp.Diff(want.Outcome, got.Outcome); diff != "" {
				t.Errorf("%s of %s: outcomes (-pure Go +XLA):\n%s", m.Spec().Name, name, diff)
			}
		}
	}
	if after := backendtest.Variables(t, net.Store); len(before) != 6 || !maps.EqualFunc(before, after, slices.Equal) {
		t.Errorf("weights %v became %v", before, after)
	}
}

// TestManyClasses: of a network with 300 classes, the maps of all, or of the highest, are those
// of each, however many images share a graph and whatever the layer.
func TestManyClasses(t *testing.T) {
	const times, top = 75, 20
	x := picture(3, 4, 6)
	onEach(t, func(t *testing.T, b compute.Backend) {
		net := newToy()
		net.Classes = nil
		net.head = func(scores, act *Node) *Node {
			factors := MulScalar(AddScalar(IotaFull(scores.Graph(), shapes.Make(scores.DType(), 1, times, 1)), 1), 0.1/times)
			return Reshape(Tanh(Mul(InsertAxes(scores, 1), factors)), -1, times*toyClasses)
		}
		for _, layer := range []string{"point", "deep"} {
			e := explainer(t, b, at(t, net.Network, layer), cam.Options{})
			m := cam.GradCAM{}
			every, highest := explain(t, e, m, x, cam.All), explain(t, e, m, x, cam.Top(top))
			if every.K != times*toyClasses || every.NumClasses != every.K || highest.K != top || len(every.Predicted) != x.N || len(every.Scores) != x.N*every.K {
				t.Fatalf("%s: %d and %d maps an image, %d scores", layer, every.K, highest.K, len(every.Scores))
			}
			size := every.Height * every.Width
			for _, c := range []int{0, 41, 130, 299} {
				one := explain(t, e, m, x, cam.Class(c))
				for i := range x.N {
					near(t, fmt.Sprintf("%s: class %d of image %d", layer, c, i), every.Maps[(i*every.K+c)*size:][:size], one.Maps[i*size:][:size], 1e-5)
					near(t, "its score", every.Score[i*every.K+c:][:1], one.Score[i:][:1], 1e-5)
				}
			}
			for i := range x.N {
				for k := range top {
					c := highest.Class[i*top+k]
					near(t, fmt.Sprintf("%s: class %d of image %d, the %d. highest", layer, c, i, k), highest.Maps[(i*top+k)*size:][:size], every.Maps[(i*every.K+c)*size:][:size], 1e-5)
					if k > 0 && highest.Score[i*top+k] > highest.Score[i*top+k-1] {
						t.Errorf("image %d: scores %v, want falling ones", i, highest.Score[i*top:][:top])
					}
				}
			}
		}
	})
}

// TestTargetsAgree is that however a class is named, its map is the same, and
// the same as its part of the maps of all classes.
func TestTargetsAgree(t *testing.T) {
	b := backendOf(t, pureGo)
	e := explainer(t, b, newToy().Network, cam.Options{})
	x := picture(3, 4, 6)
	for _, m := range methods() {
		every := explain(t, e, m, x, cam.All)
		height, width := 2, 3
		if m.Spec().Pixels || m.Spec().Name == "layercam-fused" || m.Spec().Name == "refinecam" {
			height, width = 4, 6
		}
		if diff := cmp.Diff([]int{3, toyClasses, height, width}, every.Shape()); diff != "" {
			t.Errorf("%s: shape of all (-want +got):\n%s", m.Spec().Name, diff)
		}
		for _, test := range []struct {
			name   string
			target cam.Target
			want   []int
		}{
			{"predicted", cam.Predicted, every.Predicted},
			{"zero value", cam.Target{}, every.Predicted},
			{"index", cam.Class(2), []int{2, 2, 2}},
			{"name", cam.ClassNamed("COW"), []int{2, 2, 2}},
			{"one each", cam.Classes(3, 0, 2), []int{3, 0, 2}},
		} {
			r := explain(t, e, m, x, test.target)
			if diff := cmp.Diff(test.want, r.Class); diff != "" {
				t.Errorf("%s: classes (-want +got):\n%s", test.name, diff)
			}
			if diff := cmp.Diff([]int{3, height, width}, r.Shape()); diff != "" {
				t.Errorf("%s: shape (-want +got):\n%s", test.name, diff)
			}
			for i, c := range test.want {
				near(t, m.Spec().Name+" by "+test.name, r.Map(i, c).Values, every.Map(i, c).Values, 1e-6)
			}
		}
	}
}

// TestContrastIsTheDifference is that "why a, not b" is a's map less b's for the
// methods that are linear in the score, and not for Grad-CAM, whose ReLU comes last.
func TestContrastIsTheDifference(t *testing.T) {
	b := backendOf(t, pureGo)
	e := explainer(t, b, newToy().Network, cam.Options{})
	x := picture(3, 4, 6)
	for _, m := range []cam.Method{method(t, "cam"), signedGradCAM} {
		every := explain(t, e, m, x, cam.All)
		r := explain(t, e, m, x, cam.Contrast(2, 0))
		if diff := cmp.Diff([]int{2, 2, 2, 0, 0, 0}, append(slices.Clone(r.Class), r.Rival...)); diff != "" {
			t.Errorf("%s: classes and rivals (-want +got):\n%s", m.Spec().Name, diff)
		}
		for i := range x.N {
			want := slices.Clone(every.Map(i, 2).Values)
			for k, v := range every.Map(i, 0).Values {
				want[k] -= v
			}
			near(t, m.Spec().Name, r.Map(i, 2).Values, want, 1e-5)
		}
		if r := explain(t, e, m, x, cam.Class(2)); r.Rival != nil {
			t.Errorf("%s: rivals %v of a map without contrast, want none", m.Spec().Name, r.Rival)
		}
	}
	positive := explain(t, e, method(t, "gradcam"), x, cam.Contrast(2, 0))
	signed := explain(t, e, signedGradCAM, x, cam.Contrast(2, 0))
	for i, v := range signed.Maps {
		signed.Maps[i] = max(v, 0)
	}
	near(t, "gradcam", positive.Maps, signed.Maps, 1e-6)
}

// TestChunksDoNotMatter is that trials are the same however many run at once.
func TestChunksDoNotMatter(t *testing.T) {
	b := backendOf(t, pureGo)
	x := picture(3, 4, 6)
	for _, name := range []string{"scorecam", "ablationcam"} {
		want := explain(t, explainer(t, b, newToy().Network, cam.Options{}), method(t, name), x, cam.All)
		for _, opts := range []cam.Options{{Chunk: 1}, {Chunk: 7}, {Batch: 2, Chunk: 4}, {Batch: 3, Chunk: 96}} {
			got := explain(t, explainer(t, b, newToy().Network, opts), method(t, name), x, cam.All)
			near(t, fmt.Sprintf("%s, %+v", name, opts), got.Maps, want.Maps, 1e-6)
		}
	}
}

// TestAblationCAMInClosedForm is identity 5: for a linear head the weight of a
// channel is w_kc F_k / y_c.
func TestAblationCAMInClosedForm(t *testing.T) {
	b := backendOf(t, pureGo)
	e := explainer(t, b, newToy().Network, cam.Options{})
	x := picture(2, 4, 6)
	maps, err := e.ClassMaps(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	got := explain(t, e, method(t, "ablationcam"), x, cam.All)
	z := maps.Height * maps.Width
	for i := range x.N {
		for c := range toyClasses {
			want := make([]float64, z)
			for k := range maps.Channels {
				act, pooled := maps.Act[(i*maps.Channels+k)*z:][:z], 0.0
				for _, a := range act {
					pooled += float64(a) / float64(z)
				}
				w := float64(maps.Weights[k*toyClasses+c]) * pooled / float64(maps.Scores[i*toyClasses+c])
				for j, a := range act {
					want[j] += w * float64(a)
				}
			}
			for j := range want {
				want[j] = max(want[j], 0)
			}
			near(t, fmt.Sprintf("image %d, class %d", i, c), got.Map(i, c).Values, want, 1e-4)
		}
	}
}

// TestScoreCAMByHand masks the images outside the library: the scores of each
// channel's mask, by a pass of its own, make the weights.
func TestScoreCAMByHand(t *testing.T) {
	b := backendOf(t, pureGo)
	e := explainer(t, b, newToy().Network, cam.Options{})
	x := picture(1, 4, 6)
	maps, err := e.ClassMaps(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	const class = 1
	z := maps.Height * maps.Width
	var scores []float32
	for k := range maps.Channels {
		act := maps.Act[k*z:][:z]
		large, err := images.Map{H: maps.Height, W: maps.Width, Values: act}.Resize(x.Height, x.Width, images.HalfPixel)
		if err != nil {
			t.Fatal(err)
		}
		low, high := large.Min(), large.Max()
		masked := x
		masked.Pixels = slices.Clone(x.Pixels)
		for i := range masked.Pixels {
			h := float32(0)
			if high > low {
				h = (large.Values[i/x.Channels] - low) / (high - low)
			}
			masked.Pixels[i] *= h
		}
		scores = append(scores, explain(t, e, method(t, "cam"), masked, cam.Class(class)).Scores[class])
	}
	want := make([]float64, z)
	for k, p := range score.Softmax(scores) {
		for j, a := range maps.Act[k*z:][:z] {
			want[j] += p * float64(a)
		}
	}
	near(t, "scorecam", explain(t, e, method(t, "scorecam"), x, cam.Class(class)).Maps, want, 1e-5)
}

// TestFormsOfTheScore is identities 9, 10 and 11: what the maps of a probability, of
// a centered score and of a negative are, in terms of those of all classes' scores.
func TestFormsOfTheScore(t *testing.T) {
	b := backendOf(t, pureGo)
	e := explainer(t, b, newToy().Network, cam.Options{})
	x := picture(3, 4, 6)
	for _, m := range []cam.Method{method(t, "cam"), method(t, "hirescam"), signedGradCAM} {
		every := explain(t, e, m, x, cam.All)
		// sum is Σ_c v_c · the map of class c.
		sum := func(i int, v func(c int) float64) []float64 {
			out := make([]float64, every.Height*every.Width)
			for c := range toyClasses {
				for k, value := range every.Map(i, c).Values {
					out[k] += v(c) * float64(value)
				}
			}
			return out
		}
		is := func(c, d int) float64 {
			if c == d {
				return 1
			}
			return 0
		}
		const class, rival = 2, 0
		all := explain(t, e, m, x, cam.All.Probability())
		for i := range x.N {
			p := score.Softmax(every.Scores[i*toyClasses : (i+1)*toyClasses])
			of := func(target cam.Target, v func(c int) float64) {
				t.Helper()
				near(t, m.Spec().Name, explain(t, e, m, x, target).Map(i, class).Values, sum(i, v), 1e-5)
			}
			of(cam.Class(class).Probability(), func(c int) float64 { return p[class] * (is(c, class) - p[c]) })
			of(cam.Contrast(class, rival).Probability(), func(c int) float64 {
				return p[class]*(is(c, class)-p[c]) - p[rival]*(is(c, rival)-p[c])
			})
			of(cam.Class(class).Centered(), func(c int) float64 { return is(c, class) - 1.0/toyClasses })
			of(cam.Contrast(class, rival).Centered(), func(c int) float64 { return is(c, class) - is(c, rival) })
			of(cam.Class(class).Counterfactual(), func(c int) float64 { return -is(c, class) })
			of(cam.Class(class).Probability().Counterfactual(), func(c int) float64 { return -p[class] * (is(c, class) - p[c]) })
			of(cam.Class(class).Counterfactual().Counterfactual(), func(c int) float64 { return is(c, class) })
			for k := range all.Height * all.Width {
				total, largest := 0.0, 0.0
				for c := range toyClasses {
					v := float64(all.Map(i, c).Values[k])
					total, largest = total+v, max(largest, math.Abs(v))
				}
				if math.Abs(total) > 1e-5*(1+largest) {
					t.Errorf("%s: image %d, place %d: the probabilities' maps sum to %v, want 0", m.Spec().Name, i, k, total)
				}
			}
		}
	}
}

// TestGradCAMOfAnyHead is a head that CAM cannot take: for scores tanh(y_c) the
// chain rule gives (1 − tanh² y_c)·CAM_c/Z, with the CAM of the network without
// the tanh.
func TestGradCAMOfAnyHead(t *testing.T) {
	b := backendOf(t, pureGo)
	x := picture(2, 4, 6)
	want := explain(t, explainer(t, b, newToy().Network, cam.Options{}), method(t, "cam"), x, cam.All)
	net := newToy()
	net.head = func(y, _ *Node) *Node { return Tanh(y) }
	got := explain(t, explainer(t, b, net.Network, cam.Options{}), signedGradCAM, x, cam.All)
	const z = 2 * 3
	for i := range want.Maps {
		y := float64(got.Scores[i/z])
		want.Maps[i] *= float32((1 - y*y) / z)
	}
	near(t, "map", got.Maps, want.Maps, 1e-5)
}

// TestBFloat16 is half precision in the network's first part: near the maps of single
// precision, and not the same.
func TestBFloat16(t *testing.T) {
	b := backendOf(t, xlaCPU)
	model, err := article.Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	ds, err := cifar10.Sample().Select(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	if err != nil {
		t.Fatal(err)
	}
	x := batch(t, ds)
	single, half := explainer(t, b, model, cam.Options{}), explainer(t, b, model, cam.Options{Type: dtypes.BFloat16})
	for _, name := range []string{"cam", "gradcam", "gradcam++"} {
		want := explain(t, single, method(t, name), x, cam.Predicted)
		got := explain(t, half, method(t, name), x, cam.Classes(want.Class...))
		worst := 0.0
		for i, c := range want.Class {
			worst = max(worst, distance(t, got.Map(i, c).Values, want.Map(i, c).Values))
		}
		t.Logf("%s: bfloat16 is at most %.2g of an image's largest value off float32", name, worst)
		if worst == 0 || worst > 0.1 { // 8 bits of mantissa through five layers
			t.Errorf("%s: bfloat16 is %.2g of the largest value off, want more than nothing and at most 0.1", name, worst)
		}
		for i, r := range got.Residual {
			if math.Abs(float64(r)) > 1e-4*float64(1+max(got.Score[i], -got.Score[i])) {
				t.Errorf("%s: residual %v in bfloat16, want only float32's rounding: the head is not in half precision", name, r)
			}
		}
	}
}

// TestProbabilityOfOneScore is that of a network with a single score: the sigmoid, of which
// the gradient is σ(1 − σ) times the score's.
func TestProbabilityOfOneScore(t *testing.T) {
	n := newToy()
	whole := n.Head
	n.Head = func(scope *model.Scope, act *Node) *Node {
		return Slice(whole(scope, act), AxisRange(), AxisRange(0, 1))
	}
	n.Classes = nil
	e, x := explainer(t, backendOf(t, pureGo), n.Network, cam.Options{General: true}), picture(1, 8, 14)
	score, probability := explain(t, e, cam.HiResCAM{}, x, cam.Class(0)), explain(t, e, cam.HiResCAM{}, x, cam.Class(0).Probability())
	p := 1 / (1 + math.Exp(-float64(score.Score[0])))
	want := make([]float64, len(score.Maps))
	for i, v := range score.Maps {
		want[i] = p * (1 - p) * float64(v)
	}
	near(t, "map", probability.Maps, want, 1e-5)
	near(t, "probability", probability.Score, []float64{p}, 1e-5)
}
