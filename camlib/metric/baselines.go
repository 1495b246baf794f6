package metric

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/parallel"
)

// Baseline is a way to make maps that looks at no network.
type Baseline struct {
	Name    string
	Explain Explain
}

// Baselines returns what methods are compared with: [Random], of 16×16 values, [Center],
// [Edge] and [Uniform].
func Baselines(seed uint64) []Baseline {
	return []Baseline{{"random", Random(16, 16, seed)}, {"centre", Center(0)}, {"edge", Edge()}, {"uniform", Uniform()}}
}

// Random returns maps of seeded noise, uniform from 0 to 1, at a resolution, which
// should be that of the maps that it stands beside. Image i always has the same
// noise, another than image i + 1.
func Random(height, width int, seed uint64) Explain {
	return knowing("random", func(x images.Batch) (int, int, []float32) {
		m := make([]float32, 0, x.N*height*width)
		for i := range x.N {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			for range height * width {
				m = append(m, random.Float32())
			}
		}
		return height, width, m
	})
}

// Center returns maps with a Gaussian in the middle,
//
//	exp(−½ (((i − (h−1)/2) / (sd h))² + ((j − (w−1)/2) / (sd w))²)),
//
// at the images' size: photographers put things there, so it is hard to beat
// (Choe et al. 2020, arXiv:2001.07437). sd is in parts of the image's height and
// width; 0 is 1/4.
func Center(sd float64) Explain {
	if sd == 0 {
		sd = 0.25
	}
	return knowing("centre", func(x images.Batch) (int, int, []float32) {
		m := make([]float32, x.Height*x.Width)
		for p := range m {
			down := (float64(p/x.Width) - float64(x.Height-1)/2) / (sd * float64(x.Height))
			right := (float64(p%x.Width) - float64(x.Width-1)/2) / (sd * float64(x.Width))
			m[p] = float32(math.Exp(-(down*down + right*right) / 2))
		}
		return x.Height, x.Width, slices.Repeat(m, x.N)
	})
}

// Edge returns the size of the Sobel gradient of each image's luminance
// (0.299 R + 0.587 G + 0.114 B, or the mean of the channels if there are not
// three), at the images' size; the border is repeated outwards.
func Edge() Explain {
	return knowing("edge", func(x images.Batch) (int, int, []float32) {
		size := x.Height * x.Width
		out := make([]float32, x.N*size)
		_ = parallel.Each(x.N, func(i int) error {
			gray := luminance(x, i)
			at := func(row, column int) float64 {
				return gray[min(max(row, 0), x.Height-1)*x.Width+min(max(column, 0), x.Width-1)]
			}
			for p := range size {
				r, c := p/x.Width, p%x.Width
				right := at(r-1, c+1) + 2*at(r, c+1) + at(r+1, c+1) - at(r-1, c-1) - 2*at(r, c-1) - at(r+1, c-1)
				down := at(r+1, c-1) + 2*at(r+1, c) + at(r+1, c+1) - at(r-1, c-1) - 2*at(r-1, c) - at(r-1, c+1)
				out[i*size+p] = float32(math.Hypot(right, down))
			}
			return nil
		})
		return x.Height, x.Width, out
	})
}

// luminance is the gray of image i.
func luminance(x images.Batch, i int) []float64 {
	weights := []float64{0.299, 0.587, 0.114}
	if x.Channels != 3 {
		weights = slices.Repeat([]float64{1 / float64(x.Channels)}, x.Channels)
	}
	size := x.Height * x.Width
	gray := make([]float64, size)
	for p := range gray {
		for c, w := range weights {
			gray[p] += w * float64(x.Pixels[(i*size+p)*x.Channels+c])
		}
	}
	return gray
}

// Uniform returns maps that are 1 everywhere, at the images' size: all pixels tie, so
// that metrics which order them take the seed's order.
func Uniform() Explain {
	return knowing("uniform", func(x images.Batch) (int, int, []float32) {
		return x.Height, x.Width, slices.Repeat([]float32{1}, x.N*x.Height*x.Width)
	})
}

// knowing is an Explain that looks at no network.
func knowing(name string, maps func(x images.Batch) (height, width int, values []float32)) Explain {
	return func(_ context.Context, _ *network.Network, x images.Batch, classes []int) (*cam.Result, error) {
		if err := x.Check(); err != nil {
			return nil, err
		}
		if len(classes) != x.N {
			return nil, fail(ErrClass, "%s: %d classes for %d images, want one for each", name, len(classes), x.N)
		}
		r := &cam.Result{Method: name, N: x.N, Class: slices.Clone(classes)}
		r.Height, r.Width, r.Maps = maps(x)
		return r, nil
	}
}
