package metric

import (
	"context"
	"math"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/images"
)

// Fill is what stands where pixels of an image are taken away: the baseline
// image. The zero value is the usual one of each metric.
type Fill int

const (
	// Black is 0 in all channels.
	Black Fill = iota + 1
	// MeanColor is the image's own mean of each channel.
	MeanColor
	// Blurred is the image blurred with a Gaussian of 5 pixels' standard deviation,
	// cut off at 11 × 11 pixels and at the edge of the image and scaled to sum 1. RISE
	// has these numbers for images of 224 × 224; in small ones little is left.
	Blurred
)

const blurSD, blurReach = 5.0, 5 // Petsiuk et al. 2018's evaluation code: gkern(11, 5)

// filled is a baseline image of every image and its score.
type filled struct {
	pixels []float32
	scores scores // [n]
}

// of returns the baseline images.
func (f Fill) of(x images.Batch) []float32 {
	out := make([]float32, len(x.Pixels))
	switch f {
	case MeanColor:
		size := x.Height * x.Width * x.Channels
		for start := 0; start < len(out); start += size {
			for c := range x.Channels {
				sum := 0.0
				for i := start + c; i < start+size; i += x.Channels {
					sum += float64(x.Pixels[i])
				}
				mean := float32(sum / float64(x.Height*x.Width))
				for i := start + c; i < start+size; i += x.Channels {
					out[i] = mean
				}
			}
		}
	case Blurred:
		// Down the columns, then along the rows.
		blur(out, x.Pixels, x.Height, x.Width*x.Channels)
		blur(out, append([]float32(nil), out...), x.Width, x.Channels)
	}
	return out
}

// blur smooths src along an axis of n values that are stride apart into dst.
func blur(dst, src []float32, n, stride int) {
	weights := make([]float64, blurReach+1)
	for i := range weights {
		weights[i] = math.Exp(-float64(i*i) / (2 * blurSD * blurSD))
	}
	for block := 0; block < len(src); block += n * stride {
		for i := range n {
			low, high := max(0, i-blurReach), min(n-1, i+blurReach)
			for s := range stride {
				sum, total := 0.0, 0.0
				for j := low; j <= high; j++ {
					w := weights[max(i-j, j-i)]
					sum += w * float64(src[block+j*stride+s])
					total += w
				}
				dst[block+i*stride+s] = float32(sum / total)
			}
		}
	}
}

// fill returns the baseline images and their scores, computed once.
func (b *Batch) fill(ctx context.Context, f Fill) (filled, error) {
	return b.filled.Get(f, func() (filled, error) {
		v := filled{pixels: f.of(b.images)}
		var err error
		v.scores, err = b.changed(ctx, asTheyAre, 1, func(p part) []*tensors.Tensor {
			return []*tensors.Tensor{tensorOf(b.images, v.pixels, p)}
		})
		if err != nil {
			return filled{}, within(err, "baseline image")
		}
		return v, nil
	})
}
