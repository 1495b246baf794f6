package cam

import (
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Layered is a network with more than one layer to explain: a chain of named
// layers and a head. Its Features end with the last of them.
type Layered interface {
	Network
	// Layers returns the names of the layers, from the image on.
	Layers() []string
	// Through builds the layers after the layer from, or of the image if that is
	// empty, up to the layer to, from activations x to activations.
	Through(scope *model.Scope, from, to string, x *Node) *Node
}

// At returns the network split at another layer than its own, so that maps are
// made of that layer's activations. The network must be [Layered] and have the
// layer, else the error is of kind [ErrLayer].
func At(net Network, layer string) (Network, error) {
	l, ok := net.(Layered)
	if !ok {
		return nil, fail(ErrLayer, "layer %q: the network has no methods Layers and Through; have its Features end at that layer instead", layer)
	}
	if !slices.Contains(l.Layers(), layer) {
		return nil, fail(ErrLayer, "layer %q, want one of %s", layer, strings.Join(l.Layers(), ", "))
	}
	if s, ok := l.(split); ok {
		l = s.Layered
	}
	if s := (split{l, layer}); layer != s.last() {
		return s, nil
	}
	return l, nil
}

// split is a network that ends its features earlier.
type split struct {
	Layered
	layer string
}

func (s split) Features(scope *model.Scope, x *Node) *Node {
	return s.Through(scope, "", s.layer, x)
}

func (s split) Head(scope *model.Scope, act *Node) *Node {
	if last := s.last(); s.layer != last {
		act = s.Through(scope, s.layer, last, act)
	}
	return s.Layered.Head(scope, act)
}

func (s split) Classes() []string { return ClassNames(s.Layered) }

func (s split) TrainedFor() (height, width int, images string) { return TrainedFor(s.Layered) }

func (s split) last() string {
	names := s.Layers()
	return names[len(names)-1]
}

// throughLayers builds a layered network up to the layer that is explained and
// returns all activations on the way, that layer's the last.
func (n network) throughLayers(l Layered, images *Node) (act *Node, layers []*Node) {
	explained := split{Layered: l}.last()
	if s, ok := l.(split); ok {
		explained = s.layer
	}
	act, from := ConvertDType(images, n.dtype), ""
	for _, to := range l.Layers() {
		act = l.Through(n.scope, from, to, act)
		layers = append(layers, act)
		if from = to; to == explained {
			break
		}
	}
	act = ConvertDType(act, images.DType())
	layers[len(layers)-1] = act
	return act, layers
}

// allLayers returns the activations of every layer up to the explained one.
func (p *Pass) allLayers(method string) []*Node {
	if p.layers == nil {
		panic(fail(ErrLayer, "%s: the network names no layers, want one with the methods Layers and Through", method))
	}
	return p.layers
}
