package images

import (
	"image"
	"image/draw"
	"math"
)

// Interpolation is how a picture is resized. Smaller pictures are averaged (antialiased),
// but for Nearest.
type Interpolation int

// The ways to interpolate.
const (
	// Bicubic is the cubic convolution of Keys 1981 with a = −½, also known as
	// Catmull-Rom.
	Bicubic Interpolation = iota
	// Bilinear weights by a triangle.
	Bilinear
	// Nearest takes the pixel at the center, without averaging.
	Nearest
)

var interpolationNames = []string{"bicubic", "bilinear", "nearest"}

// String returns the name that [ParseInterpolation] reads.
func (i Interpolation) String() string { return nameOf(i, "Interpolation", interpolationNames) }

// ParseInterpolation returns the interpolation of that name: bicubic, bilinear or nearest.
func ParseInterpolation(name string) (Interpolation, error) {
	return parse[Interpolation]("interpolation", interpolationNames, name)
}

// support is how far the kernel reaches, in pixels of the coarser picture.
func (i Interpolation) support() float64 { return []float64{2, 1}[i] }

// kernel returns the weight at a distance.
func (i Interpolation) kernel(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case i == Bilinear:
		return math.Max(0, 1-x)
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}

// fixed is the number of binary places of the weights: src/libImaging/Resample.c of
// Pillow 13.0.0, which leaves two bits for overshoot.
const fixed = 32 - 8 - 2

// taps are the pixels that an output pixel is made of, and their weights.
type taps struct {
	first   int
	weights []int
}

// taps returns those of an axis: of output i, with s = n/size the pixels that one of the
// output covers, the weights k((x + ½ − (i + ½)s) / max(1, s)) of the pixels x in reach,
// brought to sum 1.
func (i Interpolation) taps(a axis) []taps {
	scale := float64(a.n) / float64(a.size)
	stretch := math.Max(1, scale)
	all := make([]taps, a.count)
	if i == Nearest {
		at := scale / 2
		for o := -a.skip; o < a.count; o++ {
			if o >= 0 {
				all[o] = taps{a.first + min(int(at), a.n-1), []int{1 << fixed}}
			}
			at += scale // with the rounding errors of Pillow's Geometry.c, which decide ties
		}
		return all
	}
	for o := range all {
		center, reach := (float64(a.skip+o)+0.5)*scale, i.support()*stretch
		from, to := max(0, int(center-reach+0.5)), min(a.n, int(center+reach+0.5))
		weights, sum := make([]float64, to-from), 0.0
		for x := range weights {
			weights[x] = i.kernel((float64(x+from) - center + 0.5) / stretch)
			sum += weights[x]
		}
		all[o] = taps{a.first + from, make([]int, len(weights))}
		for x, w := range weights {
			all[o].weights[x] = int(math.Round(w / sum * (1 << fixed)))
		}
	}
	return all
}

// resample fills dst with what both axes take of an opaque picture. It goes through the
// picture once, row by row, and holds no more of it: each row is resized and rounded to 8
// bits, and then adds to the rows of dst in whose reach it is.
func resample(dst *image.NRGBA, src image.Image, across, down axis, how Interpolation) {
	columns, rows := how.taps(across), how.taps(down)
	last := columns[len(columns)-1]
	line := image.NewRGBA(image.Rect(columns[0].first, 0, last.first+len(last.weights), 1))
	values := 3 * len(columns)
	resized, sums := make([]int, values), make([][]int, len(rows)) // of the rows that are being made
	next := 0                                                      // row of dst that is not yet done
	for y := rows[0].first; next < len(rows); y++ {
		line.Rect.Min.Y, line.Rect.Max.Y = y, y+1
		if rows[next].first <= y {
			draw.Draw(line, line.Rect, src, line.Rect.Min, draw.Src)
			shrink(resized, line, columns)
		}
		for o := next; o < len(rows) && rows[o].first <= y; o++ {
			if sums[o] == nil {
				sums[o] = make([]int, values)
			}
			w := rows[o].weights[y-rows[o].first]
			for i, v := range resized {
				sums[o][i] += w * v
			}
		}
		for next < len(rows) && rows[next].first+len(rows[next].weights) <= y+1 {
			out := dst.Pix[dst.PixOffset(dst.Rect.Min.X, dst.Rect.Min.Y+next):]
			for c := range len(columns) {
				for k := range 3 {
					out[4*c+k] = uint8(rounded(sums[next][3*c+k]))
				}
				out[4*c+3] = 0xff
			}
			sums[next] = nil
			next++
		}
	}
}

// shrink resizes one row.
func shrink(dst []int, line *image.RGBA, columns []taps) {
	for c, t := range columns {
		red, green, blue := 0, 0, 0
		p := line.Pix[4*(t.first-line.Rect.Min.X):]
		for _, w := range t.weights {
			red, green, blue = red+w*int(p[0]), green+w*int(p[1]), blue+w*int(p[2])
			p = p[4:]
		}
		dst[3*c], dst[3*c+1], dst[3*c+2] = rounded(red), rounded(green), rounded(blue)
	}
}

// rounded returns the nearest of the 256 levels to a sum of weighted levels.
func rounded(sum int) int { return min(255, max(0, (sum+1<<(fixed-1))>>fixed)) }
