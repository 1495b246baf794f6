package cam

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/camlab-go/camlab/camlib/images"
)

// Smoothed averages a method's maps over changed copies of each image,
//
//	L = mean_t T_t⁻¹ L(T_t x),
//
// with every combination of a flip, a brightness and a noise as T. The class is
// that of the image itself, and so are the result's scores. Test-time
// augmentation in pytorch-grad-cam 1.5 is Flips with Scales of 0.9, 1 and 1.1.
//
// The method need not be registered; its compiled graphs are the ones that it has alone.
type Smoothed struct {
	Method Method
	Flips  bool      // the image and its mirror image, whose map is mirrored back
	Scales []float64 // factors of the brightness; empty is 1 alone
	// Noise is the standard deviation of what is added to every pixel, of which 0
	// to 1 is the range; it is drawn Samples times, each time the same for all images.
	Noise   float64
	Samples int
	Seed    uint64
}

// Spec is the method's, with what the average is over as a Setting.
func (s Smoothed) Spec() Spec {
	if isNil(s.Method) {
		return Spec{Name: "smoothed", Err: fail(ErrMethod, "no method, want one of Methods()")}
	}
	spec := s.Method.Spec()
	if spec.Err != nil {
		return spec
	}
	words := []string{}
	if spec.Setting != "" {
		words = append(words, spec.Setting)
	}
	if s.Flips {
		words = append(words, "flips")
	}
	if len(s.Scales) > 0 {
		words = append(words, fmt.Sprintf("brightness %v", s.Scales))
	}
	if s.Noise != 0 {
		words = append(words, fmt.Sprintf("noise %v, %s", s.Noise, counted(s.Samples, "sample")))
	}
	spec.Setting = strings.Join(words, ", ")
	if !(s.Noise >= 0) || s.Samples < 0 || s.Noise > 0 && s.Samples == 0 {
		spec.Err = fmt.Errorf("smoothing: noise %v, %d samples, want none, or a positive noise and at least one sample", s.Noise, s.Samples)
	}
	spec.smoothed, spec.Total = &s, nil
	return spec
}

// WithChannels implements what [WithChannels] says.
func (s Smoothed) WithChannels(n int) Method { s.Method = WithChannels(s.Method, n); return s }

// WithSamples implements what [WithSamples] says, for the method that is smoothed.
func (s Smoothed) WithSamples(n int) Method { s.Method = WithSamples(s.Method, n); return s }

// smooth is Explain for a smoothed method.
func (e *Explainer) smooth(ctx context.Context, s Smoothed, x images.Batch, t Target) (*Result, error) {
	plain, err := e.dispatch(ctx, s.Method, x, t)
	if err != nil {
		return nil, err
	}
	if t.kind == predicted || t.kind == topK { // of the image, not of its copies
		t.kind, t.classes = perImage, plain.Class
	}
	sum := make([]float64, len(plain.Maps))
	n := 0
	for copies := range s.copies(x) {
		r, err := e.again(ctx, s.Method, copies.x, t, plain)
		if err != nil {
			return nil, err
		}
		if copies.flipped {
			mirror(r.Maps, r.Width, 1)
		}
		for i, v := range r.Maps {
			sum[i] += float64(v)
		}
		for i, closed := range r.Closed {
			plain.Closed[i] = plain.Closed[i] && closed
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

// again explains copies of images in the classes of the images' own result.
func (e *Explainer) again(ctx context.Context, m Method, x images.Batch, t Target, plain *Result) (*Result, error) {
	if plain.K == 0 || plain.Class == nil {
		return e.dispatch(ctx, m, x, t)
	}
	var parts []*Result // of the top k, one after the other
	for j := range plain.K {
		t.classes = nil
		for i := range x.N {
			t.classes = append(t.classes, plain.Class[i*plain.K+j])
		}
		r, err := e.dispatch(ctx, m, x, t)
		if err != nil {
			return nil, err
		}
		parts = append(parts, r)
	}
	return interleave(parts, true), nil
}

// copies are changed copies of all images.
type copies struct {
	x       images.Batch
	flipped bool
}

func (s Smoothed) copies(x images.Batch) func(yield func(copies) bool) {
	scales := s.Scales
	if len(scales) == 0 {
		scales = []float64{1}
	}
	size := x.Size().Values()
	noises := make([][]float32, max(1, s.Samples))
	rng := rand.New(rand.NewPCG(s.Seed, 0))
	for k := range noises {
		if s.Noise > 0 {
			noises[k] = make([]float32, size)
			for i := range noises[k] {
				noises[k][i] = float32(rng.NormFloat64() * s.Noise)
			}
		}
	}
	return func(yield func(copies) bool) {
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
							y.Pixels[i] += noise[i%size]
						}
					}
					if flip {
						mirror(y.Pixels, x.Width, x.Channels)
					}
					if !yield(copies{y, flip}) {
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
