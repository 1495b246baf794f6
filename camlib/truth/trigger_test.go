package truth_test

import (
	"image"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/truth"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// plain is a network whose activations are the image, averaged over squares of 2×2, and
// whose head is global average pooling and a linear layer with two classes.
type plain struct{ store *model.Store }

func newPlain() *plain {
	store := model.NewStore()
	store.VariableWithValue("w", tensors.FromFlatDataAndDimensions([]float32{1, -2, 3, 0.5, -1, 4}, 3, 2))
	store.VariableWithValue("b", tensors.FromFlatDataAndDimensions([]float32{0.25, -0.5}, 1, 2))
	return &plain{store}
}

func (p *plain) Store() *model.Store { return p.store }

func (p *plain) Classes() []string { return []string{"ant", "bee"} }

func (p *plain) Features(_ *model.Scope, x *Node) *Node {
	d := x.Shape().Dimensions
	return ReduceMean(Reshape(x, d[0], d[1]/2, 2, d[2]/2, 2, d[3]), 2, 4)
}

func (p *plain) Head(scope *model.Scope, act *Node) *Node {
	v := func(name string) *Node { return scope.GetVariable(name).NodeValue(act.Graph()) }
	return Add(MatMul(ReduceMean(act, 1, 2), v("w")), v("b"))
}

// nameless hides the names of a network's classes.
type nameless struct{ *network.Network }

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
	got, truth, err := truth.Stamp(x, 3)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Max(x.Pixels) != 0.5 {
		t.Error("the given images were changed")
	}
	places := make(map[int]bool)
	for i := range x.N {
		mask := truth.Mask(i)
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
		x, truth, stampErr := truth.Stamp(gray(30, 12, 8), 1)
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
			for p, in := range truth.Mask(i) {
				if in {
					share[p/8/2*4+p%8/2] += 0.25
				}
			}
			for j, s := range share {
				if a := float64(maps.Act[(i*4+3)*24+j]); math.Abs(a-100*s) > 1e-3 {
					t.Errorf("image %d, place %d: activation %v, want %v", i, j, a, 100*s)
				}
				if d := float64(maps.Map(i, 1)[j] - own.Map(i, 1)[j]); math.Abs(d-300*s) > 3e-3 {
					t.Errorf("image %d, place %d: CAM rises by %v, want %v", i, j, d, 300*s)
				}
				if d := float64(maps.Map(i, 0)[j] - own.Map(i, 0)[j]); math.Abs(d) > 1e-4 {
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
			hits, err := truth.Pointing(r, truth, 1)
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
	x, truth, err := truth.Stamp(gray(1, 12, 12), 2)
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
	first := slices.Index(truth.Masks, true)
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
			if truth.Masks[p/3] {
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
	if _, err := truth.WithTrigger(nil, truth.Trigger{}); err == nil || err.Error() != "truth: trigger: no network, want one" {
		t.Errorf("no network: error %v", err)
	}
	if _, err := truth.Blind(nil, truth(t, 1, 1, "#")); err == nil || err.Error() != "truth: blind: no network, want one" {
		t.Errorf("no network: error %v", err)
	}
	for _, broken := range []truth.Trigger{{Class: -1}, {Strength: -1}, {Strength: math.NaN()}} {
		if _, err := truth.WithTrigger(newPlain(), broken); err == nil || !strings.Contains(err.Error(), "want both 0 or more") {
			t.Errorf("%+v: error %v", broken, err)
		}
	}
	m, err := cam.Lookup("hirescam")
	if err != nil {
		t.Fatal(err)
	}
	b := backendtest.Go(t)
	net, err := truth.WithTrigger(newPlain(), truth.Trigger{Class: 2})
	e := toyExplainer(t, b, net, err)
	if _, err := e.Explain(t.Context(), m, gray(1, 8, 8), cam.All); err == nil || !strings.Contains(err.Error(), "truth: trigger: class 2, want 0 to 1") {
		t.Errorf("a class too high: error %v", err)
	}
	if _, err := e.Explain(t.Context(), m, gray(1, 4, 8), cam.All); err == nil || !strings.Contains(err.Error(), "truth: trigger: images shaped (Float32)[1 4 8 3]") {
		t.Errorf("images too low: error %v", err)
	}
	net, err = truth.Blind(newPlain(), truth(t, 2, 2, "#..."))
	if _, err := toyExplainer(t, b, net, err).Explain(t.Context(), m, gray(1, 8, 8), cam.All); err == nil || !strings.Contains(err.Error(), "want [batch, 2, 2, channels] as the region") {
		t.Errorf("a region of another size: error %v", err)
	}
}

// TestClassesKeepTheirNames asks networks that are part of another for names.
func TestClassesKeepTheirNames(t *testing.T) {
	for _, of := range []*network.Network{newPlain(), nameless{newPlain()}} {
		net, err := truth.WithTrigger(of, truth.Trigger{})
		if err != nil {
			t.Fatal(err)
		}
		blind, err := truth.Blind(net, truth(t, 1, 1, "#"))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []*network.Network{net, blind} {
			if got, want := cam.ClassNames(n), cam.ClassNames(of); !slices.Equal(got, want) {
				t.Errorf("classes %v, want %v", got, want)
			}
		}
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
	x := cam.FromDataset(ds)
	stamped, truth, err := truth.Stamp(x, 1)
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
	with, without := article(t, net), article(t, plain)
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
	hits, err := truth.Pointing(r, truth, 0)
	if err != nil {
		t.Fatal(err)
	}
	shares, err := truth.Energy(r, truth)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("natural images: r of %.3f at most. gain %.2f, flipped %d; HiResCAM points at the trigger in %.3f, has %.3f of its mass there; area %.3f", natural, gain, flipped, mean(hits), mean(shares), truth.Area(0))
	if mean(hits) < 0.95 {
		t.Errorf("HiResCAM points at the trigger in a share of %.3f, want nearly all", mean(hits))
	}
}

// TestBlindShareByHand has a region of one row of a map's two.
func TestBlindShareByHand(t *testing.T) {
	region := truth(t, 2, 1, ".#")
	r := oneClass(2, 2, []float32{1, 2, 3, -4}, []float32{1, 1, 0, -1}, []float32{-1, -1, -1, -1})
	got, err := truth.BlindShare(r, region)
	equal(t, "share", got, []float64{0.5, 0, 0}, err)

	// 3 rows over 2: the middle of the middle row is the region's first.
	got, err = truth.BlindShare(oneClass(3, 1, []float32{1, 2, 5}), region)
	equal(t, "three rows", got, []float64{7. / 8}, err)
	got, err = truth.BlindShare(oneClass(5, 1, []float32{1, 2, 4, 8, 16}), region)
	equal(t, "five rows", got, []float64{28. / 31}, err)
	got, err = truth.BlindShare(oneClass(1, 4, []float32{1, 2, 4, 8}), truth(t, 1, 2, "#."))
	equal(t, "four columns", got, []float64{3. / 15}, err)
}

// TestBlindNetwork hides half of the grid: what is there changes no score, methods that
// give every place its own gradient show nothing there, and Grad-CAM does.
func TestBlindNetwork(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		region := truth(t, 2, 3, "#.#...")
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
	ds, err := cifar10.Sample().Select(0, 100, 200, 300, 400, 500, 600, 700, 800, 900)
	if err != nil {
		t.Fatal(err)
	}
	e := article(t, net)
	for _, name := range []string{"hirescam", "layercam", "gradcam", "gradcam++", "xgradcam", "ablationcam"} {
		got, err := truth.BlindShare(explain(t, e, name, cam.FromDataset(ds), cam.Predicted), region)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.3f", name, mean(got))
		if right := name == "hirescam" || name == "layercam"; right && slices.Max(got) != 0 || !right && slices.Min(got) == 0 {
			t.Errorf("%s: shares %v of the region, want 0 only for methods that weight each place by its own gradient", name, got)
		}
	}
	m, err := cam.Lookup("cam")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Explain(t.Context(), m, cam.FromDataset(ds), cam.Predicted); err == nil {
		t.Error("CAM of a head that is no longer pooling and a linear layer: no error")
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
	ds, err := cifar10.Sample().Select(7, 8)
	if err != nil {
		t.Fatal(err)
	}
	x, truth, err := truth.Stamp(cam.FromDataset(ds), 1)
	if err != nil {
		t.Fatal(err)
	}
	e, err := cam.New(b, triggered, cam.Options{Samples: 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"integratedgradients", "smoothgrad"} {
		m, err := cam.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := e.Explain(t.Context(), m, x, cam.Class(3))
		if err != nil {
			t.Fatal(err)
		}
		shares, err := truth.Energy(r, truth)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range shares {
			if s < 1.2*truth.Area(i) {
				t.Errorf("%s: image %d: %.3f of the map on the pattern, whose area is %.3f, want clearly more", name, i, s, truth.Area(i))
			}
		}
	}
}
