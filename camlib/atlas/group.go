package atlas

import (
	"image"
	"math"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
)

// Group is some of a data set's images and their means over the N of them. With
// k classes,
//
//	Maps_c = 1/N Σ_i M_ic,   mean_xy Maps_c(x, y) + b_c = Scores_c,
//
// where M_ic is the class activation map ([cam.CAM]) of class c in image i and b
// the head's bias. A group of no images has no maps: all its slices are nil.
type Group struct {
	N             int
	Size          images.Size // of an image
	Height, Width int         // of a map
	Maps          []float64   // [k, Height, Width], signed, in units of the score
	Scores        []float64   // [k], before softmax
	Image         []float64   // [Size], values from 0 to 1; see [Group.Picture]
}

// Map returns the mean map of a class, in units of the score:
// positive where the images speak for it. It is empty for a group of no images.
func (g Group) Map(class int) images.Map {
	return g.combine(func(c int) float64 { return one(c == class) })
}

// Contrast returns the mean map of why the one class and not the other ([cam.Contrast]),
//
//	Maps_class − Maps_rival,
//
// in units of the score. Its mean, with the difference of the biases
// added, is that of the scores. What is added to the maps of all classes alike, to
// which softmax is blind, it does not contain. It is empty for a group of no images.
func (g Group) Contrast(class, rival int) images.Map {
	return g.combine(func(c int) float64 { return one(c == class) - one(c == rival) })
}

// Centered returns the mean map of why a class and not the average one
// ([cam.Target.Centered]),
//
//	Maps_class − 1/k Σ_c Maps_c,
//
// in units of the score. Like [Group.Contrast] it does not contain
// what all classes have in common. It is empty for a group of no images.
func (g Group) Centered(class int) images.Map {
	k := float64(len(g.Scores))
	return g.combine(func(c int) float64 { return one(c == class) - 1/k })
}

// Picture returns the mean of the images, opaque, its values rounded to the nearest level
// of 255; one channel is gray. It is nil for a group of no images.
func (g Group) Picture() *image.NRGBA {
	if g.N == 0 {
		return nil
	}
	img := image.NewNRGBA(image.Rect(0, 0, g.Size.Width, g.Size.Height))
	for i := range img.Pix {
		img.Pix[i] = 255
		if p, color := i/4, i%4; color < 3 {
			img.Pix[i] = uint8(math.Round(255 * g.Image[g.Size.Channels*p+min(color, g.Size.Channels-1)]))
		}
	}
	return img
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// combine returns the sum of the classes' maps, each times its weight.
func (g Group) combine(weight func(class int) float64) images.Map {
	if g.N == 0 {
		return images.Map{}
	}
	size := g.Height * g.Width
	sum, out := make([]float64, size), make([]float32, size)
	for c := range g.Scores {
		w := weight(c)
		for p, v := range g.Maps[c*size : (c+1)*size] {
			sum[p] += w * v
		}
	}
	for p, v := range sum {
		out[p] = float32(v)
	}
	return images.Map{H: g.Height, W: g.Width, Values: out}
}

// add adds n images, of which the means are given, to a group of sums.
func add[T float32 | float64](g *Group, n int, maps, scores, image []T) {
	g.N += n
	g.Maps, g.Scores, g.Image = plus(g.Maps, n, maps), plus(g.Scores, n, scores), plus(g.Image, n, image)
}

func plus[T float32 | float64](sum []float64, n int, means []T) []float64 {
	if sum == nil {
		sum = make([]float64, len(means))
	}
	for i, v := range means {
		sum[i] += float64(n) * float64(v)
	}
	return sum
}

// divide makes means of the sums.
func (g *Group) divide() {
	for _, sum := range [][]float64{g.Maps, g.Scores, g.Image} {
		for i := range sum {
			sum[i] /= float64(g.N)
		}
	}
}

// Halves returns the mean of the maps of every other image, from the first and from the
// second on: what alike halves have in common is not owed to single images. It is of results
// of one map for each image; the second is empty where there is but one.
func Halves(r *cam.Result) (first, second images.Map) {
	half := func(start int) images.Map {
		sum, n := make([]float64, r.Height*r.Width), 0
		for i := start; i < r.N; i, n = i+2, n+1 {
			for p, v := range r.At(i).Values {
				sum[p] += float64(v)
			}
		}
		if n == 0 {
			return images.Map{}
		}
		m := images.Map{H: r.Height, W: r.Width, Values: make([]float32, len(sum))}
		for p, v := range sum {
			m.Values[p] = float32(v / float64(n))
		}
		return m
	}
	return half(0), half(1)
}
