package metric

import (
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/exec"
	"github.com/camlab-go/camlab/internal/failure"
	"github.com/camlab-go/camlab/internal/parallel"
)

// Case is one method's maps of a [Batch]'s images: what the metrics judge. It
// may be used by many goroutines at once.
type Case struct {
	*Batch
	Result  *cam.Result
	Explain Explain // makes further maps; nil leaves out the metrics that need them

	maps   []float32 // [n, height, width] of the images
	ranks  exec.Once[[]int32]
	masked exec.Once[scores]
	road   exec.Once[*ROAD]
}

// Case takes a method's maps of the batch's images and classes. The maps must not
// be changed afterwards. explain may be nil: only [Case.SensitivityMax],
// [Case.Randomization] and [Case.RandomLogit] need it. It fails with [ErrMaps],
// [ErrClass] and [ErrNotFinite].
func (b *Batch) Case(r *cam.Result, explain Explain) (*Case, error) {
	maps, err := b.enlarge(r, b.classes)
	if err != nil {
		return nil, err
	}
	return &Case{Batch: b, Result: r, Explain: explain, maps: maps}, nil
}

// enlarge checks the maps of a result and brings them to the images' size.
func (b *Batch) enlarge(r *cam.Result, classes []int) ([]float32, error) {
	if err := b.check(r, classes); err != nil {
		return nil, err
	}
	x := b.images
	if r.Height == x.Height && r.Width == x.Width {
		return r.Maps, nil
	}
	size := r.Height * r.Width
	maps := make([]float32, x.N*b.pixels())
	err := parallel.Each(x.N, func(i int) error {
		m, err := images.Map{H: r.Height, W: r.Width, Values: r.Maps[i*size : (i+1)*size]}.Resize(x.Height, x.Width, images.AlignCorners)
		copy(maps[i*b.pixels():], m.Values)
		return err
	})
	if err != nil {
		return nil, within(err, "%s", r.Method)
	}
	return maps, nil
}

// check returns what makes a result unfit for the batch.
func (b *Batch) check(r *cam.Result, classes []int) error {
	if r == nil {
		return fail(ErrMaps, "case: no result, want the maps of %d images", b.images.N)
	}
	if r.Class == nil {
		return fail(ErrClass, "%s: maps of all classes, want those of one class per image: explain another target than cam.All", r.Method)
	}
	if r.N != b.images.N || len(r.Class) != r.N || r.Height < 1 || r.Width < 1 || len(r.Maps) != r.N*r.Height*r.Width {
		return fail(ErrMaps, "%s: %d values of %d classes in %d maps of %d×%d, want a map and a class for each of %d images",
			r.Method, len(r.Maps), len(r.Class), r.N, r.Height, r.Width, b.images.N)
	}
	for i, c := range r.Class {
		if c != classes[i] {
			return fail(ErrClass, "%s: image %d: map of class %d, want class %d: explain cam.Classes(batch.Classes()...)",
				r.Method, i, c, classes[i])
		}
	}
	if bad := failure.NotFinite(r.Maps); bad >= 0 {
		return fail(ErrNotFinite, "%s: image %d: the map holds %v, want finite values", r.Method, bad/(r.Height*r.Width), r.Maps[bad])
	}
	return nil
}

// mapOf is the map of image i at the image's size.
func (c *Case) mapOf(i int) []float32 { return c.maps[i*c.pixels() : (i+1)*c.pixels()] }
