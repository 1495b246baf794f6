package measure

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/internal/compiled"
	"github.com/camlab-go/camlab/internal/failure"
)

// Case is one method's maps of a [Subject]'s images: what the metrics judge. It
// may be used by many goroutines at once.
type Case struct {
	*Subject
	Result  *cam.Result
	Explain Explain // makes further maps; nil leaves out the metrics that need them

	maps   []float32 // [n, height, width] of the images
	ranks  memo[[]int32]
	masked memo[scores]
	road   memo[*ROAD]
}

// Case takes a method's maps of the subject's images and classes. The maps must not
// be changed afterwards. explain may be nil: only [Case.SensitivityMax],
// [Case.Randomisation] and [Case.RandomLogit] need it. It fails with [ErrMaps],
// [ErrClass] and [ErrNotFinite].
func (s *Subject) Case(r *cam.Result, explain Explain) (*Case, error) {
	maps, err := s.enlarge(r, s.classes)
	if err != nil {
		return nil, err
	}
	return &Case{Subject: s, Result: r, Explain: explain, maps: maps}, nil
}

// enlarge checks the maps of a result and brings them to the images' size.
func (s *Subject) enlarge(r *cam.Result, classes []int) ([]float32, error) {
	if err := s.check(r, classes); err != nil {
		return nil, err
	}
	x := s.images
	if r.Height == x.Height && r.Width == x.Width {
		return r.Maps, nil
	}
	exec, err := s.meter.enlarger(x.Height, x.Width)
	if err != nil {
		return nil, within(err, "%s", r.Method)
	}
	out, err := compiled.Call(exec.Call, tensors.FromFlatDataAndDimensions(r.Maps, r.N, r.Height, r.Width))
	if err != nil {
		return nil, within(err, "%s", r.Method)
	}
	maps, err := compiled.Take[float32](out[0])
	if err != nil {
		return nil, within(err, "%s", r.Method)
	}
	return maps, nil
}

// check returns what makes a result unfit for the subject.
func (s *Subject) check(r *cam.Result, classes []int) error {
	if r == nil {
		return fail(ErrMaps, "case: no result, want the maps of %d images", s.images.N)
	}
	if r.Class == nil {
		return fail(ErrClass, "%s: maps of all classes, want those of one class per image: explain another target than cam.All", r.Method)
	}
	if r.N != s.images.N || len(r.Class) != r.N || r.Height < 1 || r.Width < 1 || len(r.Maps) != r.N*r.Height*r.Width {
		return fail(ErrMaps, "%s: %d values of %d classes in %d maps of %d×%d, want a map and a class for each of %d images",
			r.Method, len(r.Maps), len(r.Class), r.N, r.Height, r.Width, s.images.N)
	}
	for i, c := range r.Class {
		if c != classes[i] {
			return fail(ErrClass, "%s: image %d: map of class %d, want class %d: explain cam.Classes(subject.Classes()...)",
				r.Method, i, c, classes[i])
		}
	}
	if bad := failure.NotFinite(r.Maps); bad >= 0 {
		return fail(ErrNotFinite, "%s: image %d: the map holds %v, want finite values", r.Method, bad/(r.Height*r.Width), r.Maps[bad])
	}
	return nil
}

// enlarger returns the executor that brings maps to a size; there is one for each.
func (m *Meter) enlarger(height, width int) (*graph.Exec, error) {
	return m.enlargers.get([2]int{height, width}, func() (*graph.Exec, error) {
		exec, err := graph.NewExec(m.backend, func(x *graph.Node) *graph.Node { return cam.Upsample(x, height, width, cam.AlignCorners) })
		if err != nil {
			return nil, err
		}
		exec.SetMaxCache(-1)
		return exec, nil
	})
}

// mapOf is the map of image i at the image's size.
func (c *Case) mapOf(i int) []float32 { return c.maps[i*c.pixels() : (i+1)*c.pixels()] }

// rank returns the rank of every pixel of every image, [n, height, width]: 0 for
// the largest value of the map. Maps are full of ties, those behind a ReLU above
// all, and to break them by position would delete an image from its top down;
// a permutation of the pixels that the seed fixes, the same for all images,
// breaks them instead.
func (c *Case) rank() ([]int32, error) {
	return c.ranks.get(func() ([]int32, error) {
		ranks := make([]int32, len(c.maps))
		order, err := c.meter.tieOrder(c.pixels())
		if err != nil {
			return nil, err
		}
		inParallel(c.images.N, func(i int) { rankMap(ranks[i*c.pixels():(i+1)*c.pixels()], c.mapOf(i), order) })
		return ranks, nil
	})
}

// rankMap writes the ranks of a map.
func rankMap(ranks []int32, m []float32, ties tieOrder) {
	keys := make([]uint64, len(m))
	for i, v := range m {
		if v == 0 {
			v = 0 // one kind of zero
		}
		b := math.Float32bits(v)
		if b>>31 == 0 {
			b = ^b &^ (1 << 31) // the larger, the earlier
		}
		keys[i] = uint64(b)<<32 | uint64(ties.number[i])
	}
	slices.Sort(keys)
	for rank, key := range keys {
		ranks[ties.pixel[uint32(key)]] = int32(rank)
	}
}

// tieOrder is a permutation of pixels and its inverse.
type tieOrder struct{ number, pixel []int32 }

func (m *Meter) tieOrder(pixels int) (tieOrder, error) {
	return m.orders.get(pixels, func() (tieOrder, error) {
		t := tieOrder{make([]int32, pixels), make([]int32, pixels)}
		for number, pixel := range m.random(ties).Perm(pixels) {
			t.number[pixel], t.pixel[number] = int32(number), int32(pixel)
		}
		return t, nil
	})
}

// What is drawn from the seed, each from a stream of its own.
const (
	ties = iota + 1
	imputationNoise
	perturbations
	neighbours
	parameters
	otherClass
)

func (m *Meter) random(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(m.opts.Seed, stream)) }

// inParallel calls f for 0 to n-1 on all cores.
func inParallel(n int, f func(i int)) {
	var group sync.WaitGroup
	var next atomic.Int64
	for range min(n, runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	group.Wait()
}
