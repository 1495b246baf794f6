package images

import (
	"fmt"
	"image"
	"slices"

	"github.com/camlab-go/camlab/internal/failure"
)

// Batch is images of one size: Pixels is shaped [N, Height, Width, Channels], values from
// 0 to 1, of three channels red, green and blue.
type Batch struct {
	N, Height, Width, Channels int
	Pixels                     []float32

	// Raw says that the values are what a network's graph takes, normalized or of any
	// other meaning, and may be any finite numbers: those of [ReadOptions.ReadNPY].
	//
	// What draws on images or changes them keeps its numbers, in the values' own unit:
	// black is 0, which is often the mean color of normalized values, and the gray of
	// occlusion 0.5; the noise and radius of an option are for a range of 1, so multiply
	// them by that of the values. Nothing is cut off at 0 and 1.
	Raw bool
}

// NewBatch returns n images of a size, all black.
func NewBatch(n int, size Size) Batch {
	return Batch{N: n, Height: size.Height, Width: size.Width, Channels: size.Channels, Pixels: make([]float32, n*size.Values())}
}

// FromImages returns images of one size in 8 bits a channel. What is transparent is laid
// over white, as it is drawn; [Over] puts another color there. It fails with [ErrNone], and
// with [ErrShape] when the sizes differ or an image is one that [Check] refuses.
func FromImages(imgs ...image.Image) (Batch, error) {
	if len(imgs) == 0 {
		return Batch{}, fail(ErrNone, "none, want at least one")
	}
	var b Batch
	for i, img := range imgs {
		flat, err := Flat(img)
		if err != nil {
			return Batch{}, fail(ErrShape, "image %d: %w", i, err)
		}
		r := flat.Rect
		if i == 0 {
			b = NewBatch(len(imgs), Size{r.Dy(), r.Dx(), 3})
		}
		if r.Dy() != b.Height || r.Dx() != b.Width {
			return Batch{}, fail(ErrShape, "image %d is %d×%d, want %d×%d as image 0; images.Square makes photos one size", i, r.Dx(), r.Dy(), b.Width, b.Height)
		}
		out := b.Pixels[i*b.Size().Values():]
		for y := range b.Height {
			for p := range slices.Chunk(flat.Pix[y*flat.Stride:][:4*b.Width], 4) {
				floats(out, p[:3])
				out = out[3:]
			}
		}
	}
	return b, nil
}

// FromDataset returns the images of a data set from start to end, pixels/255.
func FromDataset(ds Dataset, start, end int) (Batch, error) {
	if start < 0 || end < start || end > Len(ds) {
		return Batch{}, fail(ErrNone, "images %d to %d of a data set, want a part of its %d", start, end, Len(ds))
	}
	if start == end {
		return Batch{}, nil
	}
	b := NewBatch(end-start, ds.Size())
	pixels := make([]uint8, ds.Size().Values())
	for i := range b.N {
		if err := ds.Read(start+i, pixels); err != nil {
			return Batch{}, err
		}
		floats(b.Pixels[i*len(pixels):], pixels)
	}
	return b, nil
}

// floats turns bytes into numbers from 0 to 1.
func floats(dst []float32, bytes []uint8) {
	for i, v := range bytes {
		dst[i] = float32(v) / 255
	}
}

// Check returns an error if there are no images ([ErrNone]), Pixels has another length
// than the shape ([ErrShape]), or a value is below 0, above 1 or NaN, if Raw infinite or
// NaN ([ErrRange]).
func (b Batch) Check() error {
	if b.N == 0 {
		return fail(ErrNone, "none, want at least one")
	}
	if b.N < 0 || b.Height < 1 || b.Width < 1 || b.Channels < 1 || len(b.Pixels) != b.N*b.Size().Values() {
		return fail(ErrShape, "%d values, want [%d, %d, %d, %d]", len(b.Pixels), b.N, b.Height, b.Width, b.Channels)
	}
	if b.Raw {
		if i := failure.NotFinite(b.Pixels); i >= 0 {
			return fail(ErrRange, "image %d: value %v, want a finite number", i/b.Size().Values(), b.Pixels[i])
		}
		return nil
	}
	for i, v := range b.Pixels {
		if !(v >= 0 && v <= 1) { // NaN is neither
			return fail(ErrRange, "image %d: value %v, want 0 to 1 (divide bytes by 255)", i/b.Size().Values(), v)
		}
	}
	return nil
}

// Gray returns images of three channels in one, 0.299 red + 0.587 green + 0.114 blue as in
// [image/color]; gray pixels keep their value. Images of one channel are returned as they are.
func (b Batch) Gray() Batch {
	if b.Channels != 3 {
		return b
	}
	gray := NewBatch(b.N, Size{b.Height, b.Width, 1})
	gray.Raw = b.Raw
	for p := range gray.Pixels {
		c := b.Pixels[3*p : 3*p+3]
		gray.Pixels[p] = c[0]
		if c[1] != c[0] || c[2] != c[0] {
			gray.Pixels[p] = 0.299*c[0] + 0.587*c[1] + 0.114*c[2]
			if !b.Raw {
				gray.Pixels[p] = min(gray.Pixels[p], 1)
			}
		}
	}
	return gray
}

// Size returns the size of each image.
func (b Batch) Size() Size { return Size{b.Height, b.Width, b.Channels} }

// Part returns the images from start to end. They share b's pixels.
func (b Batch) Part(start, end int) Batch {
	n := b.Size().Values()
	b.N, b.Pixels = end-start, b.Pixels[start*n:end*n]
	return b
}

// String describes the batch without its pixels.
func (b Batch) String() string {
	if b.N == 1 {
		return fmt.Sprintf("1 image of %s", b.Size())
	}
	return fmt.Sprintf("%d images of %s", b.N, b.Size())
}
