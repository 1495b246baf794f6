package truth

import (
	"errors"
	"fmt"
	"image"
	"slices"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/failure"
	"github.com/camlab-go/camlab/internal/parallel"
)

// ErrTruth is what errors match under [errors.Is] that say that a [Truth], or what
// one is made from, is broken or does not fit the maps.
var ErrTruth = errors.New("truth does not fit")

// fail returns "truth: what, want" as an error of kind [ErrTruth].
func fail(format string, args ...any) error {
	return failure.New(ErrTruth, "truth: "+format, args...)
}

// Truth says where in each image the thing is that its map should find: Masks,
// shaped [N, Height, Width], is true there, at the resolution of the image. A mask
// without a single true place is none.
//
// The functions that take a [cam.Result] and a Truth want one map for each mask. They
// bring maps of another size to that of the masks, bilinearly with the corners aligned
// ([images.AlignCorners]).
type Truth struct {
	N, Height, Width int
	Masks            []bool
}

// New returns masks, shaped [n, height, width], as a checked Truth. The slice is
// not copied. Its error matches [ErrTruth].
func New(n, height, width int, masks []bool) (Truth, error) {
	t := Truth{n, height, width, masks}
	if err := t.check(); err != nil {
		return Truth{}, err
	}
	return t, nil
}

// Boxes returns a Truth of images of one size, of which each has its box; a box has the
// pixels Min.Y to Max.Y−1 and Min.X to Max.X−1. It fails with [ErrTruth] when a box is
// empty or reaches out of the image.
func Boxes(height, width int, boxes ...image.Rectangle) (Truth, error) {
	t := Truth{len(boxes), height, width, make([]bool, len(boxes)*height*width)}
	for i, b := range boxes {
		if b.Empty() || !b.In(image.Rect(0, 0, width, height)) {
			return Truth{}, fail("boxes: box %d is %v, want one with pixels inside %d×%d", i, b, height, width)
		}
		for y := b.Min.Y; y < b.Max.Y; y++ {
			row := t.Masks[(i*height+y)*width:]
			for x := b.Min.X; x < b.Max.X; x++ {
				row[x] = true
			}
		}
	}
	return New(t.N, t.Height, t.Width, t.Masks)
}

func (t Truth) check() error {
	if t.N < 1 || t.Height < 1 || t.Width < 1 || len(t.Masks) != t.N*t.Height*t.Width {
		return fail("%d places, want [%d, %d, %d] and at least one", len(t.Masks), t.N, t.Height, t.Width)
	}
	for i := range t.N {
		if !slices.Contains(t.Mask(i), true) {
			return fail("mask %d is empty, want at least one true place", i)
		}
	}
	return nil
}

// Mask returns the mask of image i, row by row.
func (t Truth) Mask(i int) []bool {
	size := t.Height * t.Width
	return t.Masks[i*size : (i+1)*size : (i+1)*size]
}

// Area returns the share of image i that its mask covers, above 0 and at most 1: what a
// map that knows nothing has of its mass inside.
func (t Truth) Area(i int) float64 {
	n := 0
	for _, in := range t.Mask(i) {
		if in {
			n++
		}
	}
	return float64(n) / float64(t.Height*t.Width)
}

// box returns the smallest box around mask i.
func (t Truth) box(i int) box {
	b := noBox
	for p, in := range t.Mask(i) {
		if in {
			b = b.with(placeBox(p, t.Width))
		}
	}
	return b
}

// each calls f with every image's number and its map, at the truth's size, from
// several goroutines at once.
func (t Truth) each(where string, r *cam.Result, f func(i int, m []float32)) error {
	if err := t.check(); err != nil {
		return err
	}
	if r.K > 1 {
		return fail("%s: %d maps of each image, want one; Pick takes them out", where, r.K)
	}
	if r.N != t.N {
		return fail("%s: %d maps for %d masks, want as many", where, r.N, t.N)
	}
	maps, err := images.NewMaps(r.N, r.Height, r.Width, r.Maps)
	if err == nil {
		err = parallel.Each(t.N, func(i int) (err error) {
			m := maps[i]
			if m.H != t.Height || m.W != t.Width {
				if m, err = m.Resize(t.Height, t.Width, images.AlignCorners); err != nil {
					return err
				}
			}
			f(i, m.Values)
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("truth: %s: %w", where, err)
	}
	return nil
}

// score returns what f makes of every image's map, as each.
func (t Truth) score(where string, r *cam.Result, f func(i int, m []float32) float64) ([]float64, error) {
	scores := make([]float64, max(0, t.N))
	if err := t.each(where, r, func(i int, m []float32) { scores[i] = f(i, m) }); err != nil {
		return nil, err
	}
	return scores, nil
}

// Pick takes maps out of a result of several for each image: as map i of the result that
// it returns the one of image images[i] for the class classes[i], with what r says of that
// image and that map. It fails with [ErrTruth] when there is no such map.
func Pick(r *cam.Result, images, classes []int) (*cam.Result, error) {
	if len(images) != len(classes) {
		return nil, fail("pick: %d images and %d classes, want as many", len(images), len(classes))
	}
	p := *r
	p.N, p.K, p.Class = len(images), 0, slices.Clone(classes)
	p.Scores, p.Predicted, p.Rival, p.Maps, p.Score, p.Outcome, p.Residual = nil, nil, nil, nil, nil, nil, nil
	for at, i := range images {
		c := classes[at]
		if i < 0 || i >= r.N || !slices.Contains(r.ClassesOf(i), c) {
			return nil, fail("pick: image %d, class %d, want one of %d images and a class that it has a map of", i, c, r.N)
		}
		j := i*max(1, r.K) + slices.Index(r.ClassesOf(i), c)
		copyPart(&p.Scores, r.Scores, i, r.NumClasses)
		copyPart(&p.Predicted, r.Predicted, i, 1)
		copyPart(&p.Rival, r.Rival, i, 1)
		copyPart(&p.Maps, r.Maps, j, r.Height*r.Width)
		copyPart(&p.Score, r.Score, j, 1)
		copyPart(&p.Outcome, r.Outcome, j, 1)
		copyPart(&p.Residual, r.Residual, j, 1)
	}
	return &p, nil
}

// copyPart appends to a slice the part of that number and size of another, if that is not
// nil.
func copyPart[T any](to *[]T, from []T, number, size int) {
	if from != nil {
		*to = append(*to, from[number*size:(number+1)*size]...)
	}
}
