package truth_test

import (
	"math"
	"slices"
	"testing"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/truth"
	"github.com/camlab-go/camlab/internal/backendtest"
)

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
