package cam

import (
	"errors"
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/exec"
)

// headTolerance is how far a head may be from pooling and a linear layer, as
// [linear.misfit] has it: a hundred times the rounding error of float32, a hundredth of
// any real difference.
const headTolerance = 1e-4

// wantLinear is what a caller can do about ErrHead.
const wantLinear = "want a network that ends in global average pooling and a linear layer; gradcam takes any"

// linear is the head taken as pooling and a linear layer.
type linear struct {
	weights *Node   // w, [channels, classes]
	bias    *Node   // b, [1, classes]
	maps    *Node   // CAM of all classes, [batch, classes, height, width]
	atZero  *Node   // y_c where the activations are 0, [batch, classes]
	misfits []*Node // [batch] each, how far it is from being one
}

// misfit is the largest of the misfits, [batch]; nil where nothing takes the head as linear.
func (l *linear) misfit() *Node {
	switch len(l.misfits) {
	case 0:
		return nil
	case 1:
		return l.misfits[0]
	}
	all := Stack(l.misfits, 1)
	return worst(all, OnesLike(all))
}

// explained is the linear head of what is explained of each image.
type explained struct {
	weights *Node // Σ_c v_c w_kc, [batch, channels]
	bias    *Node // Σ_c v_c b_c, [batch]
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
		l.maps = CAM{}.Equation(p.Act, l.weights)
	}
	return l.maps
}

// Weights returns ∂y/∂F_k = Σ_c v_c w_kc, [batch, channels], of a head that is
// pooling and a linear layer: what the gradient of y is, times Z, at every place.
// It fails as [Pass.ClassMaps] does.
func (p *Pass) Weights() *Node { return p.ownHead().weights }

// Bias returns the part of the score that no place contributes, Σ_c v_c b_c, [batch].
// It fails as [Pass.ClassMaps] does.
func (p *Pass) Bias() *Node { return p.ownHead().bias }

// biasOfAny returns [Pass.Bias] of any head that is linear in the activations but for a
// bias, such as that of a network that is blind in a region: Σ_c v_c y_c(0), [batch]. It
// has the explainer fail with [ErrHead] if the head is not: y_c(A) + y_c(0) must be
// 2 y_c(A/2), and half the activations round as the whole ones do.
func (p *Pass) biasOfAny() *Node {
	l := p.linear
	if l.atZero == nil {
		l.atZero = p.scoresOf(ZerosLike)
		half := p.scoresOf(func(x *Node) *Node { return DivScalar(x, 2) })
		residual := Sub(Add(p.Scores, l.atZero), MulScalar(half, 2))
		l.misfits = append(l.misfits, worst(residual, Add(Abs(p.Scores), Abs(l.atZero))))
	}
	return ReduceSum(Mul(p.Coefficients, l.atZero), -1)
}

// classMap is [CAM] of the explained score, Σ_c v_c M_c.
func (p *Pass) classMap() *Node {
	if p.only != nil {
		return Squeeze(Slice(p.ClassMaps(), AxisRange(), AxisElem(*p.only)), 1)
	}
	return WeightedSum(p.Act, p.Weights())
}

// meanCAM is CAM of the explained score over Z, what the gradient methods come to
// for a linear head, in whose gradient w_k/Z no place differs from another.
func (p *Pass) meanCAM() *Node {
	return DivScalar(p.classMap(), p.Places())
}

// head is the head of all classes. It is held to the scores: for each image the largest
// |mean_ij M_c + b_c − y_c| of all classes, relative to the size of what is added up there,
// mean_ij Σ_k |w_kc A_k| + |b_c|, is noted. Rounding leaves it near 1e-6. The means are taken
// of the activations, mean_ij M_c = Σ_k w_kc mean_ij A_k, which is less to compile.
func (p *Pass) head() *linear {
	l := p.linear
	if l.weights != nil {
		return l
	}
	p.onePlace(p.Classes(), func(zero, y *Node) {
		// Class c's gradient is taken in row c of a batch of as many as there are classes.
		classes := p.Classes()
		own := ReduceAllSum(Mul(y, DiagonalWithValue(ScalarOne(y.Graph(), y.DType()), classes)))
		l.weights = Transpose(Reshape(Gradient(own, zero)[0], classes, p.Channels()), 0, 1)
		l.bias = Slice(y, AxisElem(0))
		residual := Sub(Add(MatMul(ReduceMean(p.Act, 1, 2), l.weights), l.bias), p.Scores)
		l.misfits = append(l.misfits, worst(residual, Add(MatMul(p.size(), Abs(l.weights)), Abs(l.bias))))
	})
	return l
}

// ownHead is the head of what is explained: one gradient for each image where [Pass.head] has
// one for each class, of which there may be a thousand. It is held to the scores as that is.
// In the size of what is added up, the gradient of Σ_c |v_c| y_c is beside that of Σ_c v_c y_c,
// so that a contrast of two classes that are nearly alike is not held to their difference.
func (p *Pass) ownHead() *explained {
	if p.own != nil {
		return p.own
	}
	v := p.Coefficients
	if w := p.linear.weights; w != nil {
		p.own = &explained{Einsum("bc,kc->bk", v, w), ReduceSum(Mul(v, p.linear.bias), -1)}
		return p.own
	}
	p.onePlace(v.Shape().Dim(0), func(zero, y *Node) {
		of := func(v *Node) (weights, bias *Node) {
			bias = ReduceSum(Mul(v, y), -1)
			return Squeeze(Gradient(ReduceAllSum(bias), zero)[0], 1, 2), bias
		}
		weights, bias := of(v)
		whole, offset := of(Abs(v))
		sum := func(x, w *Node) *Node { return ReduceSum(Mul(x, w), -1) }
		residual := Sub(Add(sum(ReduceMean(p.Act, 1, 2), weights), bias), sum(p.Scores, v))
		size := Add(sum(p.size(), Max(Abs(weights), Abs(whole))), Max(Abs(bias), Abs(offset)))
		p.linear.misfits = append(p.linear.misfits, worst(InsertAxes(residual, 1), InsertAxes(size, 1)))
		p.own = &explained{weights, bias}
	})
	return p.own
}

// onePlace hands on the scores y of so many activations of zero on a grid of one place.
func (p *Pass) onePlace(rows int, use func(zero, y *Node)) {
	if len(p.beside) > 0 {
		panic(fail(ErrHead, "layer %q, which others pass beside: %s", p.net.ExplainedLayer(), wantLinear))
	}
	orFail(ErrHead, func() {
		zero := Zeros(p.Act.Graph(), shapes.Make(p.Act.DType(), rows, 1, 1, p.Channels()))
		use(zero, p.net.Scores(p.scope, zero, nil))
	}, "what follows layer %q does not pool its places: %s; tried on one place", p.net.ExplainedLayer(), wantLinear)
}

// scoresOf returns the scores of changed activations, and of what passes beside them changed
// alike.
func (p *Pass) scoresOf(change func(*Node) *Node) *Node {
	n := p.chain
	n.beside = nil
	for _, b := range p.beside {
		n.beside = append(n.beside, change(b))
	}
	return n.Head(change(p.Act))
}

// worst is the largest of a row's residuals, relative to their sizes, [batch].
func worst(residual, size *Node) *Node {
	tiny := ConstAs(size, 1e-30) // all may be zero
	relative := quotient(Abs(residual), Add(size, tiny))
	return Add(ReduceMax(relative, 1), ReduceSum(Sub(relative, relative), 1)) // ReduceMax loses a NaN under XLA on a CPU
}

// closed reports whether the head has been taken as linear.
func (p *Pass) closed() bool { return p.linear.weights != nil || p.own != nil }

// size is mean_ij |A_k|, [batch, channels].
func (p *Pass) size() *Node { return ReduceMean(Abs(p.Act), 1, 2) }

// mayClose reports whether the head can be pooling and a linear layer, for images of a
// size, so that closed forms may hold: whether it is one on random activations, so
// that what it makes of images does not matter. That is found once for each size.
func (e *Explainer) mayClose(size images.Size) (bool, error) {
	return e.heads.Get(size, func() (bool, error) {
		act, err := e.drawActivations(size)
		if act == nil || err != nil {
			return false, err
		}
		g, err := exec.New(e.backend, e.net.Store, func(scope *model.Scope, in []*Node) exec.Outputs {
			p := newPass(chain{net: e.net, scope: scope, dtype: dtypes.Float32}, nil, in[0])
			rng := rand.New(rand.NewPCG(8, 0x63616d))
			v := make([]float32, p.Scores.Shape().Size())
			for i := range v {
				v[i] = float32(rng.NormFloat64())
			}
			p.combine(Reshape(Const(in[0].Graph(), v), p.Scores.Shape().Dimensions...))
			p.ownHead()   // whether a sum of all classes is one
			p.biasOfAny() // and each of them linear
			return exec.Outputs{"misfit": p.linear.misfit()}
		})
		if err != nil {
			return false, err
		}
		defer g.Finalize()
		out, err := g.Call(act)
		var misfits []float32
		if err == nil {
			err = out.Read(map[string]any{"misfit": &misfits})
		}
		if errors.Is(err, ErrHead) { // it takes no grid of one place
			return false, nil
		}
		for _, m := range misfits {
			if m > headTolerance { // not a NaN: that is for the image at hand to tell
				return false, nil
			}
		}
		return err == nil, err
	})
}

// drawActivations returns random activations of the explained layer's shape for an image of
// a size, never negative where the layer ends in a ReLU; nil where values pass beside them.
// The layers are built, not compiled.
func (e *Explainer) drawActivations(size images.Size) (t *tensors.Tensor, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fail(ErrShape, "images of %s: the network takes none such: %v", size, r)
		}
	}()
	g := NewGraph(e.backend, "shape of the activations")
	defer g.Finalize()
	x := Parameter(g, "x", shapes.Make(e.opts.Type, 1, size.Height, size.Width, size.Channels))
	act, beside := e.net.Features(e.net.Store.RootScope(), x)
	if len(beside) > 0 {
		return nil, nil
	}
	dims := act.Shape().Dimensions
	relu := e.net.Layers[e.net.Explained()].Bias != nil
	rng := rand.New(rand.NewPCG(7, 0x63616d))
	values := make([]float32, act.Shape().Size())
	for i := range values {
		values[i] = float32(rng.NormFloat64())
		if relu {
			values[i] = float32(math.Max(0, float64(values[i])))
		}
	}
	return tensors.FromFlatDataAndDimensions(values, dims...), nil
}
