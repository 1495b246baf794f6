package cam

import (
	"fmt"
	"image"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/internal/picture"
)

// Images is a batch of pictures: Pixels is shaped [N, Height, Width,
// Channels], red, green and blue from 0 to 1.
type Images struct {
	N, Height, Width, Channels int
	Pixels                     []float32
}

// FromDataset returns all images of a data set, pixels/255.
func FromDataset(ds *cifar10.Dataset) Images {
	x := newImages(ds.Len(), cifar10.Height, cifar10.Width)
	if ds == nil {
		return x
	}
	for i, p := range ds.Pixels {
		x.Pixels[i] = float32(p) / 255
	}
	return x
}

// FromImages returns images of one size in 8 bits a channel. What is transparent is
// over white, as it is drawn; camlib.Over puts another color there. It fails when the
// sizes differ, and for an image that is nil or has no pixels.
func FromImages(imgs ...image.Image) (Images, error) {
	if len(imgs) == 0 {
		return Images{}, fail(ErrNoImages, "images: none, want at least one")
	}
	var x Images
	for i, img := range imgs {
		flat, err := picture.Flat(img)
		if err != nil {
			return Images{}, fail(ErrShape, "images: image %d: %w", i, err)
		}
		b := flat.Rect
		if i == 0 {
			x = newImages(len(imgs), b.Dy(), b.Dx())
		}
		if b.Dy() != x.Height || b.Dx() != x.Width {
			return Images{}, fail(ErrShape, "images: image %d is %d×%d, want %d×%d as image 0; camlib.Square makes photos one size", i, b.Dx(), b.Dy(), x.Width, x.Height)
		}
		out := x.Pixels[i*x.size():]
		for y := range x.Height {
			for p := range slices.Chunk(flat.Pix[y*flat.Stride:][:4*x.Width], 4) {
				out[0], out[1], out[2] = float32(p[0])/255, float32(p[1])/255, float32(p[2])/255
				out = out[3:]
			}
		}
	}
	return x, nil
}

func newImages(n, height, width int) Images {
	const channels = 3
	return Images{n, height, width, channels, make([]float32, n*height*width*channels)}
}

// check returns what is wrong with the images.
func (x Images) check() error {
	if x.N == 0 {
		return fail(ErrNoImages, "images: none, want at least one")
	}
	if x.N < 0 || x.Height < 1 || x.Width < 1 || x.Channels < 1 || len(x.Pixels) != x.N*x.size() {
		return fail(ErrShape, "images: %d values, want %s", len(x.Pixels), x.shape())
	}
	for i, v := range x.Pixels {
		if !(v >= 0 && v <= 1) { // NaN is neither
			return fail(ErrRange, "images: image %d: value %v, want 0 to 1 (divide bytes by 255)", i/x.size(), v)
		}
	}
	return nil
}

func (x Images) tensor() *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(x.Pixels, x.N, x.Height, x.Width, x.Channels)
}

// size is the number of values of one image.
func (x Images) size() int { return x.Height * x.Width * x.Channels }

func (x Images) shape() string {
	return fmt.Sprintf("[%d, %d, %d, %d]", x.N, x.Height, x.Width, x.Channels)
}

// Part returns the images from start to end, whose pixels are shared.
func (x Images) Part(start, end int) Images {
	x.N, x.Pixels = end-start, x.Pixels[start*x.size():end*x.size()]
	return x
}
