package measure

import (
	"errors"
	"fmt"
	"image"
	"runtime"
	"slices"
	"sync"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/figure"
)

// ErrTruth is what errors match under [errors.Is] that say that a [Truth], or what
// one is made from, is broken or does not fit the maps.
var ErrTruth = errors.New("truth does not fit")

// truthError returns "measure: where: what, want" as an ErrTruth.
func truthError(format string, args ...any) error {
	return &untrue{fmt.Errorf("measure: "+format, args...)}
}

type untrue struct{ error }

func (u *untrue) Unwrap() []error { return []error{ErrTruth, u.error} }

// Truth says where in each image the thing is that its map should find: Masks,
// shaped [N, Height, Width], is true there, at the resolution of the image. A mask
// without a single true place is none.
//
// The functions that take a [cam.Result] and a Truth want one map for each mask. They
// bring maps of another size to that of the masks with [figure.Map.Resize], bilinear
// with the corners aligned. Who needs several of them does that once, faster, with
// [cam.Explainer.Upsample].
type Truth struct {
	N, Height, Width int
	Masks            []bool
}

// NewTruth returns masks, shaped [n, height, width], as a checked Truth. The slice is
// not copied. Its error matches [ErrTruth].
func NewTruth(n, height, width int, masks []bool) (Truth, error) {
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
			return Truth{}, truthError("boxes: box %d is %v, want one with pixels inside %d×%d", i, b, height, width)
		}
		for y := b.Min.Y; y < b.Max.Y; y++ {
			row := t.Masks[(i*height+y)*width:]
			for x := b.Min.X; x < b.Max.X; x++ {
				row[x] = true
			}
		}
	}
	return NewTruth(t.N, t.Height, t.Width, t.Masks)
}

func (t Truth) check() error {
	if t.N < 1 || t.Height < 1 || t.Width < 1 || len(t.Masks) != t.N*t.Height*t.Width {
		return truthError("truth: %d places, want [%d, %d, %d] and at least one", len(t.Masks), t.N, t.Height, t.Width)
	}
	for i := range t.N {
		if !slices.Contains(t.Mask(i), true) {
			return truthError("truth: mask %d is empty, want at least one true place", i)
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
	if r.Class == nil {
		return truthError("%s: maps of all classes, want one of each image; Pick takes them out", where)
	}
	if r.N != t.N {
		return truthError("%s: %d maps for %d masks, want as many", where, r.N, t.N)
	}
	maps, err := figure.NewMaps(r.N, r.Height, r.Width, r.Maps)
	if err != nil {
		return fmt.Errorf("measure: %s: %w", where, err)
	}
	return parallel(t.N, func(i int) error {
		m := maps[i]
		if m.H != t.Height || m.W != t.Width {
			var err error
			if m, err = m.Resize(t.Height, t.Width); err != nil {
				return fmt.Errorf("measure: %s: %w", where, err)
			}
		}
		f(i, m.Values)
		return nil
	})
}

// score returns what f makes of every image's map, as each.
func (t Truth) score(where string, r *cam.Result, f func(i int, m []float32) float64) ([]float64, error) {
	scores := make([]float64, max(0, t.N))
	if err := t.each(where, r, func(i int, m []float32) { scores[i] = f(i, m) }); err != nil {
		return nil, err
	}
	return scores, nil
}

// parallel calls f for 0 to n−1 on all processors and joins its errors.
func parallel(n int, f func(i int) error) error {
	workers := min(n, runtime.GOMAXPROCS(0))
	errs := make([]error, workers)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := n * w / workers; i < n*(w+1)/workers && errs[w] == nil; i++ {
				errs[w] = f(i)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// Pick takes maps out of a result of all classes: as map i of the result that it
// returns, with its row of scores, the one of image images[i] for the class classes[i].
// It fails with [ErrTruth] when there is no such map.
func Pick(r *cam.Result, images, classes []int) (*cam.Result, error) {
	if len(images) != len(classes) {
		return nil, truthError("pick: %d images and %d classes, want as many", len(images), len(classes))
	}
	if r.Class != nil {
		return nil, truthError("pick: maps of one class for each image, want those of all classes (the target cam.All)")
	}
	size := r.Height * r.Width
	p := &cam.Result{
		Method: r.Method, N: len(images), NumClasses: r.NumClasses, Height: r.Height, Width: r.Width,
		Class: slices.Clone(classes), Maps: make([]float32, 0, len(images)*size),
	}
	for k, i := range images {
		c := classes[k]
		if i < 0 || i >= r.N || c < 0 || c >= r.NumClasses {
			return nil, truthError("pick: image %d, class %d, want images 0 to %d and classes 0 to %d", i, c, r.N-1, r.NumClasses-1)
		}
		p.Maps = append(p.Maps, r.Map(i, c)...)
		p.Scores = append(p.Scores, r.Scores[i*r.NumClasses:(i+1)*r.NumClasses]...)
		p.Predicted = append(p.Predicted, r.Predicted[i])
	}
	return p, nil
}
