// Package network describes a neural network as a value: a chain of named layers, a head,
// and the weights in a GoMLX store.
//
// Everything else in camlib takes a [Network] and knows no architecture: package train
// trains it, package cam explains it at any of its layers, packages metric, truth and
// board measure that. To change a network, copy it and change the copy, as [Network.At]
// and [Randomized] do; all that is known of the network stays with the copy.
package network

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/failure"
)

// Network is a network split into layers and a head. Its functions build graphs; they take
// the variables of the scope that they are given, which is the root of Store or of a store
// like it.
//
// A function that is given a shape that it does not take panics, as GoMLX's graph functions
// do. What overflows must stay visible: numbers that get infinite or NaN in a layer have to
// make the scores so. Where(x > 0, x, 0) and, under XLA on a CPU, Max(x, 0) make 0 of NaN
// and −∞; Where(x > 0, x, x − x), the ReLU of the article's network, makes NaN of them.
type Network struct {
	Name  string       // of the architecture, in files and texts
	Store *model.Store // the weights

	Layers []Layer // from the image on; at least one
	// Head builds the rest, from the last layer's activations to scores (before softmax),
	// [batch, classes].
	Head func(scope *model.Scope, act *Node) *Node
	// HeadBeside is Head of a network with branches, see [Layer.BuildBeside]. A network has
	// one of the two.
	HeadBeside func(scope *model.Scope, act *Node, beside []*Node) *Node

	Classes []string // their names, in the order of the scores; nil is their numbers
	Input   Input
	// Together is [Network.Alone] of a network that has to find out; nil is one that takes
	// several images together.
	Together func() error
	// Attention is that of the tokens; the zero value is a network without.
	Attention Attention

	// Gradients builds what automatic differentiation would, faster; nil is automatic
	// differentiation. See [Gradients].
	Gradients Gradients
	// Chunk is how many images Gradients takes at most, as batch normalization has its averages
	// of them; 0 is as many as are fast.
	Chunk int
	// Tensors says how the weights are named and laid out in files; nil is as in Store.
	Tensors []Tensor

	before int // layers after the explained one
}

// Layer is a part of a network whose activations can be explained.
type Layer struct {
	Name string // unique in the network
	Text string // what it is, in words, for [Network.Summary]
	// Build builds the layer, from the activations of the one before, or from images
	// [batch, height, width, channels], to activations [batch, height, width, channels].
	Build func(scope *model.Scope, x *Node) *Node
	// BuildBeside is Build of a layer in a network with branches. beside are the values,
	// [batch, ...] each, that pass beside x, such as a residual block's input while x is in
	// its branch; none beside an image. It returns what passes beside its own activations,
	// which must not depend on these, so that what they contribute is all in them. A layer
	// has Build, past which everything goes on as it is, or BuildBeside.
	BuildBeside func(scope *model.Scope, x *Node, beside []*Node) (act *Node, after []*Node)
	// Bias returns b, [channels], of a layer that ends in ReLU(z + b) with z linear in the
	// layer's input, in like's graph and type; nil for a layer of another form.
	Bias func(scope *model.Scope, like *Node) *Node
}

// Input is what a network was trained on. The zero value is anything.
type Input struct {
	images.Size
	Text string // what the images show, in words
}

// Gradients builds, for images x, [n, height, width, channels], from 0 to 1, and what their
// scores are held to, target, [n, classes], float32, the loss
//
//	share · mean cross entropy (see [score.TargetLoss]),
//
// a scalar, and its gradients with respect to all trainable variables, by their paths.
// share is a scalar: the fraction of a batch that these images are. Of a variable that is
// not trained, but changes, as the averages of batch normalization, the map may have share
// times what it becomes; a step sets it to the sum over the batch.
type Gradients func(scope *model.Scope, x, target, share *Node) (loss *Node, gradients map[string]*Node)

// ErrLayer is what the error of [Network.At] matches under [errors.Is], and others of a
// layer that a network does not have.
var ErrLayer = errors.New("no such layer")

// Alone returns why a graph had best take one image: several are built one after the other,
// which is long to compile. It returns nil where they are built together.
func (n *Network) Alone() error {
	if n.Together == nil {
		return nil
	}
	return n.Together()
}

// Check returns an error if the network is not whole: without a store, layers or a head,
// with two layers of one name, or with weights that have no values.
func (n *Network) Check() error {
	switch {
	case n == nil:
		return errors.New("network: none, want one")
	case n.Store == nil:
		return fmt.Errorf("network: %s: no store, want the model.Store of its weights", n.Name)
	case len(n.Layers) == 0:
		return fmt.Errorf("network: %s: no layers, want at least one, whose activations are explained", n.Name)
	case n.Head == nil && n.HeadBeside == nil:
		return fmt.Errorf("network: %s: no head, want a function from activations to scores", n.Name)
	case n.Head != nil && n.HeadBeside != nil:
		return fmt.Errorf("network: %s: Head and HeadBeside, want one of them", n.Name)
	}
	for i, l := range n.Layers {
		if l.Name == "" || l.Build == nil && l.BuildBeside == nil {
			return fmt.Errorf("network: %s: layer %d: no name or no function Build, want both", n.Name, i)
		}
		if l.Build != nil && l.BuildBeside != nil {
			return fmt.Errorf("network: %s: layer %q: Build and BuildBeside, want one of them", n.Name, l.Name)
		}
		if slices.Contains(n.LayerNames()[:i], l.Name) {
			return fmt.Errorf("network: %s: two layers of the name %q, want different names", n.Name, l.Name)
		}
	}
	if err := n.Attention.check(); err != nil {
		return fmt.Errorf("network: %s: %w", n.Name, err)
	}
	for v := range n.Store.IterVariables() {
		if !v.HasValue() {
			return fmt.Errorf("network: %s: %s has no value, want a loaded or trained network", n.Name, v.Path())
		}
	}
	return nil
}

// LayerNames returns the names of the layers, from the image on.
func (n *Network) LayerNames() []string {
	names := make([]string, len(n.Layers))
	for i, l := range n.Layers {
		names[i] = l.Name
	}
	return names
}

// At returns a copy of the network that is explained at another layer: of which Features
// ends there. The weights are shared. Its error matches [ErrLayer].
func (n *Network) At(layer string) (*Network, error) {
	i := slices.Index(n.LayerNames(), layer)
	if i < 0 {
		return nil, failure.New(ErrLayer, "network: layer %q, want one of %s", layer, strings.Join(n.LayerNames(), ", "))
	}
	c := *n
	c.before = len(n.Layers) - 1 - i
	return &c, nil
}

// Explained returns the number of the layer that is explained, counted from 0: the last
// one, or that of [Network.At].
func (n *Network) Explained() int { return len(n.Layers) - 1 - n.before }

// ExplainedLayer returns the name of the layer that is explained.
func (n *Network) ExplainedLayer() string { return n.Layers[n.Explained()].Name }

// Activations builds the layers up to the explained one and returns the activations of
// all, that one's last, and what passes beside it.
func (n *Network) Activations(scope *model.Scope, x *Node) (all, beside []*Node) {
	for _, l := range n.Layers[:n.Explained()+1] {
		x, beside = l.Apply(scope, x, beside)
		all = append(all, x)
	}
	return all, beside
}

// Features builds the layers up to the explained one, from images to activations, and
// what passes beside them.
func (n *Network) Features(scope *model.Scope, x *Node) (act *Node, beside []*Node) {
	all, beside := n.Activations(scope, x)
	return all[len(all)-1], beside
}

// Scores builds the rest, from the explained layer's activations, and what passes beside
// them, to scores (before softmax), [batch, classes].
func (n *Network) Scores(scope *model.Scope, act *Node, beside []*Node) *Node {
	for _, l := range n.Layers[n.Explained()+1:] {
		act, beside = l.Apply(scope, act, beside)
	}
	return n.ApplyHead(scope, act, beside)
}

// Forward builds the network from images to scores.
func (n *Network) Forward(scope *model.Scope, x *Node) *Node {
	act, beside := n.Features(scope, x)
	return n.Scores(scope, act, beside)
}

// Apply builds a layer of either form.
func (l Layer) Apply(scope *model.Scope, x *Node, beside []*Node) (act *Node, after []*Node) {
	if l.BuildBeside != nil {
		return l.BuildBeside(scope, x, beside)
	}
	return l.Build(scope, x), beside
}

// ApplyHead builds a head of either form.
func (n *Network) ApplyHead(scope *model.Scope, act *Node, beside []*Node) *Node {
	if n.HeadBeside != nil {
		return n.HeadBeside(scope, act, beside)
	}
	return n.Head(scope, act)
}

// Class returns the name of a class, or its number where it has none.
func (n *Network) Class(c int) string {
	if c >= 0 && c < len(n.Classes) {
		return n.Classes[c]
	}
	return fmt.Sprint(c)
}

// String says which network this is, how many weights it has and which classes.
func (n *Network) String() string {
	if n == nil {
		return "no network"
	}
	text := n.Name
	if n.Store != nil {
		text += fmt.Sprintf(", %d weights", n.Store.NumParameters())
	}
	if len(n.Classes) > 0 {
		text += fmt.Sprintf(", %d classes: %s", len(n.Classes), strings.Join(n.Classes, ", "))
	}
	return text
}
