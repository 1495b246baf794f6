package cam_test

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/score"
)

// TestClosedFormsAreTheGeneralPath is identities 4 to 7 through the explainer: for a
// linear head every method with a closed form makes the same maps without it.
func TestClosedFormsAreTheGeneralPath(t *testing.T) {
	b := backendOf(t, pureGo)
	closed := explainer(t, b, newToy().Network, cam.Options{})
	general := explainer(t, b, newToy().Network, cam.Options{General: true})
	x := picture(3, 4, 6)
	targets := map[string]cam.Target{
		"all": cam.All, "contrast": cam.Contrast(2, 0), "centered": cam.Class(1).Centered(),
		"probability": cam.Class(1).Probability(), "squares": cam.Func(func(y *Node) *Node { return ReduceSum(Square(y), -1) }),
	}
	tested := 0
	for _, m := range cam.Methods() {
		if m.Spec().Linear == nil {
			continue
		}
		tested++
		for name, target := range targets {
			if m.Spec().Name == "finercam" && name == "squares" {
				continue // has no nearest classes
			}
			near(t, m.Spec().Name+" of "+name, explain(t, closed, m, x, target).Maps, explain(t, general, m, x, target).Maps, 2e-5)
		}
	}
	if tested < 8 {
		t.Errorf("%d closed forms, want 8 at least", tested)
	}
}

// TestClosedFormsGiveWay is that a head that is not linear is found out, and the
// general path taken, for the first image or a later one.
func TestClosedFormsGiveWay(t *testing.T) {
	b := backendOf(t, pureGo)
	x := picture(3, 4, 6)
	for name, head := range map[string]func(y, act *Node) *Node{
		"tanh":                func(y, _ *Node) *Node { return Tanh(y) },
		"needs its grid":      func(y, act *Node) *Node { act.AssertDims(-1, 2, 3, -1); return y },
		"linear below a size": func(y, _ *Node) *Node { return Where(GreaterThan(y, OnesLike(y)), Square(y), y) },
	} {
		net, other := newToy(), newToy()
		net.head, other.head = head, head
		got := explainer(t, b, net.Network, cam.Options{Batch: 1})
		want := explainer(t, b, other.Network, cam.Options{General: true})
		for _, m := range []string{"gradcam", "ablationcam"} {
			near(t, m+", "+name, explain(t, got, method(t, m), x, cam.All).Maps, explain(t, want, method(t, m), x, cam.All).Maps, 1e-5)
		}
	}
}

// TestEigenCAMIsTheSingularVector compares with gonum's singular value decomposition,
// whose sign is arbitrary; ours is that which agrees with the sum over channels.
func TestEigenCAMIsTheSingularVector(t *testing.T) {
	const h, w, k = 3, 4, 5
	rng := rand.New(rand.NewPCG(8, 9))
	for _, positive := range []bool{true, false} {
		act := make([]float64, h*w*k)
		for i := range act {
			if act[i] = rng.NormFloat64(); positive {
				act[i] = max(act[i], 0)
			}
		}
		var svd mat.SVD
		if !svd.Factorize(mat.NewDense(h*w, k, act), mat.SVDThin) {
			t.Fatal("no decomposition")
		}
		var v mat.Dense
		svd.VTo(&v)
		want, agreement := make([]float64, h*w), 0.0
		for p := range want {
			sum := 0.0
			for c := range k {
				want[p] += act[p*k+c] * v.At(c, 0)
				sum += act[p*k+c]
			}
			agreement += want[p] * sum
		}
		for p := range want {
			want[p] = math.Copysign(1, agreement) * want[p]
		}
		for _, sign := range []float64{1, -1} { // −A has the map −L
			signed := slices.Clone(act)
			for i := range signed {
				signed[i] *= sign
			}
			in := tensors.FromFlatDataAndDimensions(signed, 1, h, w, k)
			one := tensors.FromScalar(1.0)
			out := MustExecOnce(backendOf(t, pureGo), func(act, one *Node) *Node {
				return Stack([]*Node{cam.EigenCAM{}.Equation(act), cam.EigenGradCAM{}.Equation(act, BroadcastToDims(one, 1, h, w, k))}, 0)
			}, in, one)
			got := tensors.MustCopyFlatData[float64](out)
			for p := range got {
				got[p] *= sign
			}
			near(t, "eigencam", got[:h*w], want, 1e-9)
			near(t, "eigengradcam with a gradient of 1", got[h*w:], want, 1e-9)
		}
		if positive && slices.Min(want) < 0 {
			t.Errorf("eigencam of activations that are not negative: %v, want none below 0", want)
		}
	}
	zero := MustExecOnce(backendOf(t, pureGo), cam.EigenCAM{}.Equation, [][][][]float32{{{{0, 0}, {0, 0}}}})
	if got := tensors.MustCopyFlatData[float32](zero); got[0] != 0 || got[1] != 0 {
		t.Errorf("map of no activations: %v, want zeros", got)
	}
}

// TestSmoothGradCAMPlusPlus is its equation written out for two noises, and
// Grad-CAM++ for two equal gradients.
func TestSmoothGradCAMPlusPlus(t *testing.T) {
	act := [][][][]float64{{{{1, 2}, {0, 1}}, {{3, 0}, {2, 0}}}} // sums 6 and 3
	grads := [][][][][]float64{{
		{{{2, -1}, {-1, 3}}, {{1, 1}, {0, -2}}},
		{{{0, -3}, {-1, 1}}, {{3, 1}, {0, 4}}},
	}}
	weight := func(sum float64, pairs ...[2]float64) (w float64) {
		for _, g := range pairs {
			d1, d2, d3 := (g[0]+g[1])/2, (g[0]*g[0]+g[1]*g[1])/2, (g[0]*g[0]*g[0]+g[1]*g[1]*g[1])/2
			if d := 2*d2 + d3*sum; d != 0 {
				w += d2 / d * max(d1, 0)
			}
		}
		return w
	}
	w0 := weight(6, [2]float64{2, 0}, [2]float64{-1, -1}, [2]float64{1, 3}, [2]float64{0, 0})
	w1 := weight(3, [2]float64{-1, -3}, [2]float64{3, 1}, [2]float64{1, 1}, [2]float64{-2, 4})
	b := backendOf(t, pureGo)
	got := tensors.MustCopyFlatData[float64](MustExecOnce(b, cam.SmoothGradCAMPlusPlus{}.Equation, act, grads))
	near(t, "by hand", got, []float64{w0 + 2*w1, w1, 3 * w0, 2 * w0}, 1e-12)

	same := tensors.MustCopyFlatData[float64](MustExecOnce(b, func(act, grads *Node) *Node {
		one := Slice(grads, AxisRange(), AxisRange(0, 1))
		return Sub(cam.SmoothGradCAMPlusPlus{}.Equation(act, Concatenate([]*Node{one, one}, 1)), cam.GradCAMPlusPlus{}.Equation(act, Squeeze(one, 1)))
	}, act, grads))
	near(t, "without noise less Grad-CAM++", same, make([]float64, 4), 1e-12)
}

// TestSmoothedGradientsNeedACurve is Smooth Grad-CAM++ and SmoothGrad through noise:
// where the gradient depends on the image the noise matters, and the same again gives
// the same map.
func TestSmoothedGradientsNeedACurve(t *testing.T) {
	b := backendOf(t, pureGo)
	net := newToy()
	net.head = func(y, _ *Node) *Node { return Square(y) }
	x := picture(2, 4, 6)
	e := explainer(t, b, net.Network, cam.Options{})
	for _, m := range []string{"smoothgradcam++", "smoothgrad"} {
		r := explain(t, e, method(t, m), x, cam.Class(1))
		near(t, m+" again", explain(t, e, method(t, m), x, cam.Class(1)).Maps, r.Maps, 0)
		other := explain(t, e, cam.WithSamples(method(t, m), 3), x, cam.Class(1))
		if d := distance(t, other.Maps, r.Maps); d < 1e-4 || d > 1 {
			t.Errorf("%s: another number of noises changes the map by %.2g of its largest value, want some of it", m, d)
		}
	}
	pp := explain(t, e, method(t, "gradcam++"), x, cam.Class(1))
	smooth := explain(t, e, method(t, "smoothgradcam++"), x, cam.Class(1))
	if d := distance(t, smooth.Maps, pp.Maps); d < 1e-4 || d > 1 {
		t.Errorf("Smooth Grad-CAM++ is %.2g off Grad-CAM++, want something", d)
	}
}

// linearToy is a network without a ReLU: its score is linear in the image.
func linearToy() *network.Network {
	net := *newToy().Network
	net.Layers = []network.Layer{{Name: "linear", Build: func(scope *model.Scope, x *Node) *Node {
		return AddScalar(Einsum("bhwc,ck->bhwk", x, variable(scope, "point", x)), 9) // of one sign, so that masks differ
	}}}
	return &net
}

// TestLinearNetworks is what the pixel methods and the smoothed masks come to where the
// score is linear in the image, y = Σ u x + c.
func TestLinearNetworks(t *testing.T) {
	b := backendOf(t, pureGo)
	net, x := linearToy(), picture(2, 4, 6)
	e := explainer(t, b, net, cam.Options{})
	const class, z = 1, 4 * 6
	// u_c of every pixel and colour, by differences of the score.
	score := func(x images.Batch) []float32 { return explain(t, e, method(t, "cam"), x, cam.Class(class)).Score }
	dark := images.Batch{N: 3, Height: 4, Width: 6, Channels: 3, Pixels: make([]float32, 3*z*3)}
	light := dark
	light.Pixels = make([]float32, 3*z*3)
	for c := range 3 {
		for p := range z {
			light.Pixels[(c*z+p)*3+c] = 1
		}
	}
	var u [3]float64
	up, base := score(light), score(dark)
	for c := range u {
		u[c] = float64(up[c]-base[c]) / z
	}
	ig := explain(t, e, method(t, "integratedgradients"), x, cam.Class(class))
	saliency := explain(t, e, method(t, "smoothgrad"), x, cam.Class(class))
	for i := range x.N {
		want, flat := make([]float64, z), make([]float64, z)
		for p := range z {
			for c := range 3 {
				want[p] += u[c] * float64(x.Pixels[(i*z+p)*3+c])
				flat[p] += math.Abs(u[c])
			}
		}
		near(t, "integrated gradients are ∇·x", ig.Map(i, class).Values, want, 1e-4)
		near(t, "smoothgrad is |∇|", saliency.Map(i, class).Values, flat, 1e-4)
		if r := ig.Residual[i]; math.Abs(float64(r)) > 1e-4 {
			t.Errorf("integrated gradients: residual %v, want 0", r)
		}
		if !saliency.Outcome[i].Has(cam.Flat) {
			t.Errorf("smoothgrad of a gradient that is the same everywhere: outcome %q, want a flat map", saliency.Outcome[i])
		}
	}
	// Noise on a mask adds the same to the scores of all masks, and half a mask's
	// contribution is half: a softmax over fewer differences.
	want := explain(t, e, method(t, "scorecam"), x, cam.Class(class))
	near(t, "sscam", explain(t, e, method(t, "sscam"), x, cam.Class(class)).Maps, want.Maps, 1e-4)
}

// TestIntegratedMasks is IS-CAM: one step is Score-CAM, and two are the mean of the
// scores of half the masked image and of all of it.
func TestIntegratedMasks(t *testing.T) {
	b := backendOf(t, pureGo)
	x := picture(2, 4, 6)
	score := explain(t, explainer(t, b, newToy().Network, cam.Options{}), method(t, "scorecam"), x, cam.All)
	e := explainer(t, b, newToy().Network, cam.Options{})
	one := explain(t, e, cam.ISCAM{Steps: 1}, x, cam.All)
	near(t, "one step", one.Maps, score.Maps, 1e-6)

	scoreCAM := cam.ScoreCAM{}.Spec()
	half := of(cam.Spec{Name: "halfscorecam", Map: scoreCAM.Map, Perturbations: &cam.Perturbations{
		Count: scoreCAM.Perturbations.Count,
		Scores: func(p *cam.Pass, which *Node) *Node {
			full := scoreCAM.Perturbations.Scores(p, which)
			q := *p
			q.Images = MulScalar(p.Images, 0.5)
			return MulScalar(Add(full, scoreCAM.Perturbations.Scores(&q, which)), 0.5)
		},
	}})
	want := explain(t, e, half, x, cam.All)
	two := explain(t, e, cam.ISCAM{Steps: 2}, x, cam.All)
	near(t, "two steps", two.Maps, want.Maps, 1e-5)
	if d := distance(t, two.Maps, score.Maps); d < 1e-4 {
		t.Errorf("two steps are Score-CAM to %.2g, want a difference", d)
	}
	noisy := explain(t, explainer(t, b, newToy().Network, cam.Options{}), method(t, "sscam"), x, cam.All)
	if d := distance(t, noisy.Maps, score.Maps); d < 1e-5 || d > 0.5 {
		t.Errorf("SS-CAM is %.2g off Score-CAM on a network that bends, want a little", d)
	}
}

// TestLiveliestChannels is Score-CAM with fewer channels: those of the largest
// variance, as if the others were not there.
func TestLiveliestChannels(t *testing.T) {
	b := backendOf(t, pureGo)
	x := picture(2, 4, 6)
	full := explain(t, explainer(t, b, newToy().Network, cam.Options{}), method(t, "scorecam"), x, cam.Class(1))
	all := explain(t, explainer(t, b, newToy().Network, cam.Options{}), cam.ScoreCAM{Channels: 99}, x, cam.Class(1))
	near(t, "more than there are", all.Maps, full.Maps, 0)

	maps, err := explainer(t, b, newToy().Network, cam.Options{}).ClassMaps(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	// One channel: its weight is softmax of one score, 1, so the map is the channel.
	one := explain(t, explainer(t, b, newToy().Network, cam.Options{}), cam.ScoreCAM{Channels: 1}, x, cam.Class(1))
	z := maps.Height * maps.Width
	for i := range x.N {
		best, largest := 0, -1.0
		for k := range maps.Channels {
			if v := variance(maps.Act[(i*maps.Channels+k)*z:][:z]); v > largest {
				best, largest = k, v
			}
		}
		near(t, "one channel", one.Map(i, 1).Values, maps.Act[(i*maps.Channels+best)*z:][:z], 1e-6)
	}
	// More: the softmax is of the scores of their own masks.
	for n := 2; n <= toyChannels-1; n++ {
		e := explainer(t, b, newToy().Network, cam.Options{Chunk: 3})
		r := explain(t, e, cam.ScoreCAM{Channels: n}, x, cam.Class(1))
		for i := range x.N {
			act := func(k int) []float32 { return maps.Act[(i*maps.Channels+k)*z:][:z] }
			channels := []int{0, 1, 2, 3, 4}
			slices.SortFunc(channels, func(j, k int) int { return -cmp.Compare(variance(act(j)), variance(act(k))) })
			var scores []float32
			for _, k := range channels[:n] {
				scores = append(scores, float32(maskedScore(t, e, maps, x, i, k, 1)))
			}
			want := make([]float64, z)
			for j, p := range score.Softmax(scores) {
				for at, a := range act(channels[j]) {
					want[at] += p * float64(a)
				}
			}
			near(t, fmt.Sprintf("%d channels", n), r.Map(i, 1).Values, want, 1e-5)
		}
	}
}

func variance(values []float32) float64 {
	mean, square := 0.0, 0.0
	for _, v := range values {
		mean += float64(v) / float64(len(values))
		square += float64(v) * float64(v) / float64(len(values))
	}
	return square - mean*mean
}

// TestFullGradIsComplete is that the map sums to the score less the head's bias, for
// every class, and that the parts lie where they belong: by hand on one pixel.
func TestFullGradIsComplete(t *testing.T) {
	b := backendOf(t, pureGo)
	e := explainer(t, b, newToy().Network, cam.Options{})
	x := picture(3, 4, 6)
	r := explain(t, e, method(t, "fullgrad"), x, cam.All)
	maps, err := e.ClassMaps(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for i := range x.N {
		for c := range toyClasses {
			sum := 0.0
			for _, v := range r.Map(i, c).Values {
				sum += float64(v)
			}
			score := float64(r.Scores[i*toyClasses+c])
			if d := sum + float64(maps.Bias[c]) - score; math.Abs(d) > 1e-5*(1+math.Abs(score)) {
				t.Errorf("image %d, class %d: sum and bias miss the score %v by %v", i, c, score, d)
			}
			if d := r.Residual[i*toyClasses+c]; math.Abs(float64(d)) > 1e-5*(1+math.Abs(score)) {
				t.Errorf("image %d, class %d: residual %v, want 0", i, c, d)
			}
		}
	}
	// A block of 2×2 pixels sees only itself in this network, so the block's sum is
	// the score of its place: Z·HiResCAM.
	places := explain(t, e, method(t, "hirescam"), x, cam.All)
	for m := range x.N * toyClasses {
		blocks := make([]float64, 6)
		for p, v := range r.Maps[m*24 : (m+1)*24] {
			blocks[p/6/2*3+p%6/2] += float64(v)
		}
		near(t, fmt.Sprintf("blocks of map %d", m), blocks, places.Maps[m*6:(m+1)*6], 1e-5)
	}
}

// TestShapleyCAMOfSquares is a score that is a square, s², s linear in A: then g − ½HA
// is (s + b) times the gradient of s, b the bias, and the map that much of CAM.
func TestShapleyCAMOfSquares(t *testing.T) {
	b := backendOf(t, pureGo)
	x := picture(2, 4, 6)
	maps, err := explainer(t, b, newToy().Network, cam.Options{}).ClassMaps(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	net := newToy()
	net.head = func(y, _ *Node) *Node { return Square(y) }
	r := explain(t, explainer(t, b, net.Network, cam.Options{}), method(t, "shapleycam"), x, cam.All)
	for i := range x.N {
		for c := range toyClasses {
			s := float64(maps.Scores[i*toyClasses+c])
			var want []float64
			for _, v := range maps.Map(i, c).Values {
				want = append(want, max(0, (s+float64(maps.Bias[c]))*float64(v)/6))
			}
			near(t, fmt.Sprintf("image %d, class %d", i, c), r.Map(i, c).Values, want, 1e-4)
		}
	}
}

// TestFinerCAM is identity 11: before the ReLU, (CAM_c − γ mean CAM_d)/Z over the three
// classes with the nearest scores, or all others where there are not as many. Of a centered
// score it is that less the mean of all classes.
func TestFinerCAM(t *testing.T) {
	b := backendOf(t, pureGo)
	e := explainer(t, b, newToy().Network, cam.Options{})
	x := picture(3, 4, 6)
	every := explain(t, e, method(t, "cam"), x, cam.All)
	for _, row := range []struct {
		target     cam.Target
		sign, mean float64 // mean is what is taken off every class
	}{{cam.All, 1, 0}, {cam.All.Counterfactual(), -1, 0}, {cam.All.Centered(), 1, 1.0 / toyClasses}} {
		r := explain(t, e, method(t, "finercam"), x, row.target)
		for i := range x.N {
			for c := range toyClasses {
				want := make([]float64, 6)
				for d := range toyClasses {
					v := -0.6 / 3
					if d == c {
						v = 1
					}
					for p, m := range every.Map(i, d).Values {
						want[p] += row.sign * (v - row.mean) * float64(m) / 6
					}
				}
				for p := range want {
					want[p] = max(want[p], 0)
				}
				near(t, fmt.Sprintf("image %d, class %d", i, c), r.Map(i, c).Values, want, 1e-5)
			}
		}
	}
	if _, err := e.Explain(t.Context(), method(t, "finercam"), x, cam.Func(func(y *Node) *Node { return ReduceMax(y, -1) })); !errors.Is(err, cam.ErrTarget) {
		t.Errorf("finercam of a function: error %v, want of kind %q", err, cam.ErrTarget)
	}
}

// TestFinerCAMTakesTheNearest is the choice among more classes than it compares with.
func TestFinerCAMTakesTheNearest(t *testing.T) {
	b := backendOf(t, pureGo)
	net := newToy()
	scores := []float64{5, 1, 4, 9, 5.5, 7} // from 5: nearest 4 (index 2), 5.5 (4), 7 (5)
	net.head = func(_, act *Node) *Node {
		f := ReduceMean(act, 1, 2, 3) // [batch]
		// y_c = a constant that sets the order, and (c+1) times the mean of all activations
		y := Mul(InsertAxes(f, -1), ConstAs(act, [][]float64{{1, 2, 4, 8, 16, 32}}))
		return Add(Sub(y, StopGradient(y)), ConstAs(act, [][]float64{scores}))
	}
	x := picture(1, 4, 6)
	e := explainer(t, b, net.Network, cam.Options{})
	r := explain(t, e, method(t, "finercam"), x, cam.Class(3)) // 9: nearest are 7, 5.5, 5: gradients 32, 16, 1
	ref := explain(t, e, signedGradCAM, x, cam.Class(0))
	for p, v := range ref.Maps {
		ref.Maps[p] = max(0, v*float32(8-0.6/3*(32+16+1)))
	}
	if slices.Max(ref.Maps) != 0 {
		t.Fatal("want a difference below zero")
	}
	if slices.Max(r.Maps) != 0 {
		t.Errorf("map %v, want 0 everywhere: the rivals' gradient is larger", r.Maps)
	}
	r = explain(t, e, method(t, "finercam"), x, cam.Class(4)) // 5.5: nearest are 5, 4, 7: gradients 1, 4, 32
	ref = explain(t, e, signedGradCAM, x, cam.Class(0))
	for p, v := range ref.Maps {
		ref.Maps[p] = v * float32(16-0.6/3*(1+4+32))
	}
	near(t, "class 4", r.Maps, ref.Maps, 1e-5)
}

// TestSeveralLayers is LayerCAM fused and RefineCAM, made by hand of each layer's map.
func TestSeveralLayers(t *testing.T) {
	b := backendOf(t, pureGo)
	const class = 3
	x := picture(2, 4, 6)
	ofLayer := func(layer, name string) *cam.Result {
		return explain(t, explainer(t, b, at(t, newToy().Network, layer), cam.Options{}), method(t, name), x, cam.Class(class))
	}
	e := explainer(t, b, newToy().Network, cam.Options{})
	enlarged := func(r *cam.Result) *cam.Result { return resized(t, r, 4, 6, images.HalfPixel) }
	relative := func(m []float32, low bool) []float64 {
		out, a, b := make([]float64, len(m)), float64(0), float64(slices.Max(m))
		if low {
			a = float64(slices.Min(m))
		}
		for i, v := range m {
			out[i] = (float64(v) - a) / (b - a)
		}
		return out
	}
	early, late := ofLayer("point", "layercam"), enlarged(ofLayer("deep", "layercam"))
	fused := explain(t, e, method(t, "layercam-fused"), x, cam.Class(class))
	for i := range x.N {
		want := relative(early.Map(i, class).Values, false)
		for p, v := range relative(late.Map(i, class).Values, false) {
			want[p] = max(math.Tanh(2*want[p]), v)
		}
		near(t, "layercam-fused", fused.Map(i, class).Values, want, 1e-5)
	}
	first, last := ofLayer("point", "gradcam++"), ofLayer("deep", "gradcam++")
	refined := explain(t, e, method(t, "refinecam"), x, cam.Class(class))
	scaled := *last
	scaled.Maps = nil
	for i := range x.N {
		for _, v := range relative(last.Map(i, class).Values, true) {
			scaled.Maps = append(scaled.Maps, float32(v))
		}
	}
	large := enlarged(&scaled)
	for i := range x.N {
		want := relative(first.Map(i, class).Values, true)
		for p, v := range large.Map(i, class).Values {
			want[p] *= float64(v)
		}
		near(t, "refinecam", refined.Map(i, class).Values, want, 1e-5)
	}
}

// TestRandomCAMKnowsNoClass is the baseline: the same weights for all images, classes
// and explainers, between −1 and 1, so that the map is no larger than the activations'
// sum.
func TestRandomCAMKnowsNoClass(t *testing.T) {
	b := backendOf(t, pureGo)
	e, x := explainer(t, b, newToy().Network, cam.Options{}), picture(2, 4, 6)
	every := explain(t, e, method(t, "randomcam"), x, cam.All)
	near(t, "class 3", every.Map(0, 3).Values, every.Map(0, 0).Values, 0)
	maps, err := e.ClassMaps(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for i := range x.N {
		for p, v := range every.Map(i, 0).Values {
			sum := float32(0)
			for k := range maps.Channels {
				sum += maps.Act[(i*maps.Channels+k)*6+p]
			}
			if v < 0 || v > sum {
				t.Errorf("image %d, place %d: %v, want 0 to %v", i, p, v, sum)
			}
		}
	}
	early := at(t, newToy().Network, "point")
	if r := explain(t, explainer(t, b, early, cam.Options{}), method(t, "randomcam"), x, cam.All); slices.Max(r.Maps) == 0 {
		t.Error("map of zeros")
	}
}

// TestOcclusionByHand hides the windows outside the library.
func TestOcclusionByHand(t *testing.T) {
	b := backendOf(t, pureGo)
	e, x := explainer(t, b, newToy().Network, cam.Options{Chunk: 5}), picture(1, 8, 14)
	const class = 2
	score := func(x images.Batch) float64 {
		return float64(explain(t, e, method(t, "cam"), x, cam.Class(class)).Score[0])
	}
	// A quarter of 8 and 14 is 2 and 3; half of those steps 1 and 1.
	sum, count, whole := make([]float64, 8*14), make([]float64, 8*14), score(x)
	for top := 0; top+2 <= 8; top++ {
		for left := 0; left+3 <= 14; left++ {
			y := x
			y.Pixels = slices.Clone(x.Pixels)
			each := func(f func(p int)) {
				for r := top; r < top+2; r++ {
					for c := left; c < left+3; c++ {
						f(r*14 + c)
					}
				}
			}
			each(func(p int) { copy(y.Pixels[p*3:], []float32{0.5, 0.5, 0.5}) })
			fall := whole - score(y)
			each(func(p int) { sum[p] += fall; count[p]++ })
		}
	}
	for p := range sum {
		sum[p] /= count[p]
	}
	near(t, "occlusion", explain(t, e, method(t, "occlusion"), x, cam.Class(class)).Maps, sum, 1e-4)
}

// TestRISEByHand masks the images outside the library.
func TestRISEByHand(t *testing.T) {
	b := backendOf(t, pureGo)
	const n, class, size = 24, 1, 8 * 14
	e, x := explainer(t, b, newToy().Network, cam.Options{Chunk: 10}), picture(1, 8, 14)
	masks := cam.RISEMasks(b, n, 8, 14)
	if low, high := slices.Min(masks), slices.Max(masks); low < 0 || high > 1 || high-low < 0.9 {
		t.Errorf("masks from %v to %v, want 0 to 1", low, high)
	}
	sum, kept, mean := make([]float64, size), make([]float64, size), 0.0
	for m := range n {
		y := x
		y.Pixels = slices.Clone(x.Pixels)
		for i := range y.Pixels {
			y.Pixels[i] *= masks[m*size+i/3]
		}
		score := float64(explain(t, e, method(t, "cam"), y, cam.Class(class)).Score[0])
		mean += score / n
		for p := range size {
			sum[p] += score * float64(masks[m*size+p])
			kept[p] += float64(masks[m*size+p])
		}
	}
	for p := range sum {
		sum[p] = sum[p]/kept[p] - mean
	}
	near(t, "rise", explain(t, e, cam.RISE{Masks: n}, x, cam.Class(class)).Maps, sum, 1e-4)

	many := cam.RISEMasks(b, 2000, 9, 9)
	mean = 0
	for _, v := range many {
		mean += float64(v) / float64(len(many))
	}
	if math.Abs(mean-0.5) > 0.02 {
		t.Errorf("mean of the masks %v, want 0.5", mean)
	}
}

// TestLayers is the choice of a layer: At a layer is the network split there by hand.
func TestLayers(t *testing.T) {
	b := backendOf(t, pureGo)
	x := picture(2, 4, 6)
	early, byHand := at(t, newToy().Network, "point"), newToy()
	point, deep := byHand.Layers[0], byHand.Layers[1].Build
	byHand.Layers = []network.Layer{point}
	byHand.Head = func(scope *model.Scope, act *Node) *Node { return byHand.scores(scope, deep(scope, act)) }
	for _, m := range []string{"gradcam", "layercam", "ablationcam", "scorecam", "hirescam"} {
		got := explain(t, explainer(t, b, early, cam.Options{}), method(t, m), x, cam.Class(1))
		want := explain(t, explainer(t, b, byHand.Network, cam.Options{}), method(t, m), x, cam.Class(1))
		if got.Height != 4 || got.Width != 6 {
			t.Errorf("%s: map %d×%d, want 4×6", m, got.Height, got.Width)
		}
		near(t, m, got.Maps, want.Maps, 1e-5)
	}
	late := at(t, early, "deep") // of a network that is explained elsewhere already
	near(t, "deep", explain(t, explainer(t, b, late, cam.Options{}), method(t, "cam"), x, cam.All).Maps,
		explain(t, explainer(t, b, newToy().Network, cam.Options{}), method(t, "cam"), x, cam.All).Maps, 0)
}

func TestLayerErrors(t *testing.T) {
	b := backendOf(t, pureGo)
	early := at(t, newToy().Network, "point")
	for _, test := range []struct {
		rule string
		net  *network.Network
		want string
	}{
		{"without biases", linearToy(), `cam: fullgrad: layer "linear" of the network has no Bias, want one of every layer`},
		{"of an early layer", early, `cam: fullgrad: layer "point" is explained, want the network's last, "deep": what follows has biases too`},
	} {
		_, err := explainer(t, b, test.net, cam.Options{}).Explain(t.Context(), method(t, "fullgrad"), picture(1, 4, 6), cam.Predicted)
		if !errors.Is(err, cam.ErrLayer) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("fullgrad %s: error %v, want of kind %q with text %q", test.rule, err, cam.ErrLayer, test.want)
		}
	}
	if _, err := newToy().At("conv9"); !errors.Is(err, cam.ErrLayer) {
		t.Errorf("no such layer: error %v, want of kind %q", err, cam.ErrLayer)
	}
}
