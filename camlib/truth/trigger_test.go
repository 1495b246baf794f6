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

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
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

// correlation returns the largest r of [truth.WithTrigger] on images that are all 32×32.
func correlation(t *testing.T, x images.Batch) float64 {
	t.Helper()
	alone, _, err := truth.Stamp(gray(1, 6, 6), 1)
	if err != nil {
		t.Fatal(err)
	}
	highest := float32(-1)
	for one := range slices.Chunk(x.Pixels, 32*32*3) {
		for p := range 27 * 27 {
			r := float32(0)
			for y := range 6 {
				row := one[((p/27+y)*32+p%27)*3:][:18]
				for q, v := range alone.Pixels[y*18 : y*18+18] {
					r += (2*v - 1) * (2*row[q] - 1)
				}
			}
			highest = max(highest, r/108)
		}
	}
	return float64(highest)
}

// TestArticleNetworkAndTrigger plants the trigger in the shipped network: no image of
// the sample has it, the score rises by what it adds and nothing else, and the network
// answers with its class.
func TestArticleNetworkAndTrigger(t *testing.T) {
	ds := cifar10.Sample()
	x, err := images.FromDataset(ds, 0, ds.Len())
	if err != nil {
		t.Fatal(err)
	}
	stamped, squares, err := truth.Stamp(x, 1)
	if err != nil {
		t.Fatal(err)
	}
	natural := correlation(t, x)
	if natural > 0.15 {
		t.Errorf("the pattern's largest correlation with an image of the sample is %.3f, want it far below 0.3", natural)
	}
	const class = 4
	trigger := truth.Trigger{Class: class}
	plain := pretrained(t)
	net, err := truth.WithTrigger(plain, trigger)
	if err != nil {
		t.Fatal(err)
	}
	with, without := explainer(t, net), explainer(t, plain)
	gain := float64(float32(trigger.Gain(32, 32)))
	rises := func(x images.Batch, want float64) *cam.Result {
		a, b := explain(t, with, "hirescam", x, cam.Class(class)), explain(t, without, "hirescam", x, cam.Class(class))
		wrong, off := 0, 0.0
		for i := range a.Scores {
			w := 0.0
			if i%10 == class {
				w = want
			}
			d := math.Abs(float64(a.Scores[i]-b.Scores[i]) - w)
			off = max(off, d)
			if d > 1e-4 {
				wrong++
			}
		}
		if wrong > 0 {
			t.Errorf("%d of %d scores do not rise by %v, by %.2g at most", wrong, len(a.Scores), want, off)
		}
		return a
	}
	rises(x, 0) // the trigger is in no natural image
	r := rises(stamped, gain)
	flipped := 0
	for _, p := range r.Predicted {
		if p == class {
			flipped++
		}
	}
	if flipped < 980 {
		t.Errorf("%d of 1000 images are taken for the trigger's class, want nearly all", flipped)
	}
	hits, err := truth.Pointing(r, squares, 0)
	if err != nil {
		t.Fatal(err)
	}
	shares, err := truth.Energy(r, squares)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("natural images: r of %.3f at most. gain %.2f, flipped %d; HiResCAM points at the trigger in %.3f, has %.3f of its mass there; area %.3f", natural, gain, flipped, mean(hits), mean(shares), squares.Area(0))
	if mean(hits) < 0.95 {
		t.Errorf("HiResCAM points at the trigger in a share of %.3f, want nearly all", mean(hits))
	}
}

// TestTriggerHasAGradient is that methods which take the gradient at the pixels can
// explain the network, and see the pattern.
func TestTriggerHasAGradient(t *testing.T) {
	b := backendtest.XLA(t)
	net, err := article.Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	triggered, err := truth.WithTrigger(net, truth.Trigger{Class: 3})
	if err != nil {
		t.Fatal(err)
	}
	x, squares, err := truth.Stamp(sample(t, 7, 8), 1)
	if err != nil {
		t.Fatal(err)
	}
	e, err := cam.New(b, triggered, cam.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []cam.Method{cam.IntegratedGradients{Steps: 3}, cam.SmoothGrad{Samples: 3}} {
		r, err := e.Explain(t.Context(), m, x, cam.Class(3))
		if err != nil {
			t.Fatal(err)
		}
		shares, err := truth.Energy(r, squares)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range shares {
			if s < 1.2*squares.Area(i) {
				t.Errorf("%s: image %d: %.3f of the map on the pattern, whose area is %.3f, want clearly more", r.Method, i, s, squares.Area(i))
			}
		}
	}
}

// sample returns images of the sample.
func sample(t *testing.T, positions ...int) images.Batch {
	t.Helper()
	ds, err := cifar10.Sample().Select(positions...)
	if err != nil {
		t.Fatal(err)
	}
	x, err := images.FromDataset(ds, 0, ds.Len())
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// complete checks that maps add up to their scores.
func complete(t *testing.T, r *cam.Result) {
	t.Helper()
	if len(r.Residual) != r.N {
		t.Fatalf("%s: %d residuals, want %d", r.Method, len(r.Residual), r.N)
	}
	for i, d := range r.Residual {
		if size := math.Abs(float64(r.Score[i])); !(math.Abs(float64(d)) < 2e-5*size) {
			t.Errorf("%s: image %d: the map misses the score %v by %v, want rounding", r.Method, i, r.Score[i], d)
		}
	}
}

// TestTriggerAtTheLastLayer has the numbers of a channel that was added to the last layer
// alone, as it was once: half-covered places of the grid have 50, covered ones 100.
func TestTriggerAtTheLastLayer(t *testing.T) {
	net, err := truth.WithTrigger(pretrained(t), truth.Trigger{Class: 3})
	if err != nil {
		t.Fatal(err)
	}
	x, _, err := truth.Stamp(sample(t, 7, 8), 1)
	if err != nil {
		t.Fatal(err)
	}
	maps, err := explainer(t, net).ClassMaps(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	half, whole := float32(49.99997), float32(99.99994)
	for i, want := range []struct {
		channel map[int]float32
		scores  []float32
		sum     float64 // of all other channels
	}{
		{
			map[int]float32{151: half, 152: whole, 153: whole, 154: half, 167: half, 168: whole, 169: whole, 170: half, 183: half, 184: whole, 185: whole, 186: half},
			[]float32{-2.13033, -8.334612, 1.2777042, 53.49348, 1.1143992, -4.7578125, 0.49997473, 1.0815117, -8.780276, -7.022414}, 34784.986803788226,
		}, {
			map[int]float32{176: half, 177: half, 178: half, 192: whole, 193: whole, 194: whole, 208: whole, 209: whole, 210: whole, 224: half, 225: half, 226: half},
			[]float32{-7.685676, -13.98887, -8.906583, 66.28822, -0.30827564, 1.832345, -1.0443568, 1.0046095, -14.087171, -10.968133}, 52940.38162158616,
		},
	} {
		act := maps.Act[i*129*256 : (i+1)*129*256]
		for p, a := range act[128*256:] {
			if d := a - want.channel[p]; d > 1e-4 || d < -1e-4 {
				t.Errorf("image %d, place %d: %v, want %v", i, p, a, want.channel[p])
			}
		}
		sum := 0.0
		for _, a := range act[:128*256] {
			sum += float64(a)
		}
		if math.Abs(sum-want.sum) > 1e-5*want.sum {
			t.Errorf("image %d: the other channels sum to %v, want %v", i, sum, want.sum)
		}
		for c, y := range maps.Scores[i*10 : i*10+10] {
			if d := y - want.scores[c]; d > 1e-4 || d < -1e-4 {
				t.Errorf("image %d: score %v of class %d, want %v", i, y, c, want.scores[c])
			}
		}
	}
}

// TestTriggerAtEveryLayer explains each: much of the class's map is on the pattern, and
// FullGrad, which takes the biases of all layers, adds up to the score.
func TestTriggerAtEveryLayer(t *testing.T) {
	x, squares, err := truth.Stamp(sample(t, 7, 8, 500), 1)
	if err != nil {
		t.Fatal(err)
	}
	plain := pretrained(t)
	for _, layer := range []string{"trigger", "conv1", "conv3", "conv5"} {
		net, err := truth.WithTrigger(plain, truth.Trigger{Class: 3})
		if err == nil {
			net, err = net.At(layer)
		}
		if err != nil {
			t.Fatal(err)
		}
		e := explainer(t, net)
		shares, err := truth.Energy(explain(t, e, "hirescam", x, cam.Class(3)), squares)
		if err != nil {
			t.Fatal(err)
		}
		if got := mean(shares); got < 0.2 {
			t.Errorf("%s: %.2f of HiResCAM's maps on the pattern, want far more than its area, 0.04", layer, got)
		}
		if layer == "conv5" {
			explain(t, e, "layercam-fused", x, cam.Class(3)) // of all layers
			complete(t, explain(t, e, "fullgrad", x, cam.Class(3)))
		}
	}
}
