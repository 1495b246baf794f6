package cam_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
)

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
