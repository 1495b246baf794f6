package cam

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/overflow"
)

// Pass is one pass of a batch of images through a network, as a graph: what
// the equation of a [Method] can be written with.
type Pass struct {
	Images *Node // x, [batch, height, width, channels]
	Act    *Node // A, [batch, height, width, channels] of the explained layer
	Scores *Node // y_c, [batch, classes]
	// Coefficients, [batch, classes], are v_c = ∂y/∂y_c, the gradient of [Pass.Score]
	// with respect to Scores. Where that is a score they are 1 for the class, −1 for
	// the rival of a [Contrast], else 0.
	Coefficients *Node
	// Perturbed are the scores of the method's perturbations, [batch, perturbations,
	// classes]; nil for a method without.
	Perturbed *Node
	// Layers are the activations of all layers up to the explained one, Act the last;
	// those before are of the type of [Options]. Nil while perturbations are built.
	Layers []*Node

	chain
	score     *Node
	choice    *Node // v, [batch, classes]: y = Σ_c v_c y_c, or of the probabilities
	only      *int  // the class, where y is one class's score and the same class for all images; else nil
	form      form
	linear    *linear    // filled when a method asks for it; shared by the classes
	own       *explained // the same, of what is explained
	attention *attended  // the same
	marks     *Node      // int32 [batch], the sum of the outcomes that the equation found; nil for none
	needed    []*Node    // [batch, ...], what must be finite beside the activations, the scores and the map
}

// chain is a network in a graph.
type chain struct {
	net    *network.Network
	scope  *model.Scope
	dtype  dtypes.DType    // in which the layers up to the explained one compute
	parts  *overflow.Parts // notes all that goes through the network; nil but to look for a fault
	beside []*Node         // what passes beside Act of a pass, see [network.Layer]
}

// newForward builds a pass for which nothing is chosen yet to be explained.
func newForward(n chain, images *Node) *Pass {
	n.note(images, "")
	layers, beside := n.activations(images)
	n.beside = beside
	p := newPass(n, images, layers[len(layers)-1])
	p.Layers = layers
	return p
}

// activations are those of all layers up to the explained one, and what passes beside it.
func (n chain) activations(images *Node) (layers, beside []*Node) {
	orFail(ErrShape, func() {
		layers, beside = n.net.Activations(n.scope, ConvertDType(images, n.dtype))
		last := len(layers) - 1
		layers[last] = ConvertDType(layers[last], images.DType())
		for i, b := range beside {
			beside[i] = ConvertDType(b, images.DType())
		}
	}, "images shaped %s: the network takes none such", images.Shape())
	return layers, beside
}

// newPass builds a pass of images whose activations, and what passes beside them in n, are
// known.
func newPass(n chain, images, act *Node) *Pass {
	p := &Pass{Images: images, Act: act, chain: n, linear: &linear{}, attention: &attended{}}
	if p.Act.Rank() != 4 {
		panic(fmt.Errorf("cam: network: layer %s returns %s, want [batch, height, width, channels]", n.net.ExplainedLayer(), p.Act.Shape()))
	}
	p.Scores = p.Head(p.Act)
	if p.Scores.Rank() != 2 || p.Scores.Shape().Dim(0) != p.Act.Shape().Dim(0) {
		panic(fmt.Errorf("cam: network: the head returns %s, want [batch, classes]", p.Scores.Shape()))
	}
	return p
}

// Head returns the scores, [batch, classes], of other activations than Act: as many, or n
// for each, one image's together as in [OfEach].
func (n chain) Head(act *Node) *Node {
	var beside []*Node
	for _, b := range n.beside {
		d := b.Shape().Dimensions
		each := act.Shape().Dim(0) / d[0]
		b = BroadcastToDims(InsertAxes(b, 1), append([]int{d[0], each}, d[1:]...)...)
		beside = append(beside, Reshape(b, append([]int{d[0] * each}, d[1:]...)...))
	}
	scores := n.net.Scores(n.scope, act, beside)
	if n.parts != nil {
		n.parts.Add("the scores of changed activations", scores)
	}
	return scores
}

// Network returns the scores of other images, [n, height, width, channels], as
// [n, classes].
func (n chain) Network(images *Node) *Node {
	act, beside := n.features(images)
	n.beside = beside
	return n.Head(act)
}

// Features returns the activations of the explained layer for other images than the
// pass's own.
func (n chain) Features(images *Node) *Node {
	act, _ := n.features(images)
	return act
}

func (n chain) features(images *Node) (act *Node, beside []*Node) {
	n.note(images, overflow.OfCopy)
	layers, beside := n.activations(images)
	return layers[len(layers)-1], beside
}

// note notes the parts of the network for images.
func (n chain) note(images *Node, suffix string) {
	if n.parts != nil {
		n.net.Note(n.scope, ConvertDType(images, n.dtype), suffix, n.parts)
	}
}

// choose sets what is explained: class and rival of each image, as in [goals].
func (p *Pass) choose(classes, rivals *Node) {
	oneHot := func(index *Node) *Node { return OneHot(index, p.Classes(), p.Scores.DType()) } // zeros for noRival
	p.explain(Sub(oneHot(classes), oneHot(rivals)))
}

// explain sets what is explained: the pass's form of v, [batch, classes].
func (p *Pass) explain(v *Node) {
	if p.form.negated {
		v = Neg(v)
	}
	if p.form.quantity == centered {
		v = Sub(v, ReduceAndKeep(v, ReduceMean, -1))
	}
	p.combine(v)
}

// combine sets v itself, whatever the form.
func (p *Pass) combine(v *Node) {
	p.choice, p.only, p.own = v, nil, nil
	p.score = Squeeze(p.Value(InsertAxes(p.Scores, 1)), 1)
	if p.form.quantity == probability || p.form.quantity == function {
		v = Gradient(ReduceAllSum(p.score), p.Scores)[0]
	}
	p.Coefficients = StopGradient(v)
}

// ofClass is the same pass for other classes, int32 [batch].
func (p *Pass) ofClass(class *Node) *Pass {
	q := *p
	q.marks, q.needed = nil, nil
	q.explain(OneHot(class, p.Classes(), p.Scores.DType()))
	return &q
}

// Classes is the number of classes.
func (p *Pass) Classes() int { return p.Scores.Shape().Dim(1) }

// Channels is the number of channels of Act.
func (p *Pass) Channels() int { return p.Act.Shape().Dim(-1) }

// Places is Z, the number of places of Act.
func (p *Pass) Places() int { return p.Act.Shape().Dim(1) * p.Act.Shape().Dim(2) }

// Score returns what is explained of each image, [batch]: y, a class's score, or
// what else the [Target] makes of the scores.
func (p *Pass) Score() *Node { return p.score }

// Value returns what [Pass.Score] is for other scores of the same images: of
// [batch, n, classes] it makes [batch, n].
func (p *Pass) Value(scores *Node) *Node {
	switch p.form.quantity {
	case function:
		d := scores.Shape().Dimensions
		y := Reshape(p.form.function.of(Reshape(scores, d[0]*d[1], d[2])), d[0], d[1])
		if p.form.negated {
			y = Neg(y)
		}
		return y
	case probability:
		if p.Classes() == 1 {
			scores = Sigmoid(scores)
		} else {
			scores = Softmax(scores, -1)
		}
	}
	return ReduceSum(Mul(scores, InsertAxes(p.choice, 1)), -1)
}

// Grad returns ∂y/∂A, the gradient of [Pass.Score] with respect to Act and of
// its shape. One image's score must not depend on another image.
func (p *Pass) Grad() *Node { return Gradient(ReduceAllSum(p.Score()), p.Act)[0] }

// ImageGrad returns ∂y/∂x at other images than the pass's own, [batch, n, height,
// width, channels], n for each of them, and of that shape.
func (p *Pass) ImageGrad(images *Node) *Node {
	scores := OfEach(images, p.Network)
	p.Need(scores)
	return Gradient(ReduceAllSum(p.Value(scores)), images)[0]
}

// Need has the explainer fail with [ErrNotFinite] where x, [batch, ...], is not
// finite. It is for what a map hides that, as gradients do of the forward pass: a
// ReLU's is 0 where NaN came in.
func (p *Pass) Need(x *Node) { p.needed = append(p.needed, x) }

// Mark notes an outcome of the images where it holds, bool [batch].
func (p *Pass) Mark(o Outcome, where *Node) {
	m := MulScalar(ConvertDType(where, dtypes.Int32), float64(o))
	if p.marks != nil {
		m = Add(p.marks, m)
	}
	p.marks = m
}

// orFail runs f and turns its panic into one with an error of a kind.
func orFail(kind error, f func(), format string, args ...any) {
	defer func() {
		if r := recover(); r != nil {
			panic(fail(kind, format+": %v", append(args, r)...))
		}
	}()
	f()
}
