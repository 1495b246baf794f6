package cam_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/camlab-go/camlab/camlib/cam"
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

func variance(values []float32) float64 {
	mean, square := 0.0, 0.0
	for _, v := range values {
		mean += float64(v) / float64(len(values))
		square += float64(v) * float64(v) / float64(len(values))
	}
	return square - mean*mean
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
