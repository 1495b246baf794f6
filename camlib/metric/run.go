package metric

import (
	"context"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/exec"
	"github.com/camlab-go/camlab/internal/failure"
	"github.com/camlab-go/camlab/internal/overflow"
)

// change is a way to make k changed images of each image of a batch inside a
// graph; there is one graph for each.
type change int

const (
	// asTheyAre takes images [batch, k, height, width, channels].
	asTheyAre change = iota
	// replace takes images and others [batch, height, width, channels], ranks int32
	// [batch, height, width] and counts int32 [k]. In change j the pixels of rank
	// below counts[j] are those of the other image.
	replace
	// blend takes images and others as well, and shares [k, height, width]. Change j
	// is x + share_j (other − x).
	blend
)

// part is a part of all changes: images start to end, changes first to last.
type part struct{ start, end, first, last int }

func (p part) n() int { return p.end - p.start }
func (p part) k() int { return p.last - p.first }

// run passes k changes of n images through the network and gives the outputs y
// (before softmax) of change j of image i to read. Runs are at most Options.Batch
// changed images large and all of one shape: the last one goes over some images
// again rather than have another graph compiled.
func (e *Evaluator) run(ctx context.Context, c change, n, k int, inputs func(p part) []*tensors.Tensor, read func(i, j int, y []float32)) error {
	g, err := e.graph(c)
	if err != nil {
		return err
	}
	wide := even(k, e.opts.Batch)
	deep := even(n, max(1, e.opts.Batch/wide))
	for start := 0; start < n; start += deep {
		for first := 0; first < k; first += wide {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("stopped after %d of %d images: %w", start, n, err)
			}
			end, last := min(start+deep, n), min(first+wide, k)
			p := part{end - deep, end, last - wide, last}
			out, err := g.Call(inputs(p)...)
			if err != nil {
				return err
			}
			var y []float32
			if err := out.Read(map[string]any{"scores": &y}); err != nil {
				return err
			}
			classes := len(y) / (deep * wide)
			if bad := failure.NotFinite(y); bad >= 0 {
				return e.overflowed(c, p, bad/classes, inputs(p))
			}
			for i := range deep {
				for j := range wide {
					at := (i*wide + j) * classes
					read(p.start+i, p.first+j, y[at:at+classes])
				}
			}
		}
	}
	return nil
}

// overflowed is the error of a part of the changes, of which the one in a row of the
// outputs has scores that are not finite.
func (e *Evaluator) overflowed(c change, p part, row int, inputs []*tensors.Tensor) error {
	suffix := ""
	if c != asTheyAre {
		suffix = overflow.OfCopy
	}
	at, name, err := overflow.Find(e.backend, e.net.Store, p.n()*p.k(), func(scope *model.Scope, in []*Node, parts *overflow.Parts) {
		e.net.Note(scope, flat(c.build(in)), suffix, parts)
	}, inputs...)
	if err != nil || name == "" {
		at, name = row, "the scores"
	}
	return fail(ErrNotFinite, "image %d: %s", p.start+at/p.k(), overflow.Message(name))
}

// even returns the size of parts of n that are at most limit large, as few and
// as even as can be.
func even(n, limit int) int {
	parts := (n + limit - 1) / limit
	return (n + parts - 1) / parts
}

func (e *Evaluator) graph(c change) (*exec.Graph, error) {
	return e.graphs.Get(c, func() (*exec.Graph, error) {
		return exec.New(e.backend, e.net.Store, func(scope *model.Scope, in []*Node) exec.Outputs {
			return exec.Outputs{"scores": e.scores(scope, c.build(in))}
		})
	})
}

// build is the changed images, [batch, k, height, width, channels].
func (c change) build(in []*Node) *Node {
	x := in[0]
	if c == asTheyAre {
		return x
	}
	all := x.Shape().Clone().Dimensions
	k := in[2].Shape().Dim(0)
	if c == replace {
		k = in[3].Shape().Dim(0)
	}
	all = append([]int{all[0], k}, all[1:]...)
	each := func(x *Node) *Node { return BroadcastToDims(InsertAxes(x, 1), all...) }
	if c == blend {
		share := InsertAxes(in[2], 0, -1)
		return Add(each(x), Mul(BroadcastToDims(share, all...), each(Sub(in[1], x))))
	}
	rank, count := InsertAxes(in[2], 1, -1), InsertAxes(in[3], 0, -1, -1, -1)
	pixels := []int{all[0], k, all[2], all[3], 1}
	chosen := LessThan(BroadcastToDims(rank, pixels...), BroadcastToDims(count, pixels...))
	return Where(BroadcastToDims(chosen, all...), each(in[1]), each(x))
}

// scores passes images [batch, k, height, width, channels] through the network:
// [batch, k, classes].
func (e *Evaluator) scores(scope *model.Scope, x *Node) *Node {
	d := x.Shape().Dimensions
	y := e.forward(scope, flat(x))
	if y.Rank() != 2 || y.Shape().Dim(0) != d[0]*d[1] {
		panic(fmt.Errorf("network: Head returns %s, want [batch, classes]", y.Shape()))
	}
	return ConvertDType(Reshape(y, d[0], d[1], -1), dtypes.Float32)
}

// flat makes one batch of changed images.
func flat(x *Node) *Node {
	d := x.Shape().Dimensions
	return Reshape(x, d[0]*d[1], d[2], d[3], d[4])
}

func (e *Evaluator) forward(scope *model.Scope, x *Node) *Node {
	defer func() {
		if r := recover(); r != nil {
			panic(fail(images.ErrShape, "images shaped %s: the network takes none such: %v", x.Shape(), r))
		}
	}()
	return e.net.Forward(scope, x)
}

// tensorOf returns some of the images, [batch, 1, height, width, channels]; values
// are theirs or of other images of the same size.
func tensorOf(x images.Batch, values []float32, p part) *tensors.Tensor {
	size := x.Height * x.Width * x.Channels
	return tensors.FromFlatDataAndDimensions(values[p.start*size:p.end*size], p.n(), 1, x.Height, x.Width, x.Channels)
}

// batchOf is tensorOf without the axis of changes.
func batchOf(x images.Batch, values []float32, p part) *tensors.Tensor {
	size := x.Height * x.Width * x.Channels
	return tensors.FromFlatDataAndDimensions(values[p.start*size:p.end*size], p.n(), x.Height, x.Width, x.Channels)
}
