package cam

import (
	"fmt"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/ml/context"
)

// Network is what maps can be made of: a network split at the layer that they
// explain. *cnn.Model is one. A network that also has a method
// Classes() []string lets its classes be named.
type Network interface {
	// Context returns the GoMLX context that holds the weights.
	Context() *context.Context
	// Features builds the first part, from images x shaped [batch, height,
	// width, channels] to activations of the same rank.
	Features(ctx *context.Context, x *Node) *Node
	// Head builds the rest, from activations to scores (before softmax) shaped
	// [batch, classes].
	Head(ctx *context.Context, act *Node) *Node
}

// Pass is one pass of a batch of images through a network, as a graph: what
// the equation of a [Method] can be written with.
type Pass struct {
	Images *Node // x, [batch, height, width, channels]
	Act    *Node // A, [batch, height, width, channels] of the explained layer
	Scores *Node // y_c, [batch, classes]
	// Coefficients, [batch, classes], are the gradient of [Pass.Score] with respect
	// to Scores. Where that is a score they are 1 for the class, −1 for the rival of
	// a [Contrast], else 0.
	Coefficients *Node
	// Tried are the scores of the method's trials, [batch, trials, classes]; nil for
	// a method without.
	Tried *Node

	score  *Node
	choice *Node // v, [batch, classes]: y = Σ_c v_c y_c, or of the probabilities
	form   form
	net    Network
	ctx    *context.Context
	linear *linear // nil until a method asks for it; shared by the classes
}

// linear is the head taken as pooling and a linear layer.
type linear struct {
	weights *Node // w, [channels, classes]
	bias    *Node // b, [1, classes]
	maps    *Node // CAM of all classes, [batch, classes, height, width]
	misfit  *Node // [batch], how far it is from being one; see ClassMaps
}

// newPass builds the forward pass. classes and rivals are those of [goals].
func newPass(net Network, ctx *context.Context, f form, images, classes, rivals *Node) (p *Pass, predicted *Node) {
	p = newForward(net, ctx, images)
	p.form = f
	predicted = ArgMax(p.Scores, -1, dtypes.Int32)
	chosen := Where(LessThan(classes, ZerosLike(classes)), predicted, classes)
	oneHot := func(index *Node) *Node { return OneHot(index, p.classes(), p.Scores.DType()) } // zeros for noRival
	p.explain(Sub(oneHot(chosen), oneHot(rivals)))
	return p, predicted
}

// newForward is a pass for which no class is chosen.
func newForward(net Network, ctx *context.Context, images *Node) *Pass {
	p := &Pass{Images: images, net: net, ctx: ctx, linear: &linear{}}
	orFail(ErrShape, func() { p.Act = net.Features(ctx, images) }, "images shaped %s: the network takes none such", images.Shape())
	if p.Act.Rank() != 4 {
		panic(fmt.Errorf("cam: network: Features returns %s, want [batch, height, width, channels]", p.Act.Shape()))
	}
	p.Scores = p.Head(p.Act)
	if p.Scores.Rank() != 2 || p.Scores.Shape().Dim(0) != p.Act.Shape().Dim(0) {
		panic(fmt.Errorf("cam: network: Head returns %s, want [batch, classes]", p.Scores.Shape()))
	}
	return p
}

// explain sets what is explained: the pass's form of v, [batch, classes].
func (p *Pass) explain(v *Node) {
	if p.form.negated {
		v = Neg(v)
	}
	if p.form.quantity == centred {
		v = Sub(v, ReduceAndKeep(v, ReduceMean, -1))
	}
	p.choice, p.Coefficients = v, StopGradient(v)
	p.score = Squeeze(p.Value(InsertAxes(p.Scores, 1)), 1)
	if p.form.quantity == probability {
		p.Coefficients = StopGradient(Mul(Softmax(p.Scores, -1), Sub(v, InsertAxes(p.score, -1))))
	}
}

// Value returns what [Pass.Score] is for other scores of the same images: of
// [batch, n, classes] it makes [batch, n].
func (p *Pass) Value(scores *Node) *Node {
	if p.form.quantity == probability {
		scores = Softmax(scores, -1)
	}
	return ReduceSum(Mul(scores, InsertAxes(p.choice, 1)), -1)
}

// channels returns the given channels of Act, int32 [n], as maps [batch, n,
// height, width].
func (p *Pass) channels(which *Node) *Node {
	return Einsum("bhwk,nk->bnhw", p.Act, OneHot(which, p.Channels(), p.Act.DType()))
}

// Channels is the number of channels of Act.
func (p *Pass) Channels() int { return p.Act.Shape().Dim(-1) }

// ofEach builds f on every image of x, [batch, n, ...], as on one batch, and
// returns what it makes of them, [batch, n, classes].
func ofEach(x *Node, f func(x *Node) *Node) *Node {
	d := x.Shape().Dimensions
	return Reshape(f(Reshape(x, append([]int{d[0] * d[1]}, d[2:]...)...)), d[0], d[1], -1)
}

// Network returns the scores of other images, [n, height, width, channels], as
// [n, classes].
func (p *Pass) Network(images *Node) *Node { return p.Head(p.net.Features(p.ctx, images)) }

func (p *Pass) classes() int { return p.Scores.Shape().Dim(1) }

// ofClass is the same pass for one class of all images.
func (p *Pass) ofClass(class int) *Pass {
	q := *p
	v := make([][]float64, p.Scores.Shape().Dim(0))
	for i := range v {
		v[i] = make([]float64, p.classes())
		v[i][class] = 1
	}
	q.explain(ConstAs(p.Scores, v))
	return &q
}

// Head returns the scores, [batch, classes], of other activations than Act.
func (p *Pass) Head(act *Node) *Node { return p.net.Head(p.ctx, act) }

// Score returns what is explained of each image, [batch]: y, a class's score, or
// what else the [Target] makes of the scores.
func (p *Pass) Score() *Node { return p.score }

// Grad returns ∂y/∂A, the gradient of [Pass.Score] with respect to Act and of
// its shape. One image's score must not depend on another image.
func (p *Pass) Grad() *Node { return Gradient(ReduceAllSum(p.Score()), p.Act)[0] }

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
	l := p.linear
	if l.maps != nil {
		return l.maps
	}
	orFail(ErrHead, func() {
		// Class c's gradient is taken in row c of a batch of as many as there are classes.
		g, classes, channels := p.Act.Graph(), p.classes(), p.Act.Shape().Dim(-1)
		zero := Zeros(g, shapes.Make(p.Act.DType(), classes, 1, 1, channels))
		y := p.Head(zero)
		own := ReduceAllSum(Mul(y, DiagonalWithValue(ScalarOne(g, y.DType()), classes)))
		l.weights = Transpose(Reshape(Gradient(own, zero)[0], classes, channels), 0, 1)
		l.maps = CAM(p.Act, l.weights)
		l.bias = Slice(y, AxisElem(0))
		l.misfit = misfit(p, l)
	}, "%s", wantLinear)
	return l.maps
}

// wantLinear is what a caller can do about ErrHead.
const wantLinear = "CAM needs a network that ends in global average pooling and a linear layer; use gradcam for this one"

// misfit returns, for each image, the largest |mean_ij M_c + b_c − y_c| of all
// classes, relative to the size of what is added up there, mean_ij Σ_k |w_kc
// A_k| + |b_c|. Rounding leaves it near 1e-6. The means are taken of the
// activations, mean_ij M_c = Σ_k w_kc mean_ij A_k, which is less to compile.
func misfit(p *Pass, l *linear) *Node {
	residual := Sub(Add(Dot(ReduceMean(p.Act, 1, 2), l.weights), l.bias), p.Scores)
	size := Add(Dot(ReduceMean(Abs(p.Act), 1, 2), Abs(l.weights)), Abs(l.bias))
	tiny := ConstAs(size, 1e-30) // all may be zero
	return ReduceMax(Div(Abs(residual), Add(size, tiny)), 1)
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
