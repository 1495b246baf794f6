package onnx

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/exec"
)

// freeing is how a batch that the file has fixed is set free. Exporters write the batch of
// the picture that they traced into Reshape and the like. What a shape was for the file's
// batch tells what it has to be for another one: of a tensor whose values lie image by
// image along an axis, a reshape leaves them so, along the axis before which there are as
// many values. So that axis grows with the batch, whatever the file says.
type freeing struct {
	shapes map[string][]int // of all tensors, for the file's batch
	from   int              // the file's batch
	to     int
}

// freed is the shape that a Reshape is to have, which with the file's numbers would be d.
// outer is that of [value].
func (c *call) freed(v *value, d []int) (shape []int, outer int) {
	f := c.batch
	if f == nil || f.from == f.to {
		return d, 0
	}
	in, out := f.shapes[c.n.inputs[0]], f.shapes[c.n.outputs[0]]
	axis := f.axis(in, v.dims)
	if axis < 0 || out == nil {
		return d, 0
	}
	// The images lie behind so many values, and each before so many.
	before, rest := product(in[:axis]), product(in[axis+1:])
	if axis == 0 && v.outer > 0 {
		before = v.outer
	}
	at := f.place(out, before, rest)
	if at < 0 {
		return d, 0
	}
	if product(out[:at]) < before {
		outer = before / product(out[:at])
	}
	grown := slices.Clone(out)
	grown[at] = grown[at] / f.from * f.to
	if product(grown) != v.size() {
		return d, 0
	}
	return grown, outer
}

// place is the axis of a shape that the images are along, if before them lie so many values
// and behind each so many; −1 if there is none. They may begin an axis, alone or before
// others, or end it: that if the values behind have an axis of their own.
func (f *freeing) place(shape []int, before, rest int) int {
	begins, ends := -1, -1
	for i, n := range shape {
		switch first := product(shape[:i]); {
		case first == before && n == f.from:
			return i
		case first == before && n%f.from == 0 && begins < 0:
			begins = i
		case first < before && first > 0 && n == before/first*f.from && before%first == 0:
			ends = i
		}
	}
	if ends >= 0 && (begins < 0 || ends+1 < len(shape) && shape[ends+1] == rest) {
		return ends
	}
	return begins
}

// axis is the one axis in which a shape differs from that for the file's batch, by as much
// as the batch does; −1 if there is none.
func (f *freeing) axis(file, now []int) int {
	if len(file) != len(now) {
		return -1
	}
	axis := -1
	for i, n := range now {
		if n == file[i] {
			continue
		}
		if axis >= 0 || n*f.from != file[i]*f.to {
			return -1
		}
		axis = i
	}
	return axis
}

// freedIndices are the indices of a Gather from the values of all images, one image behind
// the other, as exporters write a tensor that is read with other strides. Each image of
// the batch gets those of its like in the file, in its own values.
func (c *call) freedIndices(v, index *value) *value {
	f := c.batch
	if f == nil || f.from == f.to || index.constant == nil || v.rank() != 1 || v.outer > 0 || index.rank() == 0 || index.dims[0] != f.from {
		return index
	}
	in := f.shapes[c.n.inputs[0]]
	if f.axis(in, v.dims) != 0 || in[0]%f.from != 0 {
		return index
	}
	each, n := in[0]/f.from, index.size()/f.from
	old := index.constant.ints()
	for i, at := range old {
		if at < int64(i/n*each) || at >= int64((i/n+1)*each) {
			return index
		}
	}
	freed := &array{dtype: index.dtype, dims: slices.Clone(index.dims)}
	freed.dims[0] = f.to
	for k := range f.to {
		for _, at := range old[k%f.from*n : (k%f.from+1)*n] {
			freed.i = append(freed.i, at+int64(k/f.from*in[0]))
		}
	}
	return constantValue(freed)
}

// leaves reports whether a size that the file gives an axis of the first input is the one
// that it has there: also another batch is left as it is then.
func (c *call) leaves(axis, size int) bool {
	if c.batch == nil {
		return false
	}
	in := c.batch.shapes[c.n.inputs[0]]
	return axis < len(in) && in[axis] == size
}

// spread repeats, along a first axis of one, the nodes that are the same for all images,
// where others have a batch: a class token that was expanded to the file's batch of one.
func (c *call) spread(nodes []*Node, axis int) {
	if c.batch == nil || c.batch.from != 1 {
		return
	}
	d := slices.Clone(nodes[0].Shape().Dimensions)
	for _, x := range nodes {
		for i, n := range x.Shape().Dimensions {
			d[i] = max(d[i], n)
		}
	}
	for i, x := range nodes {
		to := slices.Clone(d)
		to[axis] = x.Shape().Dim(axis)
		fits := true
		for k, n := range x.Shape().Dimensions {
			fits = fits && (n == to[k] || n == 1 && to[k] == c.batch.to)
		}
		if fits && !slices.Equal(to, x.Shape().Dimensions) {
			nodes[i] = BroadcastToDims(x, to...)
		}
	}
}

// freeBatch finds ways to take several images at once. What it returns says, when it is first
// called, why none gives the scores of one image at a time, and nil where one does.
func (im *imported) freeBatch(back compute.Backend, store *model.Store) (together func() error) {
	ways := []bool{false, true} // as the file is; with its batch undone
	if im.im.batch > 0 {
		ways = ways[1:]
	}
	var why error
	var tries []*imported
	for _, free := range ways {
		try := im.like(nil)
		try.free = free
		if err := try.findAxes(); err != nil {
			why = err
		} else if len(tries) == 0 || maps.Equal(try.axes, tries[0].axes) { // graphs of one image are built before one is chosen
			tries = append(tries, try)
		}
	}
	if tries != nil {
		im.axes = tries[0].axes
	}
	im.together = sync.OnceValue(func() error {
		if tries == nil {
			return oneAtATime(why)
		}
		off, err := compare(back, store, im.like(errors.New("tried")), tries)
		if err != nil {
			return oneAtATime(err)
		}
		for i, try := range tries {
			if off[i] <= sameScores {
				im.mu.Lock()
				defer im.mu.Unlock()
				im.free, im.plans = try.free, try.plans
				return nil
			}
			why = fmt.Errorf("the scores of two images together differ from those of each by %.2g of the largest", off[i])
		}
		return oneAtATime(why)
	})
	if im.batch() > 1 && im.together() != nil {
		im.axes = nil
	}
	return im.together
}

func oneAtATime(why error) error { return fmt.Errorf("takes one image at a time: %w", why) }

// like is the same network to be tried, of which is known why it does not take several images, if not.
func (im *imported) like(together error) *imported {
	return &imported{
		study: im.study, pre: im.pre, parts: im.parts, passing: im.passing, plans: map[int]*plan{im.batch(): im.plan},
		together: func() error { return together }, tried: true,
	}
}

// sameScores is how far scores may differ by rounding, relative to the largest.
const sameScores = 1e-3

// findAxes finds where the batch is in what passes beside layers.
func (im *imported) findAxes() error {
	n := im.batch()
	p, _, err := im.at(2 * n)
	if err != nil {
		return err
	}
	if f := p.tensors[im.output]; scoreDims(f.dims, 2*n) == nil || scoreDims(f.dims, 2*n)[1] != im.classes() {
		return fmt.Errorf("scores of shape %v for %d images, want %d rows", f.dims, 2*n, 2*n)
	}
	for _, c := range im.cuts {
		if d := p.tensors[c.Tensor].dims; len(d) == 0 || d[0] != 2*n {
			return fmt.Errorf("tensor %q of shape %v for %d images, want %d first", c.Tensor, d, 2*n, 2*n)
		}
	}
	im.axes = make(map[string]int)
	f := &freeing{from: n, to: 2 * n}
	for _, names := range im.passing {
		for _, name := range names {
			axis := f.axis(im.plan.tensors[name].dims, p.tensors[name].dims)
			switch {
			case axis < 0:
				return fmt.Errorf("tensor %q of shape %v for %d images and %v for %d, want one axis that grows with them",
					name, im.plan.tensors[name].dims, n, p.tensors[name].dims, 2*n)
			case axis > 0 || p.tensors[name].dims[0] != 2*n:
				im.axes[name] = axis + 1
			}
		}
	}
	return nil
}

// whole builds the network from images to scores.
func (im *imported) whole(scope *model.Scope, x *Node) *Node {
	return im.each(x, nil, func(x *Node, _ []*Node) []*Node {
		b := im.enter(scope, x, nil, 0)
		b.run(im.nodes)
		return []*Node{b.scores(im)}
	})[0]
}

// compare returns, for each of some ways to take two different images, how far their scores
// are from those of one at a time, relative to the largest; infinity for a way that fails, and
// for those after one that does not differ.
func compare(back compute.Backend, store *model.Store, one *imported, ways []*imported) ([]float64, error) {
	size := one.im.size
	rng := rand.New(rand.NewPCG(5, 6))
	pixels := make([]float32, 2*size.Values())
	for i := range pixels {
		pixels[i] = rng.Float32()
	}
	some := func(from, to int) *tensors.Tensor {
		return tensors.FromFlatDataAndDimensions(pixels[from*size.Values():to*size.Values()], to-from, size.Height, size.Width, size.Channels)
	}
	want, err := runOnce(back, store, one.whole, some(0, 1), some(1, 2))
	if err != nil {
		return nil, err
	}
	off := make([]float64, len(ways))
	for i, way := range ways {
		got, err := runOnce(back, store, way.whole, some(0, 2))
		off[i] = math.Inf(1)
		if err == nil && len(got) == len(want) {
			off[i] = distance(got, want)
		}
		if off[i] <= sameScores {
			break
		}
	}
	return off, nil
}

// runOnce runs a graph with a network's weights on some inputs, and frees it.
func runOnce(back compute.Backend, store *model.Store, build func(scope *model.Scope, x *Node) *Node, inputs ...*tensors.Tensor) (all []float32, err error) {
	g, err := exec.New(back, store, func(scope *model.Scope, in []*Node) exec.Outputs {
		return exec.Outputs{"out": build(scope, in[0])}
	})
	if err != nil {
		return nil, err
	}
	defer g.Finalize()
	for _, in := range inputs {
		values, err := g.Call(in)
		var out []float32
		if err == nil {
			err = values.Read(map[string]any{"out": &out})
		}
		if err != nil {
			return nil, err
		}
		all = append(all, out...)
	}
	return all, nil
}

// distance is the largest difference of values, relative to the largest wanted.
func distance(got, want []float32) float64 {
	largest, most := 0.0, 0.0
	for i, w := range want {
		largest = max(largest, math.Abs(float64(w)))
		if d := math.Abs(float64(got[i] - w)); d > most || math.IsNaN(d) {
			most = d
		}
	}
	if most == 0 {
		return 0
	}
	return most / largest
}
