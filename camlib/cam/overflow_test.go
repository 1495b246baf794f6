package cam_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// wantOverflow fails unless err is of kind cam.ErrNotFinite and names a part.
func wantOverflow(t *testing.T, what string, r *cam.Result, err error, image, part string) {
	t.Helper()
	if text := image + ": infinite or NaN from " + part + " on, want finite numbers"; r != nil || !errors.Is(err, cam.ErrNotFinite) || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: result %v, error %v, want no result and %q", what, r != nil, err, text)
	}
}

// fill sets a toy's variable to values in turn.
func (t *toy) fill(name string, values ...float32) {
	v := t.Store.GetVariable(name)
	all := slices.Repeat(values, v.Shape().Size())[:v.Shape().Size()]
	if err := v.SetValue(tensors.FromFlatDataAndDimensions(all, v.Shape().Dimensions...)); err != nil {
		panic(err)
	}
}

// plain is a network with one layer for all of another's.
func plain(net *network.Network) *network.Network {
	one := *net
	one.Layers = []network.Layer{{Name: "features", Build: func(scope *model.Scope, x *Node) *Node {
		act, _ := net.Features(scope, x)
		return act
	}}}
	return &one
}

// TestEveryMethodNamesThePart that overflows, of a network that names its layers and
// of one that does not, in every way that a method runs it.
func TestEveryMethodNamesThePart(t *testing.T) {
	some := []string{"cam", "scorecam"}
	x := picture(2, 8, 8)
	onEach(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct {
			variable    string
			weights     []float32
			part, plain string
		}{
			{"point", []float32{1, -3e38}, "point", "features"}, // every other one −∞ before the ReLU
			{"deep", []float32{1, 3e38}, "deep", "features"},
			{"dense", []float32{1, -3e38}, "the head", "the head"},
		} {
			net := newToy()
			net.fill("point", 1)
			net.fill(c.variable, c.weights...)
			e, of := explainer(t, b, net.Network, cam.Options{}), explainer(t, b, plain(net.Network), cam.Options{})
			for _, m := range methods() {
				if !isPureGo(b) && (c.variable != "point" || !slices.Contains(some, m.Spec().Name)) {
					continue // compiling all takes minutes
				}
				r, err := e.Explain(t.Context(), m, x, cam.Predicted)
				wantOverflow(t, c.variable+" "+m.Spec().Name, r, err, "cam: "+m.Spec().Name+": image 0", c.part)
				switch {
				case m.Spec().Name == "fullgrad": // needs a bias of every layer
					continue
				case c.variable != "point":
					continue
				}
				r, err = of.Explain(t.Context(), m, x, cam.Predicted)
				wantOverflow(t, c.variable+" plain "+m.Spec().Name, r, err, "cam: "+m.Spec().Name+": image 0", c.plain)
			}
		}
	})
}

// TestOverflowOfACopy: an image that is well, black or nearly, and changed copies of it that overflow.
func TestOverflowOfACopy(t *testing.T) {
	x := picture(3, 8, 8)
	for i := range x.Pixels {
		x.Pixels[i] *= 1e-6
	}
	onEach(t, func(t *testing.T, b compute.Backend) {
		net := newToy()
		net.fill("point", 3e38)
		net.fill("deep", 10)
		e := explainer(t, b, net.Network, cam.Options{General: true})
		explain(t, e, method(t, "gradcam"), x, cam.Predicted)
		for name, part := range map[string]string{"occlusion": "point", "smoothgrad": "deep", "smoothgradcam++": "deep"} {
			targets := []cam.Target{cam.Predicted}
			if isPureGo(b) {
				targets = append(targets, cam.Top(2), cam.Class(1).Probability())
			}
			for _, target := range targets {
				r, err := e.Explain(t.Context(), method(t, name), x, target)
				wantOverflow(t, name, r, err, "cam: "+name+": image 0", part+" of a changed copy")
			}
		}
	})
}

// TestGradientOverflow: the scores are finite, the gradient at an early layer is not.
func TestGradientOverflow(t *testing.T) {
	x := picture(1, 8, 8)
	onEach(t, func(t *testing.T, b compute.Backend) {
		net := newToy()
		for name, v := range map[string]float32{"point": 1e-20, "point_bias": 0, "deep": 1e20, "deep_bias": 0, "dense": 1e25} {
			net.fill(name, v)
		}
		early := at(t, net.Network, "point")
		e := explainer(t, b, early, cam.Options{})
		explain(t, e, method(t, "eigencam"), x, cam.Predicted) // takes no gradient
		names := []string{"gradcam", "layercam-fused", "smoothgradcam++"}
		if isPureGo(b) { // which compiles nothing
			names = append(names, "gradcam++", "xgradcam", "hirescam", "layercam", "eigengradcam", "shapleycam", "finercam", "refinecam")
		}
		for _, name := range names {
			r, err := e.Explain(t.Context(), method(t, name), x, cam.Class(0))
			if r != nil || !errors.Is(err, cam.ErrNotFinite) || !strings.Contains(err.Error(), "the gradient or the weights overflow") {
				t.Errorf("%s: result %v, error %v, want that of a gradient that overflows", name, r, err)
			}
		}
	})
}

// TestQuotientsDoNotHideOverflow: a gradient and activations that are finite, and their product is not.
func TestQuotientsDoNotHideOverflow(t *testing.T) {
	x := picture(1, 8, 8)
	onEach(t, func(t *testing.T, b compute.Backend) {
		net := newToy()
		for name, v := range map[string]float32{"point": 1e20, "point_bias": 0, "deep_bias": 0, "dense": 2e35} {
			net.fill(name, v)
		}
		// The first channel's part of a score of 1e36 is a thousand times that, the second takes it away.
		net.fill("deep", slices.Concat(slices.Repeat([]float32{1e-17}, 5), slices.Repeat([]float32{-9.99e-18}, 5), make([]float32, 15))...)
		early := at(t, net.Network, "point")
		e := explainer(t, b, early, cam.Options{})
		explain(t, e, method(t, "hirescam"), x, cam.Class(0))
		for _, name := range []string{"gradcam++", "smoothgradcam++"} {
			if r, err := e.Explain(t.Context(), method(t, name), x, cam.Class(0)); r != nil || !errors.Is(err, cam.ErrNotFinite) {
				t.Errorf("%s: result %v, error %v, want kind %q", name, r, err, cam.ErrNotFinite)
			}
		}
	})
}

// TestArticleNamesTheLayer of the article's network, explained at its own and at another
// layer, in either type.
func TestArticleNamesTheLayer(t *testing.T) {
	x := picture(1, 8, 8)
	onEach(t, func(t *testing.T, b compute.Backend) {
		for _, broken := range []string{"conv2", "conv5"} {
			if isPureGo(b) != (broken == "conv5") {
				continue // one on each, since this takes many seconds
			}
			model := article.New(1)
			backendtest.Overflow(t, model.Store, broken+"/weights")
			for _, c := range []struct {
				layer  string
				method cam.Method
				opts   cam.Options
			}{
				{"conv1", cam.EigenCAM{}, cam.Options{}},
				{"conv5", cam.ScoreCAM{Channels: 2}, cam.Options{}},
				{"conv5", cam.CAM{}, cam.Options{Type: dtypes.BFloat16}},
			} {
				if isPureGo(b) && c.opts.Type != 0 {
					continue // has no such products
				}
				r, err := explainer(t, b, at(t, model, c.layer), c.opts).Explain(t.Context(), c.method, x, cam.Predicted)
				wantOverflow(t, broken+" "+c.layer+" "+c.method.Spec().Name, r, err, "image 0", broken)
			}
		}
	})
}
