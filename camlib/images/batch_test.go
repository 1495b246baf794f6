package images_test

import (
	"errors"
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/images"
)

// three is a data set of three images of 1×2 pixels in three channels.
func three(t *testing.T) *images.Memory {
	t.Helper()
	pixels := []uint8{
		255, 0, 51, 0, 0, 0,
		0, 102, 0, 0, 0, 255,
		1, 2, 3, 4, 5, 6,
	}
	ds, err := images.NewMemory(images.Size{Height: 1, Width: 2, Channels: 3}, []string{"a", "b", "c"}, pixels, []int{2, 0, 1})
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

func TestFromDataset(t *testing.T) {
	b, err := images.FromDataset(three(t), 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	want := []float32{1, 0, 0.2, 0, 0, 0, 0, 0.4, 0, 0, 0, 1}
	if b.N != 2 || b.Size() != (images.Size{Height: 1, Width: 2, Channels: 3}) || !slices.Equal(b.Pixels, want) {
		t.Errorf("%v: %v, want %v", b, b.Pixels, want)
	}
	if p := b.Part(1, 2); p.N != 1 || !slices.Equal(p.Pixels, want[6:]) {
		t.Errorf("second image %v, want %v", p.Pixels, want[6:])
	}
	for _, ends := range [][2]int{{-1, 1}, {2, 1}, {0, 4}} {
		if _, err := images.FromDataset(three(t), ends[0], ends[1]); !errors.Is(err, images.ErrNone) {
			t.Errorf("images %v: error %v, want ErrNone", ends, err)
		}
	}
	if _, err := images.FromDataset((*images.Memory)(nil), 0, 1); !errors.Is(err, images.ErrNone) {
		t.Errorf("no data set: error %v, want ErrNone", err)
	}
}

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

func TestBatchCheck(t *testing.T) {
	good := images.NewBatch(2, images.Size{Height: 1, Width: 2, Channels: 1})
	if err := good.Check(); err != nil {
		t.Errorf("black images: %v", err)
	}
	for _, c := range []struct {
		rule string
		b    images.Batch
		kind error
		want string
	}{
		{"some images", images.Batch{}, images.ErrNone, "images: none, want at least one"},
		{"as many values as the shape", images.Batch{N: 2, Height: 1, Width: 2, Channels: 1, Pixels: make([]float32, 3)}, images.ErrShape, "images: 3 values, want [2, 1, 2, 1]"},
		{"a size", images.Batch{N: 1, Height: 0, Width: 2, Channels: 1}, images.ErrShape, "images: 0 values, want [1, 0, 2, 1]"},
		{"0 to 1", images.Batch{N: 2, Height: 1, Width: 1, Channels: 1, Pixels: []float32{1, 2}}, images.ErrRange, "images: image 1: value 2, want 0 to 1 (divide bytes by 255)"},
		{"no NaN", images.Batch{N: 1, Height: 1, Width: 1, Channels: 1, Pixels: []float32{float32(math.NaN())}}, images.ErrRange, "images: image 0: value NaN, want 0 to 1 (divide bytes by 255)"},
	} {
		if err := c.b.Check(); !errors.Is(err, c.kind) || err.Error() != c.want {
			t.Errorf("%s: error %v, want %q", c.rule, err, c.want)
		}
	}
}

func TestGray(t *testing.T) {
	b := images.Batch{N: 2, Height: 1, Width: 2, Channels: 3, Pixels: []float32{1, 0, 0, 0, 1, 0, 0.7, 0.7, 0.7, 0, 0, 1}}
	got := b.Gray()
	// Red, green and blue have their shares; a gray pixel keeps its value to the last bit.
	if want := []float32{0.299, 0.587, 0.7, 0.114}; got.String() != "2 images of 1×2×1" || !slices.Equal(got.Pixels, want) {
		t.Errorf("%v: %v, want %v", got, got.Pixels, want)
	}
	if again := got.Gray(); again.Channels != 1 || !slices.Equal(again.Pixels, got.Pixels) {
		t.Errorf("gray images became %v: %v", again, again.Pixels)
	}
}

func TestSubset(t *testing.T) {
	ds, err := images.Subset(three(t), 2, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	if ds.Len() != 3 || !slices.Equal(images.Labels(ds), []int{1, 2, 1}) {
		t.Errorf("%d images of classes %v, want 3 of 1, 2, 1", ds.Len(), images.Labels(ds))
	}
	pixels, err := images.Pixels(ds)
	if want := []uint8{1, 2, 3, 4, 5, 6, 255, 0, 51, 0, 0, 0, 1, 2, 3, 4, 5, 6}; err != nil || !slices.Equal(pixels, want) {
		t.Errorf("pixels %v (%v), want %v", pixels, err, want)
	}
	_, err = images.Subset(three(t), 3)
	checkError(t, err, "images: subset: position 3, want 0 to 2")
}

func TestImage(t *testing.T) {
	img := images.Image(three(t), 1)
	if got := img.At(1, 0); got != (color.NRGBA{0, 0, 255, 255}) || img.Bounds() != image.Rect(0, 0, 2, 1) {
		t.Errorf("pixel (1, 0) of %v is %v, want blue", img.Bounds(), got)
	}
	gray, err := images.NewMemory(images.Size{Height: 1, Width: 1, Channels: 1}, []string{"a"}, []uint8{9}, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	if got := images.Image(gray, 0).At(0, 0); got != (color.NRGBA{9, 9, 9, 255}) {
		t.Errorf("one channel: %v, want gray", got)
	}
	checkError(t, images.Check(images.Image(gray, 1)), "images: image 1, want 0 to 0")
}

// TestHash holds a hash to that of pixels and, after them, labels, as
//
//	printf '\001\002\000' | sha256sum
func TestHash(t *testing.T) {
	ds, err := images.NewMemory(images.Size{Height: 1, Width: 2, Channels: 1}, []string{"a"}, []uint8{1, 2}, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	const want = "d7b3d4012540102c40a23acdeee417e06a42a74a5d66c7efe59f4e4aa0537c5c"
	if got, err := images.Hash(ds); err != nil || got != want {
		t.Errorf("%s (%v), want %s", got, err, want)
	}
	if got := images.HashPixels([]uint8{1, 2}, []int{0}); got != want {
		t.Errorf("of the pixels %s, want %s", got, want)
	}
}
