package truth_test

import (
	"errors"
	"image"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/truth"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/nn"
)

// TestBlindShareByHand has a region of one row of a map's two.
func TestBlindShareByHand(t *testing.T) {
	region := masks(t, 2, 1, ".#")
	r := oneClass(2, 2, []float32{1, 2, 3, -4}, []float32{1, 1, 0, -1}, []float32{-1, -1, -1, -1})
	got, err := truth.BlindShare(r, region)
	equal(t, "share", got, []float64{0.5, 0, 0}, err)

	// 3 rows over 2: the middle of the middle row is the region's first.
	got, err = truth.BlindShare(oneClass(3, 1, []float32{1, 2, 5}), region)
	equal(t, "three rows", got, []float64{7. / 8}, err)
	got, err = truth.BlindShare(oneClass(5, 1, []float32{1, 2, 4, 8, 16}), region)
	equal(t, "five rows", got, []float64{28. / 31}, err)
	got, err = truth.BlindShare(oneClass(1, 4, []float32{1, 2, 4, 8}), masks(t, 1, 2, "#."))
	equal(t, "four columns", got, []float64{3. / 15}, err)
}

// TestBlindNetwork hides half of the grid: what is there changes no score, methods that
// give every place its own gradient show nothing there, and Grad-CAM does.
func TestBlindNetwork(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		region := masks(t, 2, 3, "#.#...")
		net, err := truth.Blind(newPlain(), region)
		e := toyExplainer(t, b, net, err)
		x := gray(2, 4, 6)
		for p := range x.Pixels {
			x.Pixels[p] = float32(p%17+1) / 20
		}
		y := x
		y.Pixels = slices.Clone(x.Pixels)
		for p := range y.Pixels {
			if region.Masks[p/18%4/2*3+p/3%6/2] {
				y.Pixels[p] = 0.9
			}
		}
		a, c := explain(t, e, "hirescam", x, cam.Class(0)), explain(t, e, "hirescam", y, cam.Class(0))
		if !slices.Equal(a.Scores, c.Scores) {
			t.Errorf("scores %v, and %v after a change where the network is blind", a.Scores, c.Scores)
		}
		open := explain(t, toyExplainer(t, b, newPlain(), nil), "hirescam", x, cam.Class(0))
		if slices.Equal(a.Scores, open.Scores) {
			t.Errorf("scores %v, as of a network that sees all", a.Scores)
		}
		for name, right := range map[string]bool{"hirescam": true, "layercam": true, "gradcam": false} {
			got, err := truth.BlindShare(explain(t, e, name, x, cam.Class(0)), region)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range got {
				if (s == 0) != right {
					t.Errorf("%s: image %d has a share of %v where the network is blind", name, i, s)
				}
			}
		}
	})
}

// TestArticleNetworkAndWall is the same with the shipped network and the lower quarter of
// its grid, on real images.
func TestArticleNetworkAndWall(t *testing.T) {
	region, err := truth.Boxes(16, 16, image.Rect(0, 12, 16, 16))
	if err != nil {
		t.Fatal(err)
	}
	net, err := truth.Blind(pretrained(t), region)
	if err != nil {
		t.Fatal(err)
	}
	x := sample(t, 0, 100, 200, 300, 400, 500, 600, 700, 800, 900)
	e := explainer(t, net)
	for _, name := range []string{"hirescam", "layercam", "gradcam", "gradcam++", "xgradcam", "ablationcam"} {
		got, err := truth.BlindShare(explain(t, e, name, x, cam.Predicted), region)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.3f", name, mean(got))
		if right := name == "hirescam" || name == "layercam"; right && slices.Max(got) != 0 || !right && slices.Min(got) == 0 {
			t.Errorf("%s: shares %v of the region, want 0 only for methods that weight each place by its own gradient", name, got)
		}
	}
	if _, err := e.Explain(t.Context(), cam.CAM{}, x, cam.Predicted); !errors.Is(err, cam.ErrHead) {
		t.Errorf("CAM of a head that is no longer pooling and a linear layer: error %v, want of kind %q", err, cam.ErrHead)
	}
}

// TestBlindAtEveryLayer hides the grid of an earlier layer than the last.
func TestBlindAtEveryLayer(t *testing.T) {
	x := sample(t, 0, 500)
	for layer, side := range map[string]int{"conv1": 32, "conv3": 16} {
		at, err := pretrained(t).At(layer)
		if err != nil {
			t.Fatal(err)
		}
		region, err := truth.Boxes(side, side, image.Rect(0, side/2, side, side))
		if err != nil {
			t.Fatal(err)
		}
		net, err := truth.Blind(at, region)
		if err != nil {
			t.Fatal(err)
		}
		got, err := truth.BlindShare(explain(t, explainer(t, net), "hirescam", x, cam.Predicted), region)
		equal(t, layer, got, []float64{0, 0}, err)
	}
}

// TestBlindNetworkKeepsItsLayers, so that methods of all layers explain it. FullGrad's maps
// add up to its scores.
func TestBlindNetworkKeepsItsLayers(t *testing.T) {
	region, err := truth.Boxes(16, 16, image.Rect(0, 8, 16, 16))
	if err != nil {
		t.Fatal(err)
	}
	net, err := truth.Blind(pretrained(t), region)
	if err != nil {
		t.Fatal(err)
	}
	e := explainer(t, net)
	for _, name := range []string{"layercam-fused", "refinecam"} {
		if r := explain(t, e, name, sample(t, 0), cam.Predicted); r.Height != 32 {
			t.Errorf("%s: maps of %d×%d, want those of conv1's grid", name, r.Height, r.Width)
		}
	}
	complete(t, explain(t, e, "fullgrad", sample(t, 0), cam.Predicted))
}

// TestFullGradOfABlindNetwork is that of the same network that sees all, but 0 where it is
// blind: here every square of 2×2 pixels sees only itself.
func TestFullGradOfABlindNetwork(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		see := newPlain()
		squares := see.Layers[0].Build
		see.Store.VariableWithValue("bias", []float32{0.5, -0.25, 0.125})
		bias := func(scope *model.Scope, like *Node) *Node {
			return scope.GetVariable("bias").NodeValue(like.Graph())
		}
		see.Layers[0].Bias = bias
		see.Layers[0].Build = func(scope *model.Scope, x *Node) *Node {
			return nn.ReLU(nn.AddBias(squares(scope, x), bias(scope, x)))
		}
		region := masks(t, 2, 3, "#.#...")
		net, err := truth.Blind(see, region)
		x := gray(2, 4, 6)
		for p := range x.Pixels {
			x.Pixels[p] = float32(p%17+1) / 20
		}
		want := explain(t, toyExplainer(t, b, see, nil), "fullgrad", x, cam.Class(1))
		got := explain(t, toyExplainer(t, b, net, err), "fullgrad", x, cam.Class(1))
		complete(t, want)
		complete(t, got)
		for p := range want.Maps {
			if region.Masks[p/6%4/2*3+p%6/2] {
				want.Maps[p] = 0
			}
		}
		backendtest.Near(t, "map", got.Maps, want.Maps, 1e-6)
	})
}

// TestFullGradWantsALinearHead: the biases of what is no line are not known.
func TestFullGradWantsALinearHead(t *testing.T) {
	net := newPlain()
	net.Layers[0].Bias = func(_ *model.Scope, like *Node) *Node { return ConstAs(like, []float64{0, 0, 0}) }
	head := net.Head
	net.Head = func(scope *model.Scope, act *Node) *Node { return Tanh(head(scope, act)) }
	_, err := toyExplainer(t, backendtest.Go(t), net, nil).Explain(t.Context(), cam.FullGrad{}, gray(1, 4, 6), cam.Predicted)
	if !errors.Is(err, cam.ErrHead) {
		t.Errorf("error %v, want of kind %q", err, cam.ErrHead)
	}
}
