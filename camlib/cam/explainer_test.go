package cam_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/score"
)

func TestErrors(t *testing.T) {
	x := picture(2, 4, 6)
	with := func(change func(x *images.Batch)) images.Batch {
		y := x
		y.Pixels = append([]float32(nil), x.Pixels...)
		change(&y)
		return y
	}
	tests := []struct {
		rule   string
		change func(n *toy)
		images images.Batch
		target cam.Target
		method string
		kind   error
		text   string
	}{
		{"no images", nil, images.Batch{}, cam.Predicted, "cam", cam.ErrNoImages, "cam: images: none, want at least one"},
		{"too few pixels", nil, with(func(x *images.Batch) { x.N = 3 }), cam.Predicted, "cam", cam.ErrShape, "cam: images: 144 values, want [3, 4, 6, 3]"},
		{"no height", nil, with(func(x *images.Batch) { x.Height = 0 }), cam.Predicted, "cam", cam.ErrShape, "cam: images: 144 values, want [2, 0, 6, 3]"},
		{"a size that the network refuses", nil, picture(1, 3, 4), cam.Predicted, "gradcam", cam.ErrShape, "the network takes none such: toy: odd size"},
		{"bytes for pixels", nil, with(func(x *images.Batch) { x.Pixels[80] = 255 }), cam.Predicted, "cam", cam.ErrRange, "cam: images: image 1: value 255, want 0 to 1 (divide bytes by 255)"},
		{"NaN for a pixel", nil, with(func(x *images.Batch) { x.Pixels[0] = float32(math.NaN()) }), cam.Predicted, "cam", cam.ErrRange, "cam: images: image 0: value NaN, want 0 to 1 (divide bytes by 255)"},
		{"class above the last", nil, x, cam.Classes(3, 4), "cam", cam.ErrClass, "cam: cam: class 4 for image 1, want 0 to 3"},
		{"negative class", nil, x, cam.Class(-1), "cam", cam.ErrClass, "cam: target: class -1 for image 0, want 0 or more"},
		{"class whose low 32 bits are one", nil, x, cam.Class(1<<32 + 1), "cam", cam.ErrClass, "cam: target: class 4294967297 for image 0, want 0 or more"},
		{"rival above the last", nil, x, cam.Contrast(1, 4), "cam", cam.ErrClass, "cam: cam: class 4 for image 0, want 0 to 3"},
		{"negative rival", nil, x, cam.Contrast(1, -1), "cam", cam.ErrClass, "cam: target: rival class -1 for image 0, want 0 or more"},
		{"rival of itself", nil, x, cam.Contrast(1, 1), "cam", cam.ErrTarget, "cam: target: contrast of class 1 with itself for image 0, want two classes"},
		{"unknown name", nil, x, cam.ClassNamed("eel"), "cam", cam.ErrClass, `cam: target: class "eel", want one of ant, bee, cow, doe`},
		{"fewer targets than images", nil, x, cam.Classes(1), "cam", cam.ErrTarget, "cam: target: 1 classes for 2 images, want one for each"},
		{"more targets than images", nil, x, cam.Classes(1, 2, 3), "cam", cam.ErrTarget, "cam: target: 3 classes for 2 images, want one for each"},
		{
			"infinite activations", func(n *toy) { n.features = func(a *Node) *Node { return MulScalar(MulScalar(a, 1e38), 1e38) } },
			x, cam.Predicted, "gradcam", cam.ErrNotFinite, "cam: gradcam: image 0: infinite or NaN from deep on, want finite numbers: the weights are too large or broken; load others, or train with a smaller learning rate",
		},
		{
			"infinite activations that the head hides", func(n *toy) {
				n.features = func(a *Node) *Node { return MulScalar(MulScalar(a, 1e38), 1e38) }
				n.head = func(y, _ *Node) *Node { return Where(IsFinite(y), y, ZerosLike(y)) }
			},
			x, cam.Predicted, "hirescam", cam.ErrNotFinite, "cam: hirescam: image 0: infinite or NaN from deep on, want finite numbers: the weights are too large or broken; load others, or train with a smaller learning rate",
		},
		{
			"NaN scores", func(n *toy) { n.head = func(y, _ *Node) *Node { return Sqrt(AddScalar(Neg(Abs(y)), -1)) } },
			x, cam.Predicted, "gradcam", cam.ErrNotFinite, "cam: gradcam: image 0: infinite or NaN from the head on, want finite numbers: the weights are too large or broken; load others, or train with a smaller learning rate",
		},
		{
			// √(y−y) is 0, its gradient ∞·(1−1), which a careless ReLU would turn into 0
			"NaN gradient", func(n *toy) { n.head = func(y, a *Node) *Node { return Add(y, Sqrt(Sub(y, y))) } },
			x, cam.Predicted, "gradcam", cam.ErrNotFinite, "cam: gradcam: image 0: the map is infinite or NaN, want finite values: the gradient or the weights overflow",
		},
		{
			"CAM of a head that is not linear", func(n *toy) { n.head = func(y, _ *Node) *Node { return Tanh(y) } },
			x, cam.Predicted, "cam", cam.ErrHead, "want a network that ends in global average pooling and a linear layer; gradcam takes any",
		},
		{
			"CAM of a head that pools otherwise", func(n *toy) { n.head = func(y, a *Node) *Node { return Add(y, InsertAxes(ReduceMax(a, 1, 2, 3), -1)) } },
			x, cam.Predicted, "cam", cam.ErrHead, "gradcam takes any",
		},
		{
			"CAM of a head that needs its grid", func(n *toy) { n.head = func(y, a *Node) *Node { a.AssertDims(-1, 2, 3, -1); return y } },
			x, cam.Predicted, "cam", cam.ErrHead, "gradcam takes any",
		},
	}
	onEach(t, func(t *testing.T, b compute.Backend) {
		for _, test := range tests {
			t.Run(test.rule, func(t *testing.T) {
				net := newToy()
				if test.change != nil {
					test.change(net)
				}
				e := explainer(t, b, net.Network, cam.Options{})
				targets := []cam.Target{test.target}
				if test.change != nil {
					targets = append(targets, cam.All)
				}
				for _, target := range targets {
					r, err := e.Explain(t.Context(), method(t, test.method), test.images, target)
					if r != nil || !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.text) {
						t.Errorf("Explain = %v, error %v; want no result and an error of kind %q with text %q", r, err, test.kind, test.text)
					}
				}
			})
		}
	})
}

func TestUnknownMethod(t *testing.T) {
	for _, name := range []string{"Grad-CAM++", "gradcampp", "gradcam++"} {
		if m, err := cam.Lookup(name); err != nil || m != (cam.GradCAMPlusPlus{}) || cam.FileName(m.Spec().Name) != "gradcampp" {
			t.Errorf("%s: %v, error %v, want gradcam++", name, m, err)
		}
	}
	_, err := cam.Lookup("Lime")
	if want := `cam: method "Lime", want one of cam, gradcam, gradcam++, scorecam, ablationcam, xgradcam, hirescam, layercam, layercam-fused, eigencam, eigengradcam, ` +
		`smoothgradcam++, sscam, iscam, fullgrad, shapleycam, finercam, refinecam, randomcam, occlusion, rise, integratedgradients, smoothgrad`; !errors.Is(err, cam.ErrMethod) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %q, and those that were added", err, want)
	}
	e := explainer(t, backendOf(t, pureGo), newToy().Network, cam.Options{})
	for _, m := range []cam.Method{nil, (*equation)(nil), of(cam.Spec{}), of(cam.Spec{Name: "none"})} {
		if _, err := e.Explain(t.Context(), m, picture(1, 2, 2), cam.All); !errors.Is(err, cam.ErrMethod) {
			t.Errorf("%v: error %v, want of kind %q", m, err, cam.ErrMethod)
		}
	}
}

// TestBackendsAgree is that XLA makes the maps that the pure-Go backend makes, by which
// most tests here are run, because it compiles nothing.
func TestBackendsAgree(t *testing.T) {
	xla := explainer(t, backendOf(t, xlaCPU), newToy().Network, cam.Options{})
	pure := explainer(t, backendOf(t, pureGo), newToy().Network, cam.Options{})
	x := picture(3, 4, 6)
	for _, m := range cam.Methods() {
		tolerance := 2e-5
		if m.Spec().Perturbations != nil {
			tolerance = 1e-3 // of nearly equal scores, less one another
		}
		for name, target := range map[string]cam.Target{"all": cam.All, "top 2, probability": cam.Top(2).Probability()} {
			got, want := explain(t, xla, m, x, target), explain(t, pure, m, x, target)
			near(t, m.Spec().Name+" of "+name, got.Maps, want.Maps, tolerance)
			near(t, m.Spec().Name+" of "+name+": score", got.Score, want.Score, 1e-5)
			if diff := cmp.Diff(want.Outcome, got.Outcome); diff != "" {
				t.Errorf("%s of %s: outcomes (-pure Go +XLA):\n%s", m.Spec().Name, name, diff)
			}
		}
	}
}

// TestTargetsAgree is that however a class is named, its map is the same, and
// the same as its part of the maps of all classes.
func TestTargetsAgree(t *testing.T) {
	b := backendOf(t, pureGo)
	e := explainer(t, b, newToy().Network, cam.Options{})
	x := picture(3, 4, 6)
	for _, m := range cam.Methods() {
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

// TestOneCompilationPerShape counts how often the network is built, and holds batches
// to all images at once.
func TestOneCompilationPerShape(t *testing.T) {
	net := newToy()
	e := explainer(t, backendOf(t, pureGo), net.Network, cam.Options{Batch: 4})
	for range 5 {
		for _, target := range []cam.Target{cam.Predicted, cam.Class(1), cam.ClassNamed("doe")} {
			explain(t, e, method(t, "cam"), picture(9, 4, 6), target) // batches of 4, 4 and the last 4
		}
	}
	if got := net.built.Load(); got != 1 {
		t.Errorf("built %d times, want once: the last batch is as large as the others", got)
	}
	explain(t, e, method(t, "cam"), picture(3, 4, 6), cam.Predicted)
	if got := net.built.Load(); got != 2 {
		t.Errorf("built %d times, want once more for fewer images than a batch", got)
	}
	whole := explainer(t, backendOf(t, pureGo), newToy().Network, cam.Options{Batch: 9})
	for _, name := range []string{"cam", "gradcam", "scorecam"} {
		got, want := explain(t, e, method(t, name), picture(9, 4, 6), cam.All), explain(t, whole, method(t, name), picture(9, 4, 6), cam.All)
		near(t, name+": maps", got.Maps, want.Maps, 1e-6)
		near(t, name+": scores", got.Scores, want.Scores, 1e-6)
		near(t, name+": explained", got.Score, want.Score, 1e-6)
		if !slices.Equal(got.Class, want.Class) || !slices.Equal(got.Outcome, want.Outcome) || !slices.Equal(got.Predicted, want.Predicted) {
			t.Errorf("%s: classes %v, predicted %v, outcomes %v, want %v, %v, %v", name, got.Class, got.Predicted, got.Outcome, want.Class, want.Predicted, want.Outcome)
		}
	}
}

// TestConcurrentUse runs methods, targets and batch shapes at once on one
// explainer, and on a second one of the same network; run it with -race, and
// with -tags race_mu, which shows the detector the locking inside go-xla.
func TestConcurrentUse(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		net := newToy()
		alone := explainer(t, b, newToy().Network, cam.Options{})
		both := []*cam.Explainer{explainer(t, b, net.Network, cam.Options{}), explainer(t, b, net.Network, cam.Options{Batch: 2})}
		targets := []cam.Target{cam.Predicted, cam.Class(2), cam.All}
		methods := cam.Methods()
		if !isPureGo(b) { // compiling all takes minutes under the race detector
			methods = nil
			for _, name := range []string{"cam", "gradcam++", "scorecam", "smoothgrad"} {
				methods = append(methods, method(t, name))
			}
		}
		var group errgroup.Group
		start := make(chan struct{})
		for worker := range 24 {
			m := methods[worker%len(methods)]
			target := targets[worker%len(targets)]
			x := picture(1+worker%4, 4, 6)
			want := explain(t, alone, m, x, target)
			group.Go(func() error {
				<-start
				for range 5 {
					got, err := both[worker%2].Explain(context.Background(), m, x, target)
					if err != nil {
						return err
					}
					if d := distance(t, got.Maps, want.Maps); d > 1e-5 { // batches of other sizes round otherwise
						t.Errorf("worker %d: map off by %.2g", worker, d)
					}
				}
				return nil
			})
		}
		close(start)
		if err := group.Wait(); err != nil {
			t.Error(err)
		}
	})
}

func TestModelStaysAsItIs(t *testing.T) {
	model := article.New(3)
	before, err := model.Encode()
	if err != nil {
		t.Fatal(err)
	}
	e := explainer(t, backendOf(t, xlaCPU), model, cam.Options{})
	for _, name := range []string{"cam", "gradcam", "scorecam", "fullgrad"} {
		explain(t, e, method(t, name), picture(1, 4, 4), cam.Predicted)
	}
	after, err := model.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Error("the weights changed")
	}
}

// TestMemoryStaysFlat is ten thousand calls: after the first thousand neither Go's heap
// nor the process grows. A tensor of XLA that is not freed would show in the process
// alone.
func TestMemoryStaysFlat(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		e, x := explainer(t, b, newToy().Network, cam.Options{Batch: 8}), picture(16, 16, 16)
		calls := 10_000
		if isPureGo(b) {
			calls = 500 // it runs the same code, fifty times slower
		}
		targets := []cam.Target{cam.Predicted, cam.Class(1), cam.All, cam.Class(2).Probability()}
		methods := []cam.Method{method(t, "cam"), method(t, "gradcam")}
		run := func(n int) {
			for i := range n {
				m := methods[i/len(targets)%len(methods)]
				if _, err := e.Explain(t.Context(), m, x, targets[i%len(targets)]); err != nil {
					t.Fatal(err)
				}
			}
		}
		run(calls / 10)
		heap, process := memory(t)
		run(calls - calls/10)
		laterHeap, laterProcess := memory(t)
		// A call moves 140 kB, so one tensor of each that stayed would be hundreds of MB.
		const slack = 24 << 20
		if laterHeap > heap+slack {
			t.Errorf("Go's heap grew from %d to %d kB in %d calls, want at most %d kB more", heap>>10, laterHeap>>10, calls, slack>>10)
		}
		if process > 0 && laterProcess > process+4*slack {
			t.Errorf("the process grew from %d to %d kB in %d calls, want at most %d kB more", process>>10, laterProcess>>10, calls, 4*slack>>10)
		}
		t.Logf("%d calls: heap %d to %d kB, process %d to %d kB", calls, heap>>10, laterHeap>>10, process>>10, laterProcess>>10)
	})
}

// memory returns what Go's heap and the process hold, 0 where the system does not say.
func memory(t *testing.T) (heap, process uint64) {
	t.Helper()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return m.HeapAlloc, 0
	}
	fields := strings.Fields(string(status))
	pages, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return m.HeapAlloc, pages * uint64(os.Getpagesize())
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

func TestStopsBetweenBatches(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	net := newToy()
	net.features = func(a *Node) *Node { cancel(); return a } // while the first batch is compiled
	e := explainer(t, backendOf(t, pureGo), net.Network, cam.Options{Batch: 2})
	_, err := e.Explain(ctx, method(t, "cam"), picture(5, 2, 2), cam.Predicted)
	if want := "cam: cam: stopped after 2 of 5 images: context canceled"; !errors.Is(err, context.Canceled) || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestMapOfAnotherClassPanics(t *testing.T) {
	e := explainer(t, backendOf(t, pureGo), newToy().Network, cam.Options{})
	r := explain(t, e, method(t, "cam"), picture(1, 4, 6), cam.Class(2))
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, cam.ErrClass) {
			t.Errorf("panic %v, want an error of kind %q", err, cam.ErrClass)
		}
	}()
	r.Map(0, 1)
}

func TestNewFails(t *testing.T) {
	b, net := backendOf(t, pureGo), newToy().Network
	without := newToy().Network
	without.Head = nil
	for _, test := range []struct {
		rule string
		b    compute.Backend
		net  *network.Network
		opts cam.Options
		want string
	}{
		{"no backend", nil, net, cam.Options{}, "cam: new: no backend, want one"},
		{"no network", b, nil, cam.Options{}, "cam: new: network: none, want one"},
		{"no head", b, without, cam.Options{}, "cam: new: network: toy: no head, want a function from activations to scores"},
		{"negative batch", b, net, cam.Options{Batch: -1}, "cam: new: batch of -1, want 0 or more"},
		{"negative chunk", b, net, cam.Options{Chunk: -2}, "cam: new: chunk of -2, want 0 or more"},
		{"half precision of another kind", b, net, cam.Options{Type: dtypes.Float16}, "cam: new: type Float16, want Float32 or BFloat16"},
	} {
		if _, err := cam.New(test.b, test.net, test.opts); err == nil || err.Error() != test.want {
			t.Errorf("%s: error %v, want %q", test.rule, err, test.want)
		}
	}
}
