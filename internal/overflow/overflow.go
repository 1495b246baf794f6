// Package overflow finds the part of a network in which numbers stop being finite.
//
// Networks are run as fast as they go and only their scores are looked at. Where
// these are infinite or NaN, the network is run once more, part by part.
package overflow

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/compiled"
)

// Network is what this package needs of cam.Network and *cnn.Model.
type Network interface {
	Features(scope *model.Scope, x *Node) *Node
	Head(scope *model.Scope, act *Node) *Node
}

// layered is what cam.Layered adds.
type layered interface {
	Layers() []string
	Through(scope *model.Scope, from, to string, x *Node) *Node
}

// OfCopy is added to the names of parts that have a changed image as their input.
const OfCopy = " of a changed copy"

// Message says that numbers are not finite from a part on, and what to do.
func Message(part string) string {
	return fmt.Sprintf("infinite or NaN from %s on, want finite numbers: the weights are too large or broken; load others, or train with a smaller learning rate", part)
}

// Parts are outputs in a graph, in the order in which they come about. Each has as
// many rows as there are images, or the same number for each; or its own number, and
// then it belongs to all images.
type Parts struct {
	images int
	names  []string
	finite []*Node // bool [images] each
}

// Add notes an output, [rows, ...], by a name.
func (p *Parts) Add(name string, output *Node) {
	images := p.images
	if output.Shape().Dim(0)%images != 0 {
		images = 1
	}
	p.names = append(p.names, name)
	p.finite = append(p.finite, BroadcastToDims(Finite(ConvertDType(output, dtypes.Float32), images), p.images))
}

// Finite tells, for each of so many rows of x, whether all of its values are finite,
// bool [rows].
func Finite(x *Node, rows int) *Node {
	each := Reshape(x, rows, -1)
	return IsFinite(ReduceSum(Sub(each, each), 1)) // x − x is 0 of finite numbers only
}

// Network notes the outputs of all parts of a network for images x: of its layers
// if it names them, else of its features, and of its head. suffix is added to
// their names.
func (p *Parts) Network(net Network, scope *model.Scope, x *Node, suffix string) {
	act := net.Features(scope, x)
	if l, ok := net.(layered); ok {
		from, layer := "", x
		for _, to := range l.Layers() {
			layer = l.Through(scope, from, to, layer)
			p.Add(to+suffix, layer)
			from = to
		}
	} else {
		p.Add("the features"+suffix, act)
	}
	p.Add("the head"+suffix, net.Head(scope, ConvertDType(act, dtypes.Float32)))
}

// Find builds a graph with parts for so many images, runs it on the inputs, which
// it frees, and returns the first image with a part that is not finite, and the
// first such part. part is empty if there is none.
func Find(backend compute.Backend, store *model.Store, images int, build func(scope *model.Scope, in []*Node, p *Parts), inputs ...*tensors.Tensor) (image int, part string, err error) {
	var p Parts
	exec, err := model.NewExec(backend, store, func(scope *model.Scope, in []*Node) *Node {
		p = Parts{images: images}
		build(scope, in, &p)
		return Stack(p.finite, 1)
	})
	if err != nil {
		return 0, "", fmt.Errorf("overflow: %w", err)
	}
	defer exec.Finalize()
	out, err := compiled.Call(exec.Call, inputs...)
	if err != nil {
		return 0, "", fmt.Errorf("overflow: %w", err)
	}
	finite, err := compiled.Take[bool](out[0])
	if err != nil {
		return 0, "", fmt.Errorf("overflow: %w", err)
	}
	at := slices.Index(finite, false)
	if at < 0 {
		return 0, "", nil
	}
	return at / len(p.names), p.names[at%len(p.names)], nil
}
