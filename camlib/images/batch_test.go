package images_test

import (
	"errors"
	"image"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/images"
)

func pixel(t *testing.T, what string, got []float32, want ...float64) {
	t.Helper()
	for c, v := range want {
		if math.Abs(float64(got[c])-v) > 1e-6 {
			t.Errorf("%s: %v, want %v", what, got, want)
			return
		}
	}
}

func TestFromImages(t *testing.T) {
	img := image.NewNRGBA(image.Rect(5, 5, 8, 7)) // 3 wide, 2 high, not at the origin
	copy(img.Pix[img.PixOffset(6, 6):], []byte{51, 102, 255, 255})
	copy(img.Pix[img.PixOffset(7, 6):], []byte{51, 102, 255, 128}) // half of it white
	copy(img.Pix[img.PixOffset(5, 5):], []byte{51, 102, 255, 0})
	x, err := images.FromImages(img, img)
	if err != nil {
		t.Fatal(err)
	}
	if x.N != 2 || x.Height != 2 || x.Width != 3 || x.Channels != 3 {
		t.Errorf("shape %d×%d×%d×%d, want 2×2×3×3", x.N, x.Height, x.Width, x.Channels)
	}
	// pixel (1, 1) is the fifth of each image
	pixel(t, "pixel", x.Pixels[12:15], 0.2, 0.4, 1)
	pixel(t, "pixel of the second image", x.Pixels[30:33], 0.2, 0.4, 1)
	pixel(t, "half a pixel", x.Pixels[15:18], 153./255, 178./255, 1)
	pixel(t, "a pixel that is not seen", x.Pixels[:3], 1, 1, 1)
	for i, none := range []image.Image{nil, (*image.NRGBA)(nil), image.NewNRGBA(image.Rectangle{}), images.Image(nil, 0)} {
		if _, err := images.FromImages(img, none); !errors.Is(err, images.ErrShape) || !strings.HasPrefix(err.Error(), "images: image 1: ") {
			t.Errorf("no image, %d: error %v, want of kind %q", i, err, images.ErrShape)
		}
	}
	if _, err := images.FromImages(img, image.NewNRGBA(image.Rect(0, 0, 2, 3))); !errors.Is(err, images.ErrShape) {
		t.Errorf("error %v, want of kind %q", err, images.ErrShape)
	}
	if _, err := images.FromImages(); !errors.Is(err, images.ErrNone) {
		t.Errorf("error %v, want of kind %q", err, images.ErrNone)
	}
}

// TestFromDataset is that the images of a data set are its pictures.
func TestFromDataset(t *testing.T) {
	ds, err := images.NewMemory(images.Size{Height: 1, Width: 2, Channels: 3}, []string{"a"}, []uint8{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255}, []int{0, 0})
	if err != nil {
		t.Fatal(err)
	}
	for start := range 3 {
		got, err := images.FromDataset(ds, start, 2)
		if err != nil {
			t.Fatal(err)
		}
		var pictures []image.Image
		for i := start; i < 2; i++ {
			pictures = append(pictures, images.Image(ds, i))
		}
		if want, err := images.FromImages(pictures...); start < 2 && (err != nil || got.Size() != want.Size() || !slices.Equal(got.Pixels, want.Pixels)) || got.N != 2-start {
			t.Errorf("from %d: %v %v, want %v %v", start, got, got.Pixels, want, want.Pixels)
		}
	}
	for _, part := range [][2]int{{-1, 1}, {0, 3}, {2, 1}} {
		if _, err := images.FromDataset(ds, part[0], part[1]); !errors.Is(err, images.ErrNone) {
			t.Errorf("from %d to %d of 2: error %v, want of kind %q", part[0], part[1], err, images.ErrNone)
		}
	}
}

func TestResizeNames(t *testing.T) {
	for _, r := range []images.Resize{images.AlignCorners, images.HalfPixel, images.Replicate} {
		if got, err := images.ParseResize(r.String()); got != r || err != nil {
			t.Errorf("ParseResize(%q) = %v, %v", r, got, err)
		}
	}
	_, err := images.ParseResize("bicubic")
	if want := `images: resize "bicubic", want one of align-corners, half-pixel, replicate`; err == nil || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}
