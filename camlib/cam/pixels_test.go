package cam_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/score"
)

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
	const class, size = 1, 8 * 14
	e, x := explainer(t, b, newToy().Network, cam.Options{Chunk: 10}), picture(1, 8, 14)
	for _, n := range []int{24, 1} {
		masks := cam.RISEMasks(b, n, 8, 14)
		if low, high := slices.Min(masks), slices.Max(masks); low < 0 || high > 1 || high-low < 0.9 {
			t.Errorf("masks from %v to %v, want 0 to 1", low, high)
		}
		sum, kept, mean, hidden := make([]float64, size), make([]float64, size), 0.0, false
		for m := range n {
			y := x
			y.Pixels = slices.Clone(x.Pixels)
			for i := range y.Pixels {
				y.Pixels[i] *= masks[m*size+i/3]
			}
			score := float64(explain(t, e, method(t, "cam"), y, cam.Class(class)).Score[0])
			mean += score / float64(n)
			for p := range size {
				sum[p] += score * float64(masks[m*size+p])
				kept[p] += float64(masks[m*size+p])
			}
		}
		for p := range sum {
			if kept[p] == 0 {
				hidden = true
				continue // 0: nothing is known
			}
			sum[p] = sum[p]/kept[p] - mean
		}
		if hidden != (n == 1) {
			t.Errorf("%d masks: pixels that all hide: %v, want some of one mask alone", n, hidden)
		}
		near(t, "rise", explain(t, e, cam.RISE{Masks: n}, x, cam.Class(class)).Maps, sum, 1e-4)
	}

	many, mean := cam.RISEMasks(b, 2000, 9, 9), 0.0
	for _, v := range many {
		mean += float64(v) / float64(len(many))
	}
	if math.Abs(mean-0.5) > 0.02 {
		t.Errorf("mean of the masks %v, want 0.5", mean)
	}
}
