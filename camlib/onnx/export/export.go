package export

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/camlib/network"
)

// The names in the file of what goes in and what comes out.
const (
	Image  = "image"  // [batch, channels, height, width], floats from 0 to 1
	Scores = "scores" // [batch, classes], before softmax
)

// The sizes of the two batches that a network is built for. What differs between the graphs
// is what depends on the batch.
const (
	oneBatch     = 5
	anotherBatch = 7
)

// Encode returns a network as the contents of an ONNX file, of opset 18. Its images have
// [network.Input]'s size; its batch is any, or one where the network has
// [network.Network.Alone]. A layer's activations have the layer's name in the file, and those of
// images are laid out as [batch, channels, height, width], whatever their layout in the
// network. Equal networks give equal bytes.
//
// It fails for a network without a size or with weights that have no values, and, naming
// operation and layer, for an operation that ONNX does not have. ReLU is written as ONNX's,
// which may hide a NaN that the network's own shows.
func Encode(net *network.Network) ([]byte, error) {
	if err := net.Check(); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	f, err := translated(net)
	if err != nil {
		return nil, fmt.Errorf("export: %s: %w", net.Name, err)
	}
	return f.encode(), nil
}

// translated is a network's file before it is bytes.
func translated(net *network.Network) (*file, error) {
	if net.Input.Values() == 0 {
		return nil, errors.New("trained on images of no particular size, want Input.Size set in a copy of the network")
	}
	batches := []int{oneBatch, anotherBatch}
	if net.Alone() != nil {
		batches = []int{1, 1}
	}
	r, err := record(net, batches[0])
	if err != nil {
		return nil, err
	}
	other, err := record(net, batches[1])
	if err != nil {
		return nil, err
	}
	if err := r.compare(other, batches[0], batches[1]); err != nil {
		return nil, fmt.Errorf("%w: want a network that does the same whatever the batch, or its Together set", err)
	}
	f := newFile(net, r)
	return f, f.write()
}

// recording is a network, operation by operation.
type recording struct {
	ops           []*op
	image, scores *op
	layers        []*op // the activations
}

// record builds a network for a batch of images.
func record(net *network.Network, batch int) (r *recording, err error) {
	rec := &recorder{}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case error:
			err = fmt.Errorf("%s: %w", place(rec.layer), p)
		default:
			err = fmt.Errorf("%s: %v", place(rec.layer), p)
		}
	}()
	g := NewGraph(rec, "export")
	defer g.Finalize()
	at := func(x *Node) *op { return InternalBackendOutputs(x)[0].(*op) }
	size := net.Input.Size
	x := Parameter(g, Image, shapes.Make(dtypes.Float32, batch, size.Height, size.Width, size.Channels))
	r = &recording{image: at(x)}
	scope := net.Store.RootScope()
	var beside []*Node
	for _, l := range net.Layers {
		rec.layer = l.Name
		x, beside = l.Apply(scope, x, beside)
		r.layers = append(r.layers, at(x))
	}
	rec.layer = ""
	x = net.ApplyHead(scope, x, beside)
	if r.scores = at(x); x.Rank() != 2 || x.Shape().Dim(0) != batch {
		return nil, fmt.Errorf("scores shaped %s for %d images, want [%[2]d, classes]", x.Shape(), batch)
	}
	r.ops = rec.ops
	return r, nil
}

// compare learns from a recording for another batch what depends on the batch.
func (r *recording) compare(other *recording, batch, another int) error {
	same := func(a, b *op) bool { return a.number == b.number }
	if len(r.ops) != len(other.ops) || !same(r.scores, other.scores) || !slices.EqualFunc(r.layers, other.layers, same) {
		return fmt.Errorf("builds %d operations for %d images and %d for %d", len(r.ops), batch, len(other.ops), another)
	}
	needed := r.needed()
	for i, a := range r.ops {
		b := other.ops[i]
		if !needed[a] {
			continue
		}
		if a.kind != b.kind || a.shape.DType != b.shape.DType || a.shape.Rank() != b.shape.Rank() || !slices.EqualFunc(a.in, b.in, same) {
			return fmt.Errorf("%s: other operations for %d images than for %d", a.where(), batch, another)
		}
		if !reflect.DeepEqual(a.args, b.args) || a.value != nil && !a.value.Equal(b.value) {
			return fmt.Errorf("%s: other numbers for %d images than for %d", a.where(), batch, another)
		}
		a.dims = make([]dim, a.shape.Rank())
		for k, n := range a.shape.Dimensions {
			m := b.shape.Dimensions[k]
			switch {
			case n == m:
				a.dims[k] = dim{n: n}
			case n%batch == 0 && m%another == 0 && n/batch == m/another:
				a.dims[k] = dim{n: n / batch, batch: true}
			default:
				return fmt.Errorf("%s: shape %s for %d images and %s for %d", a.where(), a.shape, batch, b.shape, another)
			}
		}
	}
	return nil
}

// needed are the operations that the layers and the scores are made of. GoMLX builds others
// too, for gradients and where it tries several ways.
func (r *recording) needed() map[*op]bool {
	all := map[*op]bool{}
	var need func(o *op)
	need = func(o *op) {
		if !all[o] {
			all[o] = true
			for _, in := range o.in {
				need(in)
			}
		}
	}
	for _, o := range append(slices.Clone(r.layers), r.image, r.scores) {
		need(o)
	}
	return all
}
