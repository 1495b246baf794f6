package truth_test

import (
	"errors"
	"image"
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/truth"
)

// oneClass is a result of maps of one size, each for the class 0.
func oneClass(height, width int, maps ...[]float32) *cam.Result {
	r := &cam.Result{N: len(maps), NumClasses: 2, Height: height, Width: width, Class: make([]int, len(maps)), Maps: slices.Concat(maps...)}
	r.Scores, r.Predicted = make([]float32, 2*r.N), make([]int, r.N)
	return r
}

// truth is one of masks drawn with # and ., of one width.
func masks(t *testing.T, height, width int, masks ...string) truth.Truth {
	t.Helper()
	var places []bool
	for _, m := range masks {
		for _, c := range m {
			places = append(places, c == '#')
		}
	}
	got, err := truth.New(len(masks), height, width, places)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// equal checks values to rounding.
func equal(t *testing.T, what string, got, want []float64, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if len(got) != len(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
		return
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= 1e-6) {
			t.Errorf("%s: value %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestTruthErrors(t *testing.T) {
	two := masks(t, 1, 2, "#.", ".#")
	maps := oneClass(1, 2, []float32{1, 2}, []float32{3, 4})
	all := &cam.Result{N: 1, NumClasses: 2, K: 2, Height: 1, Width: 2, Maps: []float32{1, 2, 3, 4}, Scores: []float32{0, 0}, Predicted: []int{0}}
	one := oneClass(1, 2, []float32{1, 2})
	few, err := cifar10.Sample().Select(0)
	if err != nil {
		t.Fatal(err)
	}
	ds := cifar10.Sample()
	tests := []struct {
		rule string
		call func() error
		text string
	}{
		{"a mask of another size", func() error { _, err := truth.New(1, 2, 2, make([]bool, 3)); return err }, "truth: 3 places, want [1, 2, 2] and at least one"},
		{"an empty mask", func() error { _, err := truth.New(2, 1, 2, []bool{false, true, false, false}); return err }, "truth: mask 1 is empty, want at least one true place"},
		{"no masks", func() error { _, err := truth.Boxes(2, 2); return err }, "truth: 0 places, want [0, 2, 2] and at least one"},
		{"a box outside", func() error { _, err := truth.Boxes(2, 3, image.Rect(1, 1, 4, 2)); return err }, "truth: boxes: box 0 is (1,1)-(4,2), want one with pixels inside 2×3"},
		{"an empty box", func() error { _, err := truth.Boxes(2, 3, image.Rect(1, 1, 1, 2)); return err }, "truth: boxes: box 0 is (1,1)-(1,2), want one with pixels inside 2×3"},
		{"maps of all classes", func() error { _, err := truth.Energy(all, two); return err }, "truth: energy: 2 maps of each image, want one; Pick takes them out"},
		{"fewer maps than masks", func() error { _, err := truth.Pointing(one, two, 0); return err }, "truth: pointing: 1 maps for 2 masks, want as many"},
		{"a truth that was not made", func() error { _, err := truth.Energy(one, truth.Truth{}); return err }, "truth: 0 places, want [0, 0, 0] and at least one"},
		{"a number of masks below 0", func() error {
			_, err := truth.MaxBoxAcc(one, truth.Truth{N: -1, Height: 1, Width: 1}, truth.BoxOptions{})
			return err
		}, "truth: 0 places, want [-1, 1, 1] and at least one"},
		{"negative tolerance", func() error { _, err := truth.Pointing(maps, two, -1); return err }, "truth: pointing: tolerance of -1 pixels, want 0 or more"},
		{"a class that is not there", func() error { _, err := truth.Pick(all, []int{0}, []int{2}); return err }, "truth: pick: image 0, class 2, want one of 1 images and a class that it has a map of"},
		{"an image that is not there", func() error { _, err := truth.Pick(all, []int{1}, []int{0}); return err }, "truth: pick: image 1, class 0, want one of 1 images and a class that it has a map of"},
		{"a class too many", func() error { _, err := truth.Pick(all, []int{0}, []int{0, 1}); return err }, "truth: pick: 1 images and 2 classes, want as many"},
		{"another class than was asked for", func() error { _, err := truth.Pick(one, []int{0}, []int{1}); return err }, "truth: pick: image 0, class 1, want one of 1 images and a class that it has a map of"},
		{"thresholds the wrong way", func() error {
			_, err := truth.MaxBoxAcc(maps, two, truth.BoxOptions{Thresholds: []float64{0.5, 0.1}})
			return err
		}, "truth: boxes: thresholds [0.5 0.1], want them ascending, from 0 to below 1"},
		{"a threshold of 1", func() error {
			_, err := truth.MaxBoxAcc(maps, two, truth.BoxOptions{Thresholds: []float64{1}})
			return err
		}, "truth: boxes: thresholds [1], want them ascending, from 0 to below 1"},
		{"an overlap of 0", func() error {
			_, err := truth.MaxBoxAcc(maps, two, truth.BoxOptions{Overlaps: []float64{0}})
			return err
		}, "truth: boxes: overlaps [0], want them above 0 and at most 1"},
		{"no mosaics", func() error { _, err := truth.NewMosaics(ds, 0, 1, truth.MosaicOptions{}); return err }, "truth: mosaics: 0 of them, want at least 1"},
		{"one class", func() error { _, err := truth.NewMosaics(few, 1, 1, truth.MosaicOptions{}); return err }, "truth: mosaics: images of 1 classes, want of at least 4"},
		{"scores of other images", func() error {
			_, err := truth.NewMosaics(few, 1, 1, truth.MosaicOptions{Scores: make([]float32, 20)})
			return err
		}, "truth: mosaics: 20 scores, want 10 for each of 1 images"},
		{"a probability of nothing", func() error {
			_, err := truth.NewMosaics(ds, 1, 1, truth.MosaicOptions{MinProbability: 0.5})
			return err
		}, "truth: mosaics: probability of at least 0.5, want 0 to 1 and the scores that it is of"},
		{"images too small for the pattern", func() error {
			_, _, err := truth.Stamp(images.Batch{N: 1, Height: 5, Width: 8, Channels: 3, Pixels: make([]float32, 120)}, 1)
			return err
		}, "truth: stamp: images [1, 5, 8, 3] of 120 values, want at least one, of 3 channels and at least 6×6"},
		{"two regions", func() error { _, err := truth.BlindShare(one, two); return err }, "truth: blind: a region of 2 masks, want 1"},
		{"two regions of a network", func() error { _, err := truth.Blind(newPlain(), two); return err }, "truth: blind: a region of 2 masks, want 1"},
	}
	for _, test := range tests {
		if err := test.call(); !errors.Is(err, truth.ErrTruth) || err.Error() != test.text {
			t.Errorf("%s: error %v, want one of kind %q with text %q", test.rule, err, truth.ErrTruth, test.text)
		}
	}
	if n := truth.Silent(&cam.Result{}); n != 0 {
		t.Errorf("no maps: %d silent ones", n)
	}
	broken := oneClass(1, 2, []float32{1, float32(math.NaN())})
	if _, err := truth.Energy(broken, masks(t, 1, 2, "#.")); err == nil {
		t.Error("a map with a NaN: no error")
	}
}

func TestPick(t *testing.T) {
	all := &cam.Result{
		Method: "m", N: 2, NumClasses: 3, K: 3, Height: 1, Width: 2, Predicted: []int{2, 1},
		Maps:    []float32{0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121},
		Scores:  []float32{0, 1, 2, 10, 11, 12},
		Score:   []float32{0, 1, 2, 10, 11, 12},
		Outcome: []cam.Outcome{0, 0, 0, 0, 0, cam.NegativeScore},
	}
	p, err := truth.Pick(all, []int{1, 0, 1}, []int{2, 1, 0})
	if err != nil {
		t.Fatal(err)
	}
	if want := []float32{120, 121, 10, 11, 100, 101}; !slices.Equal(p.Maps, want) {
		t.Errorf("maps %v, want %v", p.Maps, want)
	}
	if !slices.Equal(p.Class, []int{2, 1, 0}) || !slices.Equal(p.Predicted, []int{1, 2, 1}) || p.N != 3 || p.Method != "m" {
		t.Errorf("%+v", p)
	}
	if want := []float32{10, 11, 12, 0, 1, 2, 10, 11, 12}; !slices.Equal(p.Scores, want) {
		t.Errorf("scores %v, want %v", p.Scores, want)
	}
	if !slices.Equal(p.Score, []float32{12, 1, 10}) || p.Residual != nil || p.Rival != nil {
		t.Errorf("score %v, residual %v, rival %v", p.Score, p.Residual, p.Rival)
	}
	if want := []cam.Outcome{cam.NegativeScore, 0, 0}; !slices.Equal(p.Outcome, want) || p.K != 0 {
		t.Errorf("outcome %v, K %d, want %v, 0", p.Outcome, p.K, want)
	}
	top := *all
	top.K, top.Class, top.Maps, top.Score, top.Outcome = 1, []int{2, 1}, []float32{20, 21, 110, 111}, []float32{2, 11}, nil
	p, err = truth.Pick(&top, []int{1}, []int{1})
	if err != nil || !slices.Equal(p.Maps, []float32{110, 111}) || p.Outcome != nil {
		t.Errorf("of the highest class: %+v, error %v", p, err)
	}
}

func TestBoxesAndArea(t *testing.T) {
	got, err := truth.Boxes(2, 4, image.Rect(1, 0, 3, 1), image.Rect(0, 0, 4, 2))
	if err != nil {
		t.Fatal(err)
	}
	if want := masks(t, 2, 4, ".##.....", "########"); !slices.Equal(got.Masks, want.Masks) {
		t.Errorf("masks %v, want %v", got.Masks, want.Masks)
	}
	if got.Area(0) != 0.25 || got.Area(1) != 1 {
		t.Errorf("areas %v and %v, want 0.25 and 1", got.Area(0), got.Area(1))
	}
}

// TestConcurrentUse measures the same maps from many goroutines.
func TestConcurrentUse(t *testing.T) {
	r := oneClass(2, 3, []float32{1, 2, 3, 4, 5, 6}, []float32{3, 2, 1, 0, 9, 4}, []float32{1, 1, 1, 1, 1, 1})
	region := masks(t, 4, 6, "######......######......", "...###...###............", ".......##....##.........")
	measure := func() []any {
		energy, err := truth.Energy(r, region)
		if err != nil {
			t.Error(err)
		}
		pointing, err := truth.Pointing(r, region, 1)
		if err != nil {
			t.Error(err)
		}
		boxes, err := truth.MaxBoxAcc(r, region, truth.BoxOptions{})
		if err != nil {
			t.Error(err)
		}
		return []any{energy, pointing, boxes}
	}
	want := measure()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if got := measure(); !reflect.DeepEqual(got, want) {
				t.Errorf("%v, want %v as alone", got, want)
			}
		})
	}
	group.Wait()
}
