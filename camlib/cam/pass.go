package cam

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/overflow"
)

// Network is what maps can be made of: a network split at the layer that they
// explain. *cnn.Model is one. A network that also has a method
// Classes() []string lets its classes be named.
type Network interface {
	// Store returns the GoMLX store that holds the weights.
	Store() *model.Store
	// Features builds the first part, from images x shaped [batch, height,
	// width, channels] to activations of the same rank. What overflows in it is seen
	// if the activations or scores get infinite or NaN by it, so a ReLU should not hide
	// it: Where(x > 0, x, 0) and, under XLA on a CPU, Max(x, 0) make 0 of NaN and −∞;
	// Where(x > 0, x, x − x), which the article's network has, makes NaN of them.
	Features(scope *model.Scope, x *Node) *Node
	// Head builds the rest, from activations to scores (before softmax) shaped
	// [batch, classes].
	Head(scope *model.Scope, act *Node) *Node
}

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
	// Tried are the scores of the method's trials, [batch, trials, classes]; nil for
	// a method without.
	Tried *Node

	network
	layers  []*Node // the activations after each layer of a Layered network, else nil
	score   *Node
	choice  *Node // v, [batch, classes]: y = Σ_c v_c y_c, or of the probabilities
	only    *int  // the class, where y is one class's score and the same class for all images; else nil
	form    form
	keep    int     // how many channels trials may mask; 0 is all
	samples int     // how many copies of an image to average over; 0 is the method's own number
	linear  *linear // nil until a method asks for it; shared by the classes
	marks   *Node   // int32 [batch], the sum of the outcomes that the equation found; nil for none
	needed  []*Node // [batch, ...], what must be finite beside the activations, the scores and the map
}

// network is a network in a graph.
type network struct {
	net   Network
	scope *model.Scope
	dtype dtypes.DType    // in which Features computes
	parts *overflow.Parts // notes all that goes through the network; nil but to look for a fault
}

// linear is the head taken as pooling and a linear layer.
type linear struct {
	weights *Node // w, [channels, classes]
	bias    *Node // b, [1, classes]
	maps    *Node // CAM of all classes, [batch, classes, height, width]
	misfit  *Node // [batch], how far it is from being one; see ClassMaps
}

// newForward builds a pass for which nothing is chosen yet to be explained.
func newForward(n network, images *Node) *Pass {
	n.note(images, "")
	act, layers := n.explained(images)
	p := newPass(n, images, act)
	p.layers = layers
	return p
}

// explained is the layer that maps explain, and all layers up to it of a Layered network.
func (n network) explained(images *Node) (act *Node, layers []*Node) {
	orFail(ErrShape, func() {
		if l, ok := n.net.(Layered); ok {
			act, layers = n.throughLayers(l, images)
		} else {
			act = n.features(images)
		}
	}, "images shaped %s: the network takes none such", images.Shape())
	return act, layers
}

// newPass builds a pass of images whose activations are known.
func newPass(n network, images, act *Node) *Pass {
	p := &Pass{Images: images, Act: act, network: n, linear: &linear{}}
	if p.Act.Rank() != 4 {
		panic(fmt.Errorf("cam: network: Features returns %s, want [batch, height, width, channels]", p.Act.Shape()))
	}
	p.Scores = p.Head(p.Act)
	if p.Scores.Rank() != 2 || p.Scores.Shape().Dim(0) != p.Act.Shape().Dim(0) {
		panic(fmt.Errorf("cam: network: Head returns %s, want [batch, classes]", p.Scores.Shape()))
	}
	return p
}

// features is the network's first part, computed in its own type.
func (n network) features(images *Node) *Node {
	return ConvertDType(n.net.Features(n.scope, ConvertDType(images, n.dtype)), images.DType())
}

// Head returns the scores, [batch, classes], of other activations than Act.
func (n network) Head(act *Node) *Node {
	scores := n.net.Head(n.scope, act)
	if n.parts != nil {
		n.parts.Add("the scores of changed activations", scores)
	}
	return scores
}

// Network returns the scores of other images, [n, height, width, channels], as
// [n, classes].
func (n network) Network(images *Node) *Node { return n.Head(n.changed(images)) }

// changed is features of other images than the pass's own.
func (n network) changed(images *Node) *Node {
	n.note(images, overflow.OfCopy)
	return n.features(images)
}

// note notes the parts of the network for images.
func (n network) note(images *Node, suffix string) {
	if n.parts != nil {
		n.parts.Network(n.net, n.scope, ConvertDType(images, n.dtype), suffix)
	}
}

// choose sets what is explained: class and rival of each image, as in [goals].
func (p *Pass) choose(classes, rivals *Node) {
	oneHot := func(index *Node) *Node { return OneHot(index, p.classes(), p.Scores.DType()) } // zeros for noRival
	p.explain(Sub(oneHot(classes), oneHot(rivals)))
}

// explain sets what is explained: the pass's form of v, [batch, classes].
func (p *Pass) explain(v *Node) {
	if p.form.negated {
		v = Neg(v)
	}
	if p.form.quantity == centred {
		v = Sub(v, ReduceAndKeep(v, ReduceMean, -1))
	}
	p.combine(v)
}

// combine sets v itself, whatever the form.
func (p *Pass) combine(v *Node) {
	p.choice, p.only = v, nil
	p.score = Squeeze(p.Value(InsertAxes(p.Scores, 1)), 1)
	if p.form.quantity == probability || p.form.quantity == function {
		v = Gradient(ReduceAllSum(p.score), p.Scores)[0]
	}
	p.Coefficients = StopGradient(v)
}

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
		scores = Softmax(scores, -1)
	}
	return ReduceSum(Mul(scores, InsertAxes(p.choice, 1)), -1)
}

// ofClass is the same pass for other classes, int32 [batch].
func (p *Pass) ofClass(class *Node) *Pass {
	q := *p
	q.marks, q.needed = nil, nil
	q.explain(OneHot(class, p.classes(), p.Scores.DType()))
	return &q
}

// highest returns the places of the k highest values in each row, int32 [batch] each,
// the highest first, of equals the first.
func highest(values *Node, k int) (places []*Node) {
	for range k {
		best := ArgMax(values, -1, dtypes.Int32)
		places = append(places, best)
		taken := OneHot(best, values.Shape().Dim(-1), dtypes.Bool)
		values = Where(taken, Infinity(values.Graph(), values.DType(), -1), values)
	}
	return places
}

func (p *Pass) classes() int { return p.Scores.Shape().Dim(1) }

// Channels is the number of channels of Act.
func (p *Pass) Channels() int { return p.Act.Shape().Dim(-1) }

// places is Z, the number of places of Act.
func (p *Pass) places() float64 { return float64(p.Act.Shape().Dim(1) * p.Act.Shape().Dim(2)) }

// Score returns what is explained of each image, [batch]: y, a class's score, or
// what else the [Target] makes of the scores.
func (p *Pass) Score() *Node { return p.score }

// Grad returns ∂y/∂A, the gradient of [Pass.Score] with respect to Act and of
// its shape. One image's score must not depend on another image.
func (p *Pass) Grad() *Node { return Gradient(ReduceAllSum(p.Score()), p.Act)[0] }

// ImageGrad returns ∂y/∂x at other images than the pass's own, [batch, n, height,
// width, channels], n for each of them, and of that shape.
func (p *Pass) ImageGrad(images *Node) *Node {
	scores := ofEach(images, p.Network)
	p.need(scores)
	return Gradient(ReduceAllSum(p.Value(scores)), images)[0]
}

// need has the explainer fail with [ErrNotFinite] where x, [batch, ...], is not
// finite. It is for what a map hides that, as gradients do of the forward pass: a
// ReLU's is 0 where NaN came in.
func (p *Pass) need(x *Node) { p.needed = append(p.needed, x) }

// mark notes an outcome of the images where it holds, bool [batch].
func (p *Pass) mark(o Outcome, where *Node) {
	m := MulScalar(ConvertDType(where, dtypes.Int32), float64(o))
	if p.marks != nil {
		m = Add(p.marks, m)
	}
	p.marks = m
}

// ofEach builds f on every image of x, [batch, n, ...], as on one batch, and
// returns what it makes of them, [batch, n, ...].
func ofEach(x *Node, f func(x *Node) *Node) *Node {
	d := x.Shape().Dimensions
	y := f(Reshape(x, append([]int{d[0] * d[1]}, d[2:]...)...))
	return Reshape(y, append([]int{d[0], d[1]}, y.Shape().Dimensions[1:]...)...)
}

// ClassMaps returns [CAM] of all classes, [batch, classes, height, width],
// and has the explainer fail with [ErrHead] if the head is not global average
// pooling and a linear layer.
//
// The head's weights are the gradient of the scores at activations of zero on
// a grid of one place,
//
//	w_kc = ∂y_c/∂A_k,   b_c = y_c(0),
//
// so any network that ends this way will do. That it does is checked with the
// images at hand: mean_ij M_c + b_c must be y_c.
func (p *Pass) ClassMaps() *Node {
	l := p.head()
	if l.maps == nil {
		l.maps = CAM(p.Act, l.weights)
	}
	return l.maps
}

// classMap is [CAM] of the explained score, Σ_c v_c M_c.
func (p *Pass) classMap() *Node {
	if p.only != nil {
		return Squeeze(Slice(p.ClassMaps(), AxisRange(), AxisElem(*p.only)), 1)
	}
	return ReduceSum(Mul(p.ClassMaps(), InsertAxes(p.Coefficients, -1, -1)), 1)
}

// Weights returns ∂y/∂F_k = Σ_c v_c w_kc, [batch, channels], of a head that is
// pooling and a linear layer: what the gradient of y is, times Z, at every place.
// It fails as [Pass.ClassMaps] does.
func (p *Pass) Weights() *Node { return Einsum("bc,kc->bk", p.Coefficients, p.head().weights) }

// bias returns the part of the score that no place contributes, Σ_c v_c b_c.
func (p *Pass) bias() *Node { return ReduceSum(Mul(p.Coefficients, p.head().bias), -1) }

func (p *Pass) head() *linear {
	l := p.linear
	if l.weights != nil {
		return l
	}
	orFail(ErrHead, func() {
		// Class c's gradient is taken in row c of a batch of as many as there are classes.
		g, classes, channels := p.Act.Graph(), p.classes(), p.Channels()
		zero := Zeros(g, shapes.Make(p.Act.DType(), classes, 1, 1, channels))
		y := p.net.Head(p.scope, zero)
		own := ReduceAllSum(Mul(y, DiagonalWithValue(ScalarOne(g, y.DType()), classes)))
		l.weights = Transpose(Reshape(Gradient(own, zero)[0], classes, channels), 0, 1)
		l.bias = Slice(y, AxisElem(0))
		l.misfit = misfit(p, l)
	}, "%s", wantLinear)
	return l
}

// wantLinear is what a caller can do about ErrHead.
const wantLinear = "want a network that ends in global average pooling and a linear layer; gradcam takes any"

// misfit returns, for each image, the largest |mean_ij M_c + b_c − y_c| of all
// classes, relative to the size of what is added up there, mean_ij Σ_k |w_kc
// A_k| + |b_c|. Rounding leaves it near 1e-6. The means are taken of the
// activations, mean_ij M_c = Σ_k w_kc mean_ij A_k, which is less to compile.
func misfit(p *Pass, l *linear) *Node {
	residual := Sub(Add(MatMul(ReduceMean(p.Act, 1, 2), l.weights), l.bias), p.Scores)
	size := Add(MatMul(p.size(), Abs(l.weights)), Abs(l.bias))
	tiny := ConstAs(size, 1e-30) // all may be zero
	relative := quotient(Abs(residual), Add(size, tiny))
	return Add(ReduceMax(relative, 1), ReduceSum(Sub(relative, relative), 1)) // ReduceMax loses a NaN under XLA on a CPU
}

// size is mean_ij |A_k|, [batch, channels].
func (p *Pass) size() *Node { return ReduceMean(Abs(p.Act), 1, 2) }

// orFail runs f and turns its panic into one with an error of a kind.
func orFail(kind error, f func(), format string, args ...any) {
	defer func() {
		if r := recover(); r != nil {
			panic(fail(kind, format+": %v", append(args, r)...))
		}
	}()
	f()
}
