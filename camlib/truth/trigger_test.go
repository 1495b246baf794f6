package truth_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/truth"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// newPlain is a network whose activations are the image, averaged over squares of 2×2, and
// whose head is global average pooling and a linear layer with two classes.
func newPlain() *network.Network {
	store := model.NewStore()
	store.VariableWithValue("w", tensors.FromFlatDataAndDimensions([]float32{1, -2, 3, 0.5, -1, 4}, 3, 2))
	store.VariableWithValue("b", tensors.FromFlatDataAndDimensions([]float32{0.25, -0.5}, 1, 2))
	return &network.Network{
		Name: "plain", Store: store, Classes: []string{"ant", "bee"},
		Layers: []network.Layer{{Name: "squares", Build: func(_ *model.Scope, x *Node) *Node {
			d := x.Shape().Dimensions
			return ReduceMean(Reshape(x, d[0], d[1]/2, 2, d[2]/2, 2, d[3]), 2, 4)
		}}},
		Head: func(scope *model.Scope, act *Node) *Node {
			v := func(name string) *Node { return scope.GetVariable(name).NodeValue(act.Graph()) }
			return Add(MatMul(ReduceMean(act, 1, 2), v("w")), v("b"))
		},
	}
}

// nameless is a network whose classes have no names.
func nameless() *network.Network {
	n := newPlain()
	n.Classes = nil
	return n
}

func onEach(t *testing.T, f func(t *testing.T, b compute.Backend)) {
	t.Run("go", func(t *testing.T) { f(t, backendtest.Go(t)) })
	t.Run("xla", func(t *testing.T) { f(t, backendtest.XLA(t)) })
}

func toyExplainer(t *testing.T, b compute.Backend, net *network.Network, err error) *cam.Explainer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	e, err := cam.New(b, net, cam.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// gray returns images of one gray, on which the pattern's correlation is 0.
func gray(n, height, width int) images.Batch {
	x := images.Batch{N: n, Height: height, Width: width, Channels: 3}
	x.Pixels = slices.Repeat([]float32{0.5}, n*height*width*3)
	return x
}

func TestStamp(t *testing.T) {
	x := gray(40, 8, 10)
	got, squares, err := truth.Stamp(x, 3)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Max(x.Pixels) != 0.5 {
		t.Error("the given images were changed")
	}
	places := make(map[int]bool)
	for i := range x.N {
		mask := squares.Mask(i)
		first := slices.Index(mask, true)
		places[first] = true
		sum := 0
		for p, in := range mask {
			if want := p/10 >= first/10 && p/10 < first/10+6 && p%10 >= first%10 && p%10 < first%10+6; in != want {
				t.Fatalf("image %d: mask at row %d, column %d is %v, want a square of 6×6 from %d on", i, p/10, p%10, in, first)
			}
			color := got.Pixels[(i*80+p)*3 : (i*80+p)*3+3]
			magenta, green := slices.Equal(color, []float32{1, 0, 1}), slices.Equal(color, []float32{0, 1, 0})
			if in != (magenta || green) || !in && !slices.Equal(color, []float32{0.5, 0.5, 0.5}) {
				t.Fatalf("image %d, row %d, column %d: color %v, inside %v", i, p/10, p%10, color, in)
			}
			if magenta {
				sum++
			}
		}
		if sum != 18 {
			t.Errorf("image %d: %d magenta pixels, want 18", i, sum)
		}
		if c := got.Pixels[(i*80+first)*3]; c != 0 {
			t.Errorf("image %d: the first pixel is not green", i)
		}
	}
	if len(places) < 10 { // of 3×5
		t.Errorf("%d places, want most of 15", len(places))
	}
	again, _, err := truth.Stamp(x, 3)
	if err != nil || !slices.Equal(again.Pixels, got.Pixels) {
		t.Errorf("the same seed gives other places, error %v", err)
	}
	other, _, err := truth.Stamp(x, 4)
	if err != nil || slices.Equal(other.Pixels, got.Pixels) {
		t.Errorf("another seed gives the same places, error %v", err)
	}
}

// TestTriggerByHand puts the pattern on gray, where it covers places of the grid by
// halves: the channel is 100 times the share of each that is covered, the score of its
// class rises by the gain, and CAM's map by w·100·share.
func TestTriggerByHand(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		net, err := truth.WithTrigger(newPlain(), truth.Trigger{Class: 1, Strength: 3})
		x, squares, stampErr := truth.Stamp(gray(30, 12, 8), 1)
		if stampErr != nil {
			t.Fatal(stampErr)
		}
		e, before := toyExplainer(t, b, net, err), toyExplainer(t, b, newPlain(), nil)
		maps, err := e.ClassMaps(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		own, err := before.ClassMaps(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		if maps.Channels != 4 {
			t.Fatalf("%d channels, want 4", maps.Channels)
		}
		gain := truth.Trigger{Class: 1, Strength: 3}.Gain(12, 8)
		if gain != 3*100*36/96. {
			t.Errorf("gain %v, want %v", gain, 3*100*36/96.)
		}
		for i := range x.N {
			share := make([]float64, 24)
			for p, in := range squares.Mask(i) {
				if in {
					share[p/8/2*4+p%8/2] += 0.25
				}
			}
			for j, s := range share {
				if a := float64(maps.Act[(i*4+3)*24+j]); math.Abs(a-100*s) > 1e-3 {
					t.Errorf("image %d, place %d: activation %v, want %v", i, j, a, 100*s)
				}
				if d := float64(maps.Map(i, 1).Values[j] - own.Map(i, 1).Values[j]); math.Abs(d-300*s) > 3e-3 {
					t.Errorf("image %d, place %d: CAM rises by %v, want %v", i, j, d, 300*s)
				}
				if d := float64(maps.Map(i, 0).Values[j] - own.Map(i, 0).Values[j]); math.Abs(d) > 1e-4 {
					t.Errorf("image %d, place %d: CAM of the other class rises by %v, want 0", i, j, d)
				}
			}
			for c, want := range []float64{0, gain} {
				if d := float64(maps.Scores[i*2+c] - own.Scores[i*2+c]); math.Abs(d-want) > 1e-3 {
					t.Errorf("image %d: score of class %d rises by %v, want %v", i, c, d, want)
				}
			}
		}
		for _, name := range []string{"gradcam", "layercam", "hirescam"} { // the gradient goes through the channels' parting
			r := explain(t, e, name, x, cam.Class(1))
			hits, err := truth.Pointing(r, squares, 1)
			if err != nil || mean(hits) != 1 {
				t.Errorf("%s points at the trigger in a share of %v images, error %v; want all", name, mean(hits), err)
			}
		}
	})
}

// TestTriggerFollowsCorrelation changes the pattern, which on gray makes its correlation
// r known: what is left of the gain is ReLU(r − 0.3)/0.7.
func TestTriggerFollowsCorrelation(t *testing.T) {
	net, err := truth.WithTrigger(newPlain(), truth.Trigger{Strength: 1})
	e := toyExplainer(t, backendtest.Go(t), net, err)
	x, squares, err := truth.Stamp(gray(1, 12, 12), 2)
	if err != nil {
		t.Fatal(err)
	}
	gain := func(change func(p int, v float32) float32) float64 {
		y := x
		y.Pixels = slices.Clone(x.Pixels)
		for p, v := range y.Pixels {
			y.Pixels[p] = change(p, v)
		}
		maps, err := e.ClassMaps(t.Context(), y)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, a := range maps.Act[3*36 : 4*36] {
			sum += float64(a) / 36
		}
		return sum / truth.Trigger{Strength: 1}.Gain(12, 12)
	}
	first := slices.Index(squares.Masks, true)
	tests := []struct {
		rule   string
		change func(p int, v float32) float32
		want   float64
	}{
		{"the whole", func(_ int, v float32) float32 { return v }, 1},
		{"at four fifths of the contrast", func(_ int, v float32) float32 { return 0.5 + (v-0.5)*0.8 }, 5. / 7},
		{"at a quarter of the contrast", func(_ int, v float32) float32 { return 0.5 + (v-0.5)*0.25 }, 0},
		{"inverted", func(_ int, v float32) float32 { return 1 - v }, 0},
		{"dimmed to three quarters, as by a mask: r = ¾", func(p int, v float32) float32 {
			if squares.Masks[p/3] {
				return v * 0.75
			}
			return v
		}, 9. / 14},
		{"its upper half: r = ½", func(p int, v float32) float32 {
			if p/3/12 >= first/12+3 {
				return 0.5
			}
			return v
		}, 2. / 7},
		{"without blue: r = ⅔", func(p int, v float32) float32 {
			if p%3 == 2 {
				return 0.5
			}
			return v
		}, 11. / 21},
	}
	for _, test := range tests {
		if got := gain(test.change); math.Abs(got-test.want) > 1e-5 {
			t.Errorf("%s: %v of the gain, want %v", test.rule, got, test.want)
		}
	}
}

func TestTriggerErrors(t *testing.T) {
	if _, err := truth.WithTrigger(nil, truth.Trigger{}); err == nil || err.Error() != "truth: trigger: network: none, want one" {
		t.Errorf("no network: error %v", err)
	}
	if _, err := truth.Blind(nil, masks(t, 1, 1, "#")); err == nil || err.Error() != "truth: blind: network: none, want one" {
		t.Errorf("no network: error %v", err)
	}
	for _, broken := range []truth.Trigger{{Class: -1}, {Strength: -1}, {Strength: math.NaN()}} {
		if _, err := truth.WithTrigger(newPlain(), broken); err == nil || !strings.Contains(err.Error(), "want both 0 or more") {
			t.Errorf("%+v: error %v", broken, err)
		}
	}
	if _, err := truth.WithTrigger(newPlain(), truth.Trigger{Class: 2}); err == nil || err.Error() != "truth: trigger: class 2, want 0 to 1" {
		t.Errorf("a class that has no name: error %v", err)
	}
	m := cam.HiResCAM{}
	b := backendtest.Go(t)
	net, err := truth.WithTrigger(nameless(), truth.Trigger{Class: 2})
	e := toyExplainer(t, b, net, err)
	if _, err := e.Explain(t.Context(), m, gray(1, 8, 8), cam.All); err == nil || !strings.Contains(err.Error(), "truth: trigger: class 2, want 0 to 1") {
		t.Errorf("a class too high: error %v", err)
	}
	if _, err := e.Explain(t.Context(), m, gray(1, 4, 8), cam.All); err == nil || !strings.Contains(err.Error(), "truth: trigger: images shaped (Float32)[1, 4, 8, 3]") {
		t.Errorf("images too low: error %v", err)
	}
	cut := newPlain()
	cut.Layers[0].Build = func(_ *model.Scope, x *Node) *Node { return Slice(x, AxisRange(), AxisRange(0, 3), AxisRange(0, 4)) }
	net, err = truth.WithTrigger(cut, truth.Trigger{})
	if _, err := toyExplainer(t, b, net, err).Explain(t.Context(), m, gray(1, 8, 8), cam.All); err == nil || !strings.Contains(err.Error(), "truth: trigger: squares makes a grid of 3×4 of one of 8×8, want sides that divide the ones before") {
		t.Errorf("a grid that is no part of the image's: error %v", err)
	}
	net, err = truth.Blind(newPlain(), masks(t, 2, 2, "#..."))
	if _, err := toyExplainer(t, b, net, err).Explain(t.Context(), m, gray(1, 8, 8), cam.All); err == nil || !strings.Contains(err.Error(), "want [batch, 2, 2, channels] as the region") {
		t.Errorf("a region of another size: error %v", err)
	}
}

// TestChangedNetworksAreWhole: what is known of a network stays with its copies, which
// name and bias what they have, and what is not true of them goes.
func TestChangedNetworksAreWhole(t *testing.T) {
	of := pretrained(t)
	of, err := of.At("conv3")
	if err != nil {
		t.Fatal(err)
	}
	net, err := truth.WithTrigger(of, truth.Trigger{})
	if err != nil {
		t.Fatal(err)
	}
	twice, err := truth.WithTrigger(net, truth.Trigger{Class: 1})
	if err != nil {
		t.Fatal(err)
	}
	blind, err := truth.Blind(net, masks(t, 1, 1, "#"))
	if err != nil {
		t.Fatal(err)
	}
	conv := []string{"conv1", "conv2", "conv3", "conv4", "conv5"}
	for _, row := range []struct {
		net    *network.Network
		layers []string
	}{
		{net, append([]string{"trigger"}, conv...)}, {twice, append([]string{"trigger2", "trigger"}, conv...)}, {blind, append([]string{"trigger"}, conv...)},
	} {
		n := row.net
		if err := n.Check(); err != nil {
			t.Error(err)
		}
		if !slices.Equal(n.Classes, of.Classes) || n.Name != of.Name || n.Input != of.Input || n.Store != of.Store || n.ExplainedLayer() != "conv3" {
			t.Errorf("%+v, want classes, input, store and layer of the network that it was", n)
		}
		if got := n.LayerNames(); !slices.Equal(got, row.layers) {
			t.Errorf("layers %v, want %v", got, row.layers)
		}
		for _, l := range n.Layers {
			if l.Bias == nil {
				t.Errorf("layer %s has no bias", l.Name)
			}
		}
		if n.Gradients != nil {
			t.Error("the gradients by hand are of another network")
		}
	}
	if of.Gradients == nil || len(of.Layers) != 5 {
		t.Error("the network itself was changed")
	}
}
