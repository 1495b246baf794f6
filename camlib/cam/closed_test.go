package cam_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
)

// TestHeadIsTriedOnce is how often the network is built for a method with a closed form:
// once for the shape of its activations, and once for the one form that it takes.
func TestHeadIsTriedOnce(t *testing.T) {
	for name, row := range map[string]struct {
		head   func(y, act *Node) *Node
		closed bool
	}{
		"linear":         {nil, true},
		"tanh":           {func(y, _ *Node) *Node { return Tanh(y) }, false},
		"needs its grid": {func(y, act *Node) *Node { act.AssertDims(-1, 2, 3, -1); return y }, false},
		"nearly linear":  {func(y, _ *Node) *Node { return Add(y, MulScalar(Square(y), 1e-3)) }, false},
	} {
		net := newToy()
		net.head = row.head
		e, x := explainer(t, backendOf(t, pureGo), net.Network, cam.Options{}), picture(3, 4, 6)
		for range 3 {
			if r := explain(t, e, cam.GradCAM{}, x, cam.Predicted); !slices.Equal(r.Closed, slices.Repeat([]bool{row.closed}, 3)) {
				t.Errorf("%s: closed %v, want %v of all", name, r.Closed, row.closed)
			}
		}
		if n := net.built.Load(); n != 2 {
			t.Errorf("%s: built %d times, want twice", name, n)
		}
		explain(t, e, cam.LayerCAM{}, x, cam.Predicted)
		if n := net.built.Load(); n != 3 {
			t.Errorf("%s: built %d times with another method, want once more", name, n)
		}
		_, err := e.Explain(t.Context(), cam.CAM{}, x, cam.Predicted)
		if (err == nil) != row.closed || err != nil && !errors.Is(err, cam.ErrHead) {
			t.Errorf("%s: CAM: error %v, want one of kind %q: %v", name, err, cam.ErrHead, !row.closed)
		}
	}
}

// TestNoSignHidesAMisfit is a head that bends, up or down, with weights and biases of each
// sign: how much its scores miss is held against how large these are.
func TestNoSignHidesAMisfit(t *testing.T) {
	for name, row := range map[string]struct{ weight, bias float32 }{"weights": {1, 0}, "negative weights": {-1, 0}, "biases": {1, 50}, "negative biases": {1, -50}} {
		net := newToy()
		for _, v := range []struct {
			name  string
			value float32
			dims  []int
		}{{"/dense", row.weight, []int{toyChannels, toyClasses}}, {"/bias", row.bias, []int{toyClasses}}} {
			values := slices.Repeat([]float32{v.value}, shapes.Make(dtypes.Float32, v.dims...).Size())
			if err := net.Store.GetVariable(v.name).SetValue(tensors.FromFlatDataAndDimensions(values, v.dims...)); err != nil {
				t.Fatal(err)
			}
		}
		for _, bend := range []float64{1, -1} {
			net.head = func(y, act *Node) *Node {
				return Add(y, InsertAxes(MulScalar(ReduceMean(Square(act), 1, 2, 3), bend), -1))
			}
			e := explainer(t, backendOf(t, pureGo), net.Network, cam.Options{})
			if r := explain(t, e, cam.GradCAM{}, picture(2, 4, 6), cam.Class(1)); r.Closed[0] || r.Closed[1] {
				t.Errorf("%s: bend %v: closed %v, want none", name, bend, r.Closed)
			}
		}
	}
}

// TestTwinsAreClosed is a contrast of two classes that are nearly the same. What their scores
// miss by rounding is held against how large they are, and not against their difference.
func TestTwinsAreClosed(t *testing.T) {
	net := newToy()
	for _, name := range []string{"/dense", "/bias"} {
		v := net.Store.GetVariable(name)
		values := tensors.MustCopyFlatData[float32](v.MustValue())
		for i := 0; i < len(values); i += toyClasses {
			values[i+1] = values[i] * (1 + 1e-5)
		}
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(values, v.Shape().Dimensions...)); err != nil {
			t.Fatal(err)
		}
	}
	e, x := explainer(t, backendOf(t, pureGo), net.Network, cam.Options{}), picture(8, 4, 6)
	if r := explain(t, e, cam.HiResCAM{}, x, cam.Contrast(0, 1)); slices.Contains(r.Closed, false) {
		t.Errorf("closed %v, want all", r.Closed)
	}
}

// TestHeadThatRectifies is a head that is linear on the activations of a layer with a ReLU,
// and not on those of a layer without.
func TestHeadThatRectifies(t *testing.T) {
	for _, rectified := range []bool{true, false} {
		toy := newToy()
		net := *toy.Network
		net.Layers = slices.Clone(net.Layers)
		if !rectified {
			net.Layers[1] = network.Layer{Name: "deep", Build: func(scope *model.Scope, x *Node) *Node {
				return AddScalar(toy.deep(scope, x), -0.5)
			}}
		}
		net.Head = func(scope *model.Scope, act *Node) *Node { return toy.scores(scope, Max(act, ZerosLike(act))) } // whose gradient at 0 is 1
		e, x := explainer(t, backendOf(t, pureGo), &net, cam.Options{}), picture(2, 4, 6)
		if r := explain(t, e, cam.GradCAM{}, x, cam.Predicted); r.Closed[0] != rectified || r.Closed[1] != rectified {
			t.Errorf("rectified %v: closed %v", rectified, r.Closed)
		}
		if n := toy.built.Load(); n != 2 {
			t.Errorf("rectified %v: built %d times, want twice: no form but the right one", rectified, n)
		}
	}
}

// bright returns n images, of which some are bright: the mean of their activations is above
// 0.65, and else at most 0.52.
func bright(n int, which ...int) images.Batch {
	x := picture(n, 4, 6)
	for i := range x.Pixels {
		if !slices.Contains(which, i/72) {
			x.Pixels[i] *= 0.1
		}
	}
	return x
}

// TestEachImageForItself is a head that is linear but for bright images: these take the
// general form and all others the closed one, wherever they lie in a batch.
func TestEachImageForItself(t *testing.T) {
	b := backendOf(t, pureGo)
	odd := []int{0, 4, 5}
	x := bright(7, odd...)
	head := func(y, act *Node) *Node {
		mean := InsertAxes(ReduceMean(act, 1, 2, 3), -1)
		return Where(GreaterThan(BroadcastToDims(mean, y.Shape().Dimensions...), ConstAs(y, 0.6)), Sub(y, Square(y)), y)
	}
	of := func(opts cam.Options) *cam.Explainer {
		net := newToy()
		net.head = head
		return explainer(t, b, net.Network, opts)
	}
	general := of(cam.Options{General: true})
	targets := map[string]cam.Target{"predicted": cam.Predicted, "all": cam.All, "top 2": cam.Top(2), "contrast": cam.Contrast(2, 0), "probability": cam.Class(1).Probability()}
	for _, m := range []cam.Method{cam.GradCAM{}, cam.HiResCAM{}, cam.AblationCAM{}, cam.SmoothGradCAMPlusPlus{}} {
		for name, target := range targets {
			if m == (cam.SmoothGradCAMPlusPlus{}) && name == "probability" {
				continue // no closed form
			}
			what := m.Spec().Name + " of " + name
			for _, batch := range []int{1, 3, 4, 32} {
				e := of(cam.Options{Batch: batch})
				r, want := explain(t, e, m, x, target), explain(t, general, m, x, target)
				near(t, what, r.Maps, want.Maps, 2e-5)
				near(t, what+": score", r.Score, want.Score, 1e-6)
				if !slices.Equal(r.Class, want.Class) || !slices.Equal(r.Predicted, want.Predicted) || !slices.Equal(r.Outcome, want.Outcome) || !slices.Equal(r.Rival, want.Rival) {
					t.Errorf("%s, batches of %d: classes %v, outcomes %v, want %v, %v", what, batch, r.Class, r.Outcome, want.Class, want.Outcome)
				}
				for i := range x.N {
					if r.Closed[i] == slices.Contains(odd, i) || want.Closed[i] {
						t.Errorf("%s, batches of %d: closed %v, want all but %v", what, batch, r.Closed, odd)
					}
				}
				if t.Failed() { // the other batches would say the same
					return
				}
				if len(r.Closed) != x.N || r.Residual != nil {
					t.Errorf("%s: %d closed, residual %v; want %d and none, since the general form promises none", what, len(r.Closed), r.Residual, x.N)
				}
			}
		}
	}
	// A later call does not remember them.
	e := of(cam.Options{})
	explain(t, e, cam.GradCAM{}, bright(2, 0, 1), cam.Predicted)
	if r := explain(t, e, cam.GradCAM{}, bright(2), cam.Predicted); !r.Closed[0] || !r.Closed[1] {
		t.Errorf("after bright images: closed %v, want all", r.Closed)
	}
	if r := explain(t, e, cam.Smoothed{Method: cam.GradCAM{}, Scales: []float64{1, 10}}, bright(1), cam.Predicted); r.Closed[0] {
		t.Error("a smoothed map is closed, want not: a bright copy's is not")
	}
}
