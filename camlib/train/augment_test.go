package train

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/backendtest"
)

func TestArticleEpochHoldsEachImageThreeTimes(t *testing.T) {
	const images = 200
	p := Article.epochPicks(images, small, margin, 1, 0)
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
	a := FlipCrop.epochPicks(50, small, margin, 1, 3)
	if !slices.Equal(a, FlipCrop.epochPicks(50, small, margin, 1, 3)) {
		t.Error("the same epoch of the same seed gave two orders, want one")
	}
	for what, b := range map[string]picks{"next epoch": FlipCrop.epochPicks(50, small, margin, 1, 4), "next seed": FlipCrop.epochPicks(50, small, margin, 2, 3)} {
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
	if none := None.epochPicks(50, small, margin, 1, 0); len(none) != 4*50 || none[1] != 0 || none[2] != margin || none[3] != margin {
		t.Errorf("none: %d picks, the first %v, want 50 images left alone", len(none)/4, none[:4])
	}
}

func TestParseAugmentationNamesTheChoices(t *testing.T) {
	_, err := ParseAugmentation("rotate")
	if want := `train: augmentation "rotate", want article, flipcrop, cutout, mixup or none`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestCropsReachEveryOffset, the first and the last too, along both axes, about equally
// often.
func TestCropsReachEveryOffset(t *testing.T) {
	const n = 3000
	for _, a := range []Augmentation{Article, FlipCrop} {
		var rows, cols [2*margin + 1]int
		p := a.epochPicks(n, small, margin, 1, 0)
		for k := 0; k < len(p); k += 4 {
			rows[p[k+2]]++
			cols[p[k+3]]++
		}
		uncropped := len(p)/4 - n // of the article's three, two are not cropped
		rows[margin] -= uncropped
		cols[margin] -= uncropped
		for _, counts := range [][2*margin + 1]int{rows, cols} {
			for offset, got := range counts { // 333 expected, standard deviation 17
				if got < 250 || got > 416 {
					t.Errorf("%s: %d of %d crops at offset %d, want a ninth", a, got, n, offset)
				}
			}
		}
	}
}

// TestEpochPicks are those that earlier trainings had: a checkpoint of theirs is gone on
// from.
func TestEpochPicks(t *testing.T) {
	for a, want := range map[Augmentation]picks{
		Article:  {28, 1, 4, 4, 8, 1, 4, 4, 96, 0, 4, 4},
		FlipCrop: {59, 0, 2, 4, 0, 1, 7, 8, 77, 1, 8, 7},
		None:     {59, 0, 4, 4, 0, 0, 4, 4, 77, 0, 4, 4},
	} {
		if got := a.epochPicks(100, small, margin, 7, 3)[:12]; !slices.Equal(got, want) {
			t.Errorf("%s: picks %v, want %v", a, got, want)
		}
	}
}

func TestAugmentShowsTheThreeCopies(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		one := few(t, 8)
		ds := subset(t, one, 7)
		got, err := Augment(b, ds, Article, 1, 0, 3)
		if err != nil {
			t.Fatal(err)
		}
		original, err := images.Pixels(ds)
		if err != nil {
			t.Fatal(err)
		}
		flipped := make([]byte, 0, len(original))
		for p := range 8 * 8 {
			from := (p/8*8 + 7 - p%8) * 3
			flipped = append(flipped, original[from:from+3]...)
		}
		all, err := images.Pixels(got)
		if err != nil {
			t.Fatal(err)
		}
		originals, flips := 0, 0
		for i := range 3 {
			switch pixels := all[i*len(original) : (i+1)*len(original)]; {
			case slices.Equal(pixels, original):
				originals++
			case slices.Equal(pixels, flipped):
				flips++
			}
			if got.Label(i) != 7 || len(got.Classes()) != 10 || got.Size() != ds.Size() {
				t.Errorf("copy %d: label %d of %d classes, size %v", i, got.Label(i), len(got.Classes()), got.Size())
			}
		}
		if originals != 1 || flips != 1 {
			t.Errorf("%d originals and %d flips among the three copies, want one of each", originals, flips)
		}
		if _, err := Augment(b, ds, Article, 1, 0, 4); err == nil || err.Error() != "train: augment: 4 images, want 1 to the 3 of an epoch" {
			t.Errorf("four copies of one image: error %v", err)
		}
	})
}

func TestPickFlipsAndCrops(t *testing.T) {
	// One image whose first channel is its row, the second its column, the third 255: each
	// crop can be read off. It is not square.
	const h, w = 12, 16
	pixels := make([]uint8, 2*h*w*3)
	for p := range h * w {
		image := pixels[(h*w+p)*3:] // the second image
		image[0], image[1], image[2] = uint8(p/w), uint8(p%w), 255
	}
	onEach(t, func(t *testing.T, b compute.Backend) {
		exec, err := NewExec(b, func(in []*Node) []*Node {
			x, label, _, _ := FlipCrop.pick(in[0], in[1], in[2])
			return []*Node{MulScalar(x, 255), ConvertDType(label, x.DType())}
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Call(tensors.FromFlatDataAndDimensions(pixels, 2, h, w, 3), []int32{3, 7},
			[][]int32{{1, 0, 4, 4}, {1, 1, 4, 4}, {1, 0, 0, 7}, {0, 0, 4, 4}, {1, 0, 8, 0}})
		if err != nil {
			t.Fatal(err)
		}
		x := tensors.MustCopyFlatData[float32](out[0])
		at := func(image, row, col int) [3]int {
			v := x[((image*h+row)*w+col)*3:]
			return [3]int{int(math.Round(float64(v[0]))), int(math.Round(float64(v[1]))), int(math.Round(float64(v[2])))}
		}
		for _, c := range []struct {
			what            string
			image, row, col int
			want            [3]int
		}{
			{"original stays", 0, 5, 9, [3]int{5, 9, 255}},
			{"flip mirrors columns", 1, 5, 9, [3]int{5, 6, 255}},
			{"crop from row 0, column 7: moved down 4 and left 3", 2, 10, 9, [3]int{6, 12, 255}},
			{"crop is black above the image", 2, 3, 9, [3]int{0, 0, 0}},
			{"crop is black right of the image", 2, 10, 13, [3]int{0, 0, 0}},
			{"the other image", 3, 5, 9, [3]int{0, 0, 0}},
			{"the last crop down, the first to the side", 4, 7, 4, [3]int{11, 0, 255}},
			{"and black below it", 4, 8, 4, [3]int{0, 0, 0}},
		} {
			if got := at(c.image, c.row, c.col); got != c.want {
				t.Errorf("%s: pixel %v, want %v", c.what, got, c.want)
			}
		}
		backendtest.Near(t, "labels", tensors.MustCopyFlatData[float32](out[1]), []float32{7, 7, 7, 3, 7}, 0)
	})
}
