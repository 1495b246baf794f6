package cam_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestLargeScores is that the score itself is no factor of a map: tf-keras-vis
// multiplies Grad-CAM++'s derivatives by exp(y), which is infinite in float32 from
// 88.7 on, and divides that by itself.
func TestLargeScores(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		x := picture(2, 4, 6)
		large := newToy()
		large.head = func(y, _ *Node) *Node { return AddScalar(y, 128) }
		small, e := explainer(t, b, newToy().Network, cam.Options{}), explainer(t, b, large.Network, cam.Options{})
		theirs := of(cam.Spec{Name: "tf-keras-vis", Map: func(p *cam.Pass) *Node {
			g := p.Grad()
			first := Mul(InsertAxes(Exp(p.Score()), -1, -1, -1), g)
			second := Mul(first, g)
			alpha := Div(second, Add(MulScalar(second, 2), Mul(Mul(second, g), ReduceAndKeep(p.Act, ReduceSum, 1, 2))))
			relu := func(x *Node) *Node { return Max(x, ZerosLike(x)) } // keeps a NaN, as TensorFlow's
			return relu(weightedBy(p, ReduceSum(Mul(alpha, relu(first)), 1, 2)))
		}})
		if _, err := e.Explain(t.Context(), theirs, x, cam.Class(1)); err == nil {
			t.Error("exp(y) stays finite, want an example where it does not")
		}
		explain(t, small, theirs, x, cam.Class(1)) // it is the size of the score alone
		for _, name := range []string{"gradcam", "gradcam++", "xgradcam", "hirescam", "layercam"} {
			if !isPureGo(b) && name != "gradcam++" {
				continue // the backends agree
			}
			got, want := explain(t, e, method(t, name), x, cam.Class(1)), explain(t, small, method(t, name), x, cam.Class(1))
			if y := got.Scores[1]; y < 88 {
				t.Fatalf("score %v, want above 88", y)
			}
			near(t, name, got.Maps, want.Maps, rounding)
		}
	})
}

// TestScoreCAMOfThePeers is that nothing but how they make masks sets their Score-CAM
// apart from ours, which is the paper's: enlarge, then bring to 0 to 1.
func TestScoreCAMOfThePeers(t *testing.T) {
	toOne := func(m *Node) *Node {
		low, high := ReduceAndKeep(m, ReduceMin, -2, -1), ReduceAndKeep(m, ReduceMax, -2, -1)
		return Div(Sub(m, low), AddScalar(Sub(high, low), 1e-8))
	}
	for _, test := range []struct {
		theirs string
		masks  func(m *Node, height, width int) *Node
	}{
		{"pgc.scorecam", func(m *Node, h, w int) *Node { return toOne(cam.Upsample(m, h, w, images.AlignCorners)) }},
		{"tc.scorecam", func(m *Node, h, w int) *Node { return cam.Upsample(toOne(m), h, w, images.HalfPixel) }},
	} {
		m := of(cam.Spec{
			Name: test.theirs,
			Map:  func(p *cam.Pass) *Node { return cam.ScoreCAM{}.Equation(p.Act, p.Value(p.Perturbed)) },
			Perturbations: &cam.Perturbations{
				Count: (*cam.Pass).Channels,
				Scores: func(p *cam.Pass, which *Node) *Node {
					channels := Einsum("bhwk,nk->bnhw", p.Act, OneHot(which, p.Channels(), p.Act.DType()))
					d := p.Images.Shape().Dimensions
					masked := Mul(InsertAxes(p.Images, 1), InsertAxes(test.masks(channels, d[1], d[2]), -1))
					n := masked.Shape().Dim(1)
					return Reshape(p.Network(Reshape(masked, d[0]*n, d[1], d[2], d[3])), d[0], n, -1)
				},
			},
		})
		p := peers(t)
		for _, name := range []string{"linear", "relu", "tanh", "flat", "signed"} {
			e := explainer(t, backendOf(t, pureGo), newPeerNet(t, name).Network, cam.Options{})
			each(t, p, explain(t, e, m, p.images(t), p.target()), name+"/"+test.theirs, func(i int, ours, theirs []float32) {
				near(t, fmt.Sprintf("%s: %s: image %d", name, test.theirs, i), ours, positivePart(theirs), rounding)
			})
		}
	}
}

// TestMistakesAreErrors is what pytorch-grad-cam passes over: fewer targets than images
// leave a map of zeros, and its context manager swallows the error of a class that is
// not there.
func TestMistakesAreErrors(t *testing.T) {
	p := peers(t)
	zero := p.array(t, "faults/pgc.fewer_targets")[2*48:]
	if slices.ContainsFunc(zero, func(v float32) bool { return v != 0 }) || !p.Faults.IndexErrorSwallowed {
		t.Fatalf("the peer's map of the image without a target is %v and its error swallowed: %v; want zeros and true", zero, p.Faults.IndexErrorSwallowed)
	}
	onEach(t, func(t *testing.T, b compute.Backend) {
		e := explainer(t, b, newPeerNet(t, "linear").Network, cam.Options{})
		for _, test := range []struct {
			rule   string
			target cam.Target
			kind   error
		}{
			{"two targets for three images", cam.Classes(p.Classes[:2]...), cam.ErrTarget},
			{"class 99 of 5", cam.Class(99), cam.ErrClass},
		} {
			r, err := e.Explain(t.Context(), method(t, "gradcam"), p.images(t), test.target)
			if r != nil || !errors.Is(err, test.kind) {
				t.Errorf("%s: %v, error %v; want no result and an error of kind %q", test.rule, r, err, test.kind)
			}
		}
	})
}

// TestNetworkStaysAsItIs: pytorch-grad-cam leaves a network that was being trained in
// evaluation mode, and without its gradients.
func TestNetworkStaysAsItIs(t *testing.T) {
	p := peers(t)
	if p.Faults.TrainingAfter || p.Faults.GradientKept {
		t.Fatal("the peer leaves a network as it was, want that it does not")
	}
	net, x := newToy(), picture(3, 4, 6)
	before := backendtest.Variables(t, net.Store)
	e := explainer(t, backendOf(t, pureGo), net.Network, cam.Options{}) // TestBackendsAgree looks at XLA
	for _, m := range methods() {
		explain(t, e, m, x, cam.Predicted)
	}
	if after := backendtest.Variables(t, net.Store); len(before) != 6 || !maps.EqualFunc(before, after, slices.Equal) {
		t.Errorf("weights %v became %v", before, after)
	}
}

// TestTrialsAreBounded is that no more changed images than a chunk are in memory at
// once: pytorch-grad-cam masks all images by all channels before it runs the first.
func TestTrialsAreBounded(t *testing.T) {
	p := peers(t)
	for _, chunk := range []int{1, 3, 8, 100} {
		net := newPeerNet(t, "linear")
		e := explainer(t, backendOf(t, pureGo), net.Network, cam.Options{Chunk: chunk})
		explain(t, e, method(t, "scorecam"), p.images(t), p.target())
		if most, all := slices.Max(net.batches), 3*8; most > min(max(chunk, 1), all) {
			t.Errorf("chunk of %d: %d images at once, want at most the chunk and %d", chunk, most, all)
		}
	}
}

// TestAblationCAMAtANegativeScore documents what the quotient of equation 3 does where
// the score is below zero: pytorch-grad-cam's map is high where the image speaks
// against the class, and there alone.
func TestAblationCAMAtANegativeScore(t *testing.T) {
	p := peers(t)
	e := explainer(t, backendOf(t, pureGo), newPeerNet(t, "linear").Network, cam.Options{})
	evidence := explain(t, e, method(t, "hirescam"), p.images(t), p.target())
	each(t, p, evidence, "linear/pgc.ablationcam", func(i int, evidence, theirs []float32) {
		y := p.array(t, "linear/scores")[i*5+p.Classes[i]]
		if i == 0 != (y < 0) {
			t.Fatalf("image %d: score %v, want below 0 for image 0 only", i, y)
		}
		if i == 0 && (slices.Max(evidence) > 0 || slices.Min(theirs) <= 0) {
			t.Errorf("largest evidence %v, smallest value of the peer %v, want nothing for the class and the peer above 0 everywhere", slices.Max(evidence), slices.Min(theirs))
		}
	})
}

// TestNothingPositive is a map with nothing for the class: max(m, 0)/max m, as
// keras.io's example has it, is 0/0 there.
func TestNothingPositive(t *testing.T) {
	p := peers(t)
	onEach(t, func(t *testing.T, b compute.Backend) {
		e := explainer(t, b, newPeerNet(t, "linear").Network, cam.Options{})
		if evidence := explain(t, e, method(t, "hirescam"), p.images(t), p.target()).Map(0, p.Classes[0]).Values; slices.Max(evidence) > 0 {
			t.Fatalf("evidence of %v for the class of image 0, want none", slices.Max(evidence))
		}
		for _, name := range []string{"gradcam", "xgradcam"} {
			m := explain(t, e, method(t, name), p.images(t), p.target()).Map(0, p.Classes[0]).Values
			if slices.Max(m) != 0 || slices.Min(m) != 0 {
				t.Errorf("%s: from %v to %v, want 0 everywhere", name, slices.Min(m), slices.Max(m))
			}
			if keras := max(m[0], 0) / slices.Max(m); !math.IsNaN(float64(keras)) {
				t.Errorf("%s: max(m, 0)/max m is %v, want an example where it is NaN", name, keras)
			}
		}
	})
}

// TestResizedMapKeepsItsRange: a map resized with a cubic kernel, as torchcam's overlay
// and xplique's maps are, goes below its lowest and above its highest value.
func TestResizedMapKeepsItsRange(t *testing.T) {
	cubic := peers(t).array(t, "faults/bicubic") // of a map of 0 and 1
	if slices.Min(cubic) > -0.05 || slices.Max(cubic) < 1.05 {
		t.Fatalf("the peer's map goes from %v to %v, want beyond 0 and 1", slices.Min(cubic), slices.Max(cubic))
	}
	b := backendOf(t, pureGo)
	rapid.Check(t, func(rt *rapid.T) {
		h, w := rapid.IntRange(1, 5).Draw(rt, "h"), rapid.IntRange(1, 5).Draw(rt, "w")
		times, across := rapid.IntRange(1, 4).Draw(rt, "times"), rapid.IntRange(1, 4).Draw(rt, "across")
		m := rapid.SliceOfN(rapid.Float32Range(-1e3, 1e3), h*w, h*w).Draw(rt, "values")
		low, high := slices.Min(m), slices.Max(m)
		const ulps = 1e3 * 1e-6 // two interpolations of float32
		for _, resize := range []images.Resize{images.AlignCorners, images.HalfPixel, images.Replicate} {
			out, err := ExecOnce(b, func(m *Node) *Node { return cam.Upsample(m, times*h, across*w, resize) }, tensors.FromFlatDataAndDimensions(m, h, w))
			if err != nil {
				rt.Fatal(err)
			}
			if got := tensors.MustCopyFlatData[float32](out); slices.Min(got) < low-ulps || slices.Max(got) > high+ulps {
				rt.Fatalf("%s: from %v to %v, want within %v and %v", resize, slices.Min(got), slices.Max(got), low, high)
			}
		}
	})
}

// TestEigenCAMsSignOfThePeers documents that the sign of pytorch-grad-cam's component
// is left to the decomposition: here it is low where the network is active, so that
// its ReLU shows the background.
func TestEigenCAMsSignOfThePeers(t *testing.T) {
	p := peers(t)
	act, m := p.array(t, "linear/act"), p.array(t, "linear/pgc.eigencam")
	for i := range 3 {
		agreement := 0.0
		for j := range 48 {
			for _, a := range act[(i*48+j)*8:][:8] {
				agreement += float64(a) * float64(m[i*48+j])
			}
		}
		if agreement >= 0 {
			t.Errorf("image %d: Σ m ΣA = %v, want below 0", i, agreement)
		}
	}
}
