package cam_test

import (
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
)

// array returns the values of an array, which must be there.
func (p *fixture) array(tb testing.TB, name string) []float32 {
	tb.Helper()
	v := p.values[name]
	if v == nil {
		tb.Fatalf("no array %q", name)
	}
	return v
}

func (p *fixture) images(tb testing.TB) images.Batch {
	d := p.Arrays["images"].Shape
	return images.Batch{N: d[0], Height: d[1], Width: d[2], Channels: d[3], Pixels: p.array(tb, "images")}
}

// target is the class of each image for which the peers' maps are.
func (p *fixture) target() cam.Target { return cam.Classes(p.Classes...) }

func newPeerNet(tb testing.TB, name string) *peerNet {
	tb.Helper()
	p, n := peers(tb), &peerNet{head: name, explain: "second"}
	switch name {
	case "signed":
		n.head, n.explain = "linear", "before"
	case "flat/first":
		n.head, n.explain = "flat", "first"
	}
	n.Network = &network.Network{
		Name: name, Store: model.NewStore(), Head: n.scores,
		Layers: []network.Layer{{Name: "first", Build: n.first, Bias: bias("conv1.bias")}, {Name: "second", Build: n.second}},
	}
	if n.explain != "before" {
		n.Layers[1].Bias = bias("conv2.bias")
	}
	for name, a := range p.Arrays {
		own, ok := strings.CutPrefix(name, n.head+"/head.")
		if !ok && !strings.HasPrefix(name, "conv") {
			continue
		}
		values := slices.Clone(p.values[name])
		if ok {
			name = "head." + own
		}
		n.Store.VariableWithValue(name, tensors.FromFlatDataAndDimensions(values, a.Shape...))
	}
	if n.explain == "first" {
		n.Network = at(tb, n.Network, "first")
	}
	return n
}

func (n *peerNet) first(scope *model.Scope, x *Node) *Node {
	n.mu.Lock()
	n.batches = append(n.batches, x.Shape().Dim(0))
	n.mu.Unlock()
	return rectify(convolution(scope, "conv1", x))
}

func (n *peerNet) second(scope *model.Scope, x *Node) *Node {
	x = MaxPool(x).Window(2).Done() // of equal values the first has the gradient, as in PyTorch
	x = convolution(scope, "conv2", x)
	if n.explain == "before" {
		return x
	}
	return rectify(x)
}

func (n *peerNet) scores(scope *model.Scope, act *Node) *Node {
	if n.explain == "before" {
		act = rectify(act)
	}
	if n.head == "flat" {
		return linearLayer(scope, "head.1", Reshape(act, act.Shape().Dim(0), -1))
	}
	y := linearLayer(scope, "head.2", ReduceMean(act, 1, 2))
	switch n.head {
	case "relu":
		y = linearLayer(scope, "head.4", rectify(y))
	case "tanh":
		y = linearLayer(scope, "head.4", Tanh(y))
	}
	return y
}

func convolution(scope *model.Scope, name string, x *Node) *Node {
	x = Convolve(x, variable(scope, name+".weight", x)).Strides(1).PadSame().Done()
	return Add(x, ExpandLeftToRank(variable(scope, name+".bias", x), 4))
}

func linearLayer(scope *model.Scope, name string, x *Node) *Node {
	return Add(MatMul(x, variable(scope, name+".weight", x)), InsertAxes(variable(scope, name+".bias", x), 0))
}

func rectify(x *Node) *Node { return Where(GreaterThan(x, ZerosLike(x)), x, ZerosLike(x)) }

// each runs f with the map of every image, ours and a peer's.
func each(tb testing.TB, p *fixture, ours *cam.Result, theirs string, f func(image int, ours, theirs []float32)) {
	tb.Helper()
	want := p.array(tb, theirs)
	size := ours.Height * ours.Width
	if len(want) != ours.N*size {
		tb.Fatalf("%s: %v, want %d×%d×%d", theirs, p.Arrays[theirs].Shape, ours.N, ours.Height, ours.Width)
	}
	for i := range ours.N {
		f(i, ours.Map(i, ours.Class[i]).Values, want[i*size:(i+1)*size])
	}
}
