package cam

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Smoothing averages a method's maps over changed copies of each image,
//
//	L = mean_t T_t⁻¹ L(T_t x),
//
// with every combination of a flip, a brightness and a noise as T. The class is
// that of the image itself, and so are the result's scores. Test-time
// augmentation in pytorch-grad-cam 1.5 is Flips with Scales of 0.9, 1 and 1.1.
type Smoothing struct {
	Flips  bool      // the image and its mirror image, whose map is mirrored back
	Scales []float64 // factors of the brightness; empty is 1 alone
	// Noise is the standard deviation of what is added to every pixel, of which 0
	// to 1 is the range; it is drawn Samples times, each time the same for all images.
	Noise   float64
	Samples int
	Seed    uint64
}

func (s Smoothing) on() bool { return s.Flips || len(s.Scales) > 0 || s.Noise != 0 }

// smooth is Explain for a method with smoothing.
func (e *Explainer) smooth(ctx context.Context, method Method, images Images, target Target) (*Result, error) {
	s := method.Smoothing
	if s.Noise < 0 || s.Samples < 0 || s.Noise > 0 && s.Samples == 0 {
		return nil, fmt.Errorf("cam: %s: smoothing: noise %v, %d samples, want none, or a positive noise and at least one sample", method.Name, s.Noise, s.Samples)
	}
	method.Smoothing = Smoothing{}
	plain, err := e.dispatch(ctx, method, images, target)
	if err != nil {
		return nil, err
	}
	if target.kind == predicted || target.kind == topK { // of the image, not of its copies
		target.kind, target.classes = perImage, plain.Class
	}
	sum := make([]float64, len(plain.Maps))
	n := 0
	for variant := range s.variants(images) {
		var r *Result
		if plain.K > 0 && plain.Class != nil { // top k: one after the other
			var parts []*Result
			for j := range plain.K {
				t := target
				t.classes = nil
				for i := range images.N {
					t.classes = append(t.classes, plain.Class[i*plain.K+j])
				}
				part, err := e.dispatch(ctx, method, variant.images, t)
				if err != nil {
					return nil, err
				}
				parts = append(parts, part)
			}
			r = interleave(parts, true)
		} else if r, err = e.dispatch(ctx, method, variant.images, target); err != nil {
			return nil, err
		}
		if variant.flipped {
			mirror(r.Maps, r.Width, 1)
		}
		for i, v := range r.Maps {
			sum[i] += float64(v)
		}
		n++
	}
	for i := range sum {
		plain.Maps[i] = float32(sum[i] / float64(n))
	}
	for m, o := range plain.Outcome {
		plain.Outcome[m] = o&^(NoPositiveEvidence|Flat) | seen(plain.at(m))
	}
	plain.Residual = nil
	return plain, nil
}

// A variant is changed copies of all images.
type variant struct {
	images  Images
	flipped bool
}

func (s Smoothing) variants(x Images) func(yield func(variant) bool) {
	scales := s.Scales
	if len(scales) == 0 {
		scales = []float64{1}
	}
	noises := make([][]float32, max(1, s.Samples))
	rng := rand.New(rand.NewPCG(s.Seed, 0))
	for k := range noises {
		if s.Noise > 0 {
			noises[k] = make([]float32, x.size())
			for i := range noises[k] {
				noises[k][i] = float32(rng.NormFloat64() * s.Noise)
			}
		}
	}
	return func(yield func(variant) bool) {
		for _, flip := range []bool{false, true} {
			if flip && !s.Flips {
				return
			}
			for _, scale := range scales {
				for _, noise := range noises {
					y := x
					y.Pixels = slices.Clone(x.Pixels)
					for i := range y.Pixels {
						y.Pixels[i] *= float32(scale)
						if noise != nil {
							y.Pixels[i] += noise[i%x.size()]
						}
					}
					if flip {
						mirror(y.Pixels, x.Width, x.Channels)
					}
					if !yield(variant{y, flip}) {
						return
					}
				}
			}
		}
	}
}

// mirror turns rows of width places of channels values round.
func mirror(v []float32, width, channels int) {
	for row := range slices.Chunk(v, width*channels) {
		for a, b := 0, width-1; a < b; a, b = a+1, b-1 {
			for c := range channels {
				row[a*channels+c], row[b*channels+c] = row[b*channels+c], row[a*channels+c]
			}
		}
	}
}
