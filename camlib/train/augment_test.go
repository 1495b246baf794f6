package cnn

import (
	"slices"
	"testing"

	"github.com/camlab-go/camlab/internal/backendtest"
)

func TestArticleEpochHoldsEachImageThreeTimes(t *testing.T) {
	const images = 200
	p := Article.epochPicks(images, 1, 0)
	var originals, flips, crops [images]int
	for k := 0; k < len(p); k += 4 {
		position, flip, row, col := p[k], p[k+1], p[k+2], p[k+3]
		if row < 0 || row > 2*margin || col < 0 || col > 2*margin {
			t.Fatalf("pick %d: crop at %d, %d, want 0 to %d", k/4, row, col, 2*margin)
		}
		switch {
		case flip == 1 && row == margin && col == margin:
			flips[position]++
		case flip == 0 && row == margin && col == margin:
			originals[position]++
		case flip == 0:
			crops[position]++
		default:
			t.Fatalf("pick %d: flipped and cropped", k/4)
		}
	}
	for i := range images {
		// One crop in 81 happens to be the image itself.
		if flips[i] != 1 || originals[i]+crops[i] != 2 || originals[i] == 0 {
			t.Errorf("image %d: %d originals, %d flips, %d crops, want one of each", i, originals[i], flips[i], crops[i])
		}
	}
}

func TestEpochsAreShuffledAndRepeatable(t *testing.T) {
	a := FlipCrop.epochPicks(50, 1, 3)
	if !slices.Equal(a, FlipCrop.epochPicks(50, 1, 3)) {
		t.Error("the same epoch of the same seed gave two orders, want one")
	}
	for what, b := range map[string]picks{"next epoch": FlipCrop.epochPicks(50, 1, 4), "next seed": FlipCrop.epochPicks(50, 2, 3)} {
		if slices.Equal(a, b) {
			t.Errorf("%s: the same order again, want another", what)
		}
	}
	flips := 0
	for k := 1; k < len(a); k += 4 {
		flips += int(a[k])
	}
	if flips < 15 || flips > 35 { // 25 expected, standard deviation 3.5
		t.Errorf("%d of 50 images flipped, want about half", flips)
	}
	if none := None.epochPicks(50, 1, 0); len(none) != 4*50 || none[1] != 0 || none[2] != margin || none[3] != margin {
		t.Errorf("none: %d picks, the first %v, want 50 images left alone", len(none)/4, none[:4])
	}
}

func TestParseAugmentationNamesTheChoices(t *testing.T) {
	_, err := ParseAugmentation("rotate")
	if want := `cnn: augmentation "rotate", want article, flipcrop or none`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestAugmentShowsTheThreeCopies(t *testing.T) {
	one := few(t, 1)
	got, err := Augment(backendtest.XLA(t), one, Article, 1, 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	flipped := make([]byte, 0, len(one.Pixels))
	for p := range 32 * 32 {
		from := (p/32*32 + 31 - p%32) * 3
		flipped = append(flipped, one.Pixels[from:from+3]...)
	}
	originals, flips := 0, 0
	for i := range 3 {
		switch pixels := got.Pixels[i*3072 : (i+1)*3072]; {
		case slices.Equal(pixels, one.Pixels):
			originals++
		case slices.Equal(pixels, flipped):
			flips++
		}
		if got.Labels[i] != one.Labels[0] || got.Index[i] != one.Index[0] {
			t.Errorf("copy %d: label %d, index %d, want %d and %d", i, got.Labels[i], got.Index[i], one.Labels[0], one.Index[0])
		}
	}
	if originals != 1 || flips != 1 {
		t.Errorf("%d originals and %d flips among the three copies, want one of each", originals, flips)
	}
	if _, err := Augment(backendtest.XLA(t), one, Article, 1, 0, 4); err == nil || err.Error() != "cnn: augment: 4 images, want 1 to the 3 of an epoch" {
		t.Errorf("four copies of one image: error %v", err)
	}
}
