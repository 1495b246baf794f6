package camlib

import (
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
)

// gray is a photo of one color, so that what an overlay changes shows.
func gray(r image.Rectangle) *image.NRGBA {
	img := image.NewNRGBA(r)
	for i := range img.Pix {
		img.Pix[i] = 100
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	return img
}

// peaked returns maps of one image with a map of 4×4 whose one value is at row, column.
func peaked(t *testing.T, img image.Image, row, column int) *Maps {
	t.Helper()
	values := make([]float32, 16)
	values[4*row+column] = 9
	return &Maps{
		Result: &cam.Result{Method: "cam", N: 1, NumClasses: 2, Scores: []float32{0, 2}, Class: []int{1}, Height: 4, Width: 4, Maps: values},
		Images: []image.Image{img}, Opacity: 1, method: cam.CAM{}.Spec(), network: &network.Network{Classes: []string{"cat", "frog"}},
	}
}

// reddest returns the pixel of the strongest red.
func reddest(img *image.NRGBA) (at image.Point) {
	best := -1
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			c := img.NRGBAAt(x, y)
			if red := int(c.R) - int(c.B) - int(c.G); red > best || best < 0 && red+255 > best {
				best, at = red, image.Pt(x, y)
			}
		}
	}
	return at
}

func TestOverlayAtThePhotosSize(t *testing.T) {
	for _, row := range []struct {
		name        string
		photo       image.Rectangle
		row, column int
		want        image.Point
		seen        image.Rectangle
	}{
		{"wide, upper right", image.Rect(0, 0, 90, 60), 0, 3, image.Pt(74, 0), image.Rect(15, 0, 75, 60)},
		{"wide, lower left", image.Rect(0, 0, 90, 60), 3, 0, image.Pt(15, 59), image.Rect(15, 0, 75, 60)},
		{"tall, upper right", image.Rect(0, 0, 61, 100), 0, 3, image.Pt(60, 19), image.Rect(0, 19, 61, 80)},
		{"with a corner elsewhere", image.Rect(7, 5, 97, 65), 0, 0, image.Pt(15, 0), image.Rect(15, 0, 75, 60)},
		{"smaller than the image", image.Rect(0, 0, 9, 6), 3, 3, image.Pt(7, 5), image.Rect(1, 0, 7, 6)},
	} {
		photo := gray(row.photo)
		m := peaked(t, images.Square(photo, 32), row.row, row.column)
		over, err := m.OverlayOn(0, photo)
		if err != nil {
			t.Fatal(err)
		}
		if over.Bounds() != image.Rect(0, 0, row.photo.Dx(), row.photo.Dy()) {
			t.Errorf("%s: bounds %v, want the photo's size", row.name, over.Bounds())
		}
		if row.name == "smaller than the image" {
			row.want = image.Pt(row.seen.Max.X-1, row.seen.Max.Y-1)
		}
		if got := reddest(over.NRGBA); got != row.want {
			t.Errorf("%s: hottest at %v, want %v", row.name, got, row.want)
		}
		for y := range over.Bounds().Dy() {
			for x := range over.Bounds().Dx() {
				untouched := over.NRGBAAt(x, y) == color.NRGBA{100, 100, 100, 255}
				if untouched == image.Pt(x, y).In(row.seen) {
					t.Fatalf("%s: (%d, %d) is %v, want the map on %v and the photo elsewhere", row.name, x, y, over.NRGBAAt(x, y), row.seen)
				}
			}
		}
	}
}

func TestOverlayHeedsOpacityAndProportions(t *testing.T) {
	img := gray(image.Rect(0, 0, 12, 8)) // not square: seen whole
	m := peaked(t, img, 0, 3)
	full, err := m.Overlay(0)
	if err != nil {
		t.Fatal(err)
	}
	m.Opacity = 0.25
	quarter, err := m.Overlay(0)
	if err != nil {
		t.Fatal(err)
	}
	a, b := full.NRGBAAt(11, 0), quarter.NRGBAAt(11, 0)
	if want := uint8(0.75*100 + 0.25*float64(a.R) + 0.5); b.R != want || full.Bounds() != img.Rect {
		t.Errorf("red %d at opacity 0.25, want %d of %d; bounds %v", b.R, want, a.R, full.Bounds())
	}
	m.Opacity = 1
	large, err := m.OverlayOn(0, gray(image.Rect(0, 0, 120, 80)))
	if err != nil || reddest(large.NRGBA) != image.Pt(119, 0) {
		t.Errorf("over a larger photo of the same proportions: hottest at %v, %v, want (119, 0)", reddest(large.NRGBA), err)
	}
	if want := "cam over the image: frog, p = 0.881; largest at the upper right (9 in row 1, column 4 of 4×4)"; full.Alt != want {
		t.Errorf("says %q, want %q", full.Alt, want)
	}
	for i, pixel := range img.Pix {
		if want := uint8(100); i%4 != 3 && pixel != want {
			t.Fatal("the image was changed")
		}
	}
}

// TestOverlayOfAPreparation is that a map comes to lie where its preparation took the image
// from: here the whole photo, twice as wide as high, between two bars of padding.
func TestOverlayOfAPreparation(t *testing.T) {
	photo := gray(image.Rect(0, 0, 80, 40))
	prepared := images.Preparation{Height: 16, Width: 16, Fit: images.Letterbox}
	img, _, err := prepared.Picture(photo)
	if err != nil {
		t.Fatal(err)
	}
	m := peaked(t, img, 1, 3) // row 1 of 4 is the upper half of the photo
	m.Preparation = prepared
	over, err := m.OverlayOn(0, photo)
	if err != nil {
		t.Fatal(err)
	}
	if got := reddest(over.NRGBA); got.X != 79 || got.Y < 4 || got.Y > 10 {
		t.Errorf("hottest at %v, want at the right of the upper half's middle", got)
	}
	for _, corner := range []image.Point{{0, 0}, {79, 39}, {0, 39}} {
		if over.NRGBAAt(corner.X, corner.Y) == (color.NRGBA{100, 100, 100, 255}) {
			t.Errorf("%v is untouched, want the map on the whole photo", corner)
		}
	}
}

// TestOverlayOfSeveralMaps takes the second of two maps of an image.
func TestOverlayOfSeveralMaps(t *testing.T) {
	img := gray(image.Rect(0, 0, 8, 8))
	m := peaked(t, img, 0, 3)
	m.K, m.Class, m.Maps = 2, []int{1, 0}, append(m.Maps, peaked(t, img, 3, 0).Maps...)
	second, err := m.Overlay(1)
	if err != nil || reddest(second.NRGBA) != image.Pt(0, 7) || !strings.Contains(second.Alt, "cat, p = 0.119; largest at the lower left") {
		t.Errorf("hottest at %v, %v, %q, want (0, 7) of the class cat", reddest(second.NRGBA), err, second.Alt)
	}
	if got, want := m.String(), "cam, 2 maps of 4×4; frog, p = 0.881, cat, p = 0.119"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestOverlayErrors(t *testing.T) {
	img := gray(image.Rect(0, 0, 8, 8))
	m := peaked(t, img, 0, 3)
	var none *Maps
	noImages := *m
	noImages.Images = nil
	strong := *m
	strong.Opacity = 2
	overlay := func(m *Maps, i int, photo image.Image) error { _, err := m.OverlayOn(i, photo); return err }
	for name, row := range map[string]struct {
		err  error
		want string
	}{
		"index below":  {overlay(m, -1, img), "camlib: overlay: map -1, want 0 to 0"},
		"index above":  {overlay(m, 1, img), "camlib: overlay: map 1, want 0 to 0"},
		"no photo":     {overlay(m, 0, nil), "camlib: overlay: map 0: photo: no image"},
		"empty photo":  {overlay(m, 0, image.NewGray(image.Rectangle{})), "camlib: overlay: map 0: photo: image of 0×0 pixels, want at least 1×1"},
		"no maps":      {overlay(none, 0, img), "camlib: maps: none, want those of Model.Explain"},
		"no images":    {overlay(&noImages, 0, img), "camlib: maps: 0 images for the maps of 1, want as many"},
		"opacity":      {overlay(&strong, 0, img), "figure: overlay: opacity 2, want 0 to 1"},
		"no maps, npy": {none.WriteNPY("x.npy"), "camlib: maps: none, want those of Model.Explain"},
		"no maps, png": {none.WritePNG("x.png"), "camlib: maps: none, want those of Model.Explain"},
	} {
		if row.err == nil || row.err.Error() != row.want {
			t.Errorf("%s: %v, want %q", name, row.err, row.want)
		}
	}
	if _, err := m.Overlay(7); err == nil || err.Error() != "camlib: overlay: map 7, want 0 to 0" {
		t.Errorf("overlay 7: %v", err)
	}
}

func TestCenteredIsWhatSquareCuts(t *testing.T) {
	for _, size := range []image.Point{{90, 60}, {61, 100}, {7, 7}, {1, 9}, {451, 300}} {
		cut := min(size.X, size.Y)
		want := image.Rect(0, 0, cut, cut).Add(image.Pt((size.X-cut)/2, (size.Y-cut)/2))
		if got := images.Centered(image.Rectangle{Max: size}, image.Pt(32, 32)); got != want {
			t.Errorf("%v: %v, want %v", size, got, want)
		}
	}
	if got := images.Centered(image.Rect(0, 0, 100, 10), image.Pt(3, 2)); got != image.Rect(42, 0, 57, 10) {
		t.Errorf("3:2 of 100×10: %v", got)
	}
}
