package truth_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/truth"
	"github.com/camlab-go/camlab/internal/backendtest"
)

func mosaics(t *testing.T, n int, seed uint64, opts truth.MosaicOptions) *truth.Mosaics {
	t.Helper()
	m, err := truth.NewMosaics(cifar10.Sample(), n, seed, opts)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestMosaicsAreBalanced uses up the sample: 250 mosaics have each image once.
func TestMosaicsAreBalanced(t *testing.T) {
	ds := cifar10.Sample()
	m := mosaics(t, 250, 3, truth.MosaicOptions{})
	if m.Len() != 250 || len(m.Labels) != 1000 || len(m.Index) != 1000 {
		t.Fatalf("%d mosaics, %d labels, %d positions", m.Len(), len(m.Labels), len(m.Index))
	}
	used := make([]int, ds.Len())
	atCell := make([][]int, truth.Cells)
	for k, i := range m.Index {
		used[i]++
		if m.Labels[k] != int(ds.Labels[i]) {
			t.Errorf("cell %d: class %d, want %d of image %d", k, m.Labels[k], ds.Labels[i], i)
		}
		if slices.Contains(m.Labels[k-k%truth.Cells:k], m.Labels[k]) {
			t.Errorf("cell %d: class %d a second time in its mosaic", k, m.Labels[k])
		}
		if atCell[k%truth.Cells] == nil {
			atCell[k%truth.Cells] = make([]int, cifar10.NumClasses)
		}
		atCell[k%truth.Cells][m.Labels[k]]++
	}
	if slices.Min(used) != 1 || slices.Max(used) != 1 {
		t.Errorf("images used %d to %d times, want once", slices.Min(used), slices.Max(used))
	}
	for cell, n := range atCell {
		if slices.Min(n) < 10 || slices.Max(n) > 40 { // 25 on average, with a standard deviation of 4.3
			t.Errorf("cell %d has classes %v times", cell, n)
		}
	}
	more := mosaics(t, 251, 3, truth.MosaicOptions{})
	if !slices.Equal(more.Index[:1000], m.Index) {
		t.Error("the same seed gives other mosaics")
	}
	if slices.Equal(mosaics(t, 250, 4, truth.MosaicOptions{}).Index, m.Index) {
		t.Error("another seed gives the same mosaics")
	}
}

// TestMosaicPixels compares every pixel with that of the image it comes from.
func TestMosaicPixels(t *testing.T) {
	ds := cifar10.Sample()
	m := mosaics(t, 3, 1, truth.MosaicOptions{})
	x := m.Images
	if x.Height != 64 || x.Width != 64 || x.Channels != 3 || len(x.Pixels) != 3*64*64*3 {
		t.Fatalf("images %d×%d×%d, %d values", x.Height, x.Width, x.Channels, len(x.Pixels))
	}
	for p, v := range x.Pixels {
		i, y, u, c := p/(64*64*3), p/(64*3)%64, p/3%64, p%3
		from := m.Index[4*i+y/32*2+u/32]
		if want := float32(ds.Pixels[((from*32+y%32)*32+u%32)*3+c]) / 255; v != want {
			t.Fatalf("mosaic %d, row %d, column %d, color %d: %v, want %v", i, y, u, c, v, want)
		}
	}
	squares := m.Truth()
	for p, in := range squares.Masks {
		k, y, u := p/(64*64), p/64%64, p%64
		if want := y/32*2+u/32 == k%4; in != want {
			t.Fatalf("cell %d, row %d, column %d: %v, want %v", k, y, u, in, want)
		}
	}
}

// TestMosaicsOfWhatIsSeen takes images by the probability of their class.
func TestMosaicsOfWhatIsSeen(t *testing.T) {
	ds := cifar10.Sample()
	scores := make([]float32, ds.Len()*cifar10.NumClasses)
	for i := range ds.Len() {
		// The own class's score is 3 in every third image, where its probability is e³/(e³+9) = 0.69; else 0.1.
		if i%3 == 0 {
			scores[i*cifar10.NumClasses+int(ds.Labels[i])] = 3
		}
	}
	m := mosaics(t, 100, 1, truth.MosaicOptions{Scores: scores, MinProbability: 0.69})
	for _, i := range m.Index {
		if i%3 != 0 {
			t.Errorf("image %d, which the network does not see", i)
		}
	}
	if _, err := truth.NewMosaics(ds, 1, 1, truth.MosaicOptions{Scores: scores, MinProbability: 0.70}); !errors.Is(err, truth.ErrTruth) {
		t.Errorf("error %v where no image is left, want of kind %q", err, truth.ErrTruth)
	}
}

// TestGridPointingByHand has two mosaics. The map of class c is 1+c in its cell of the
// first and 2+c in that of the second, −1 in the opposite cell and 1 in the rest.
func TestGridPointingByHand(t *testing.T) {
	m := mosaics(t, 2, 1, truth.MosaicOptions{})
	r := &cam.Result{N: 2, NumClasses: 10, K: 10, Height: 64, Width: 64, Scores: make([]float32, 20), Predicted: []int{0, 0}}
	cell := func(p int) int { return p/64/32*2 + p%64/32 }
	want := make([]float64, 8)
	for i := range 2 {
		for c := range 10 {
			own := slices.Index(m.Labels[4*i:4*i+4], c)
			for p := range 64 * 64 {
				switch cell(p) {
				case own:
					r.Maps = append(r.Maps, float32(1+i+c))
				case 3 - own:
					r.Maps = append(r.Maps, -1)
				default:
					r.Maps = append(r.Maps, 1)
				}
			}
			if own >= 0 {
				want[4*i+own] = float64(1+i+c) / float64(3+i+c)
			}
		}
	}
	got, err := truth.GridPointing(r, m)
	equal(t, "all classes", got, want, err)
	first, second := want[:4], want[4:]
	equal(t, "of each mosaic", truth.PerMosaic(got), []float64{mean(first), mean(second)}, nil)

	maps, err := m.Maps(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err = truth.GridPointing(maps, m)
	equal(t, "a map for each cell", got, want, err)

	maps.Class = slices.Clone(maps.Class)
	slices.Reverse(maps.Class)
	if _, err := truth.GridPointing(maps, m); !errors.Is(err, truth.ErrTruth) {
		t.Errorf("maps of other classes: error %v, want of kind %q", err, truth.ErrTruth)
	}
	more := *r
	more.N, more.Maps, more.Scores, more.Predicted = 4, slices.Repeat(r.Maps, 2), slices.Repeat(r.Scores, 2), slices.Repeat(r.Predicted, 2)
	if _, err := truth.GridPointing(&more, m); !errors.Is(err, truth.ErrTruth) {
		t.Errorf("maps of four mosaics: error %v, want of kind %q", err, truth.ErrTruth)
	}
	r.N, r.Maps = 1, r.Maps[:len(r.Maps)/2]
	if _, err := truth.GridPointing(r, m); !errors.Is(err, truth.ErrTruth) {
		t.Errorf("maps of one mosaic: error %v, want of kind %q", err, truth.ErrTruth)
	}
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

func explainer(t *testing.T, net *network.Network) *cam.Explainer {
	t.Helper()
	e, err := cam.New(backendtest.XLA(t), net, cam.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func pretrained(t *testing.T) *network.Network {
	t.Helper()
	m, err := article.Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func explain(t *testing.T, e *cam.Explainer, method string, x images.Batch, target cam.Target) *cam.Result {
	t.Helper()
	m, err := cam.Lookup(method)
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Explain(t.Context(), m, x, target)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// uniform is r with maps that know nothing.
func uniform(r *cam.Result) *cam.Result {
	u := *r
	u.Maps = slices.Repeat([]float32{1}, len(r.Maps))
	return &u
}

// TestArticleNetworkFindsCells plays on the shipped model: a map finds its class's cell
// above chance, a uniform one by chance, and both ways to ask give the same. The bounds
// are well below what 250 mosaics gave: 0.495, 0.470, 0.300, 0.304, 0.495.
func TestArticleNetworkFindsCells(t *testing.T) {
	e := explainer(t, pretrained(t))
	m := mosaics(t, 50, 1, truth.MosaicOptions{})
	for name, least := range map[string]float64{"cam": 0.43, "gradcam": 0.4, "gradcam++": 0.27, "layercam": 0.27, "hirescam": 0.43} {
		r := explain(t, e, name, m.Images, cam.All)
		if r.Height != 32 || r.Width != 32 {
			t.Errorf("maps of %d×%d, want 32×32", r.Height, r.Width)
		}
		got, err := truth.GridPointing(r, m)
		if err != nil {
			t.Fatal(err)
		}
		if a := mean(got); a < least {
			t.Errorf("%s: localization of %.3f, want at least %v; chance is 0.25", name, a, least)
		}
		chance, err := truth.GridPointing(uniform(r), m)
		if err != nil {
			t.Fatal(err)
		}
		if a := mean(chance); a < 0.25-1e-6 || a > 0.25+1e-6 {
			t.Errorf("a uniform map: localization of %v, want 0.25", a)
		}
		if name != "gradcam" {
			continue
		}
		images, target := m.Repeated()
		again, err := truth.GridPointing(explain(t, e, name, images, target), m)
		if err != nil {
			t.Fatal(err)
		}
		for k := range got {
			if d := got[k] - again[k]; d > 1e-4 || d < -1e-4 {
				t.Errorf("cell %d: %v from all classes, %v from its own", k, got[k], again[k])
			}
		}
	}
}
