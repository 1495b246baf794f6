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
	weights *Node // w, [channels, classes]
	bias    *Node // b, [1, classes]
	maps    *Node // CAM of all classes, [batch, classes, height, width]
	misfit  *Node // [batch], how far it is from being one
	atZero  *Node // y_c where the activations are 0, [batch, classes]
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
func (p *Pass) Weights() *Node { return Einsum("bc,kc->bk", p.Coefficients, p.head().weights) }

// Bias returns the part of the score that no place contributes, Σ_c v_c b_c, [batch].
// It fails as [Pass.ClassMaps] does.
func (p *Pass) Bias() *Node { return ReduceSum(Mul(p.Coefficients, p.head().bias), -1) }

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
		l.misfit = worst(residual, Add(Abs(p.Scores), Abs(l.atZero)))
	}
	return ReduceSum(Mul(p.Coefficients, l.atZero), -1)
}

// classMap is [CAM] of the explained score, Σ_c v_c M_c.
func (p *Pass) classMap() *Node {
	if p.only != nil {
		return Squeeze(Slice(p.ClassMaps(), AxisRange(), AxisElem(*p.only)), 1)
	}
	return ReduceSum(Mul(p.ClassMaps(), InsertAxes(p.Coefficients, -1, -1)), 1)
}

// meanCAM is CAM of the explained score over Z, what the gradient methods come to
// for a linear head, in whose gradient w_k/Z no place differs from another.
func (p *Pass) meanCAM() *Node {
	if p.only != nil {
		return DivScalar(p.classMap(), p.Places())
	}
	return DivScalar(WeightedSum(p.Act, p.Weights()), p.Places())
}

func (p *Pass) head() *linear {
	l := p.linear
	if l.weights != nil {
		return l
	}
	if len(p.beside) > 0 {
		panic(fail(ErrHead, "layer %q, which others pass beside: %s", p.net.ExplainedLayer(), wantLinear))
	}
	orFail(ErrHead, func() {
		// Class c's gradient is taken in row c of a batch of as many as there are classes.
		g, classes, channels := p.Act.Graph(), p.Classes(), p.Channels()
		zero := Zeros(g, shapes.Make(p.Act.DType(), classes, 1, 1, channels))
		y := p.net.Scores(p.scope, zero, nil)
		own := ReduceAllSum(Mul(y, DiagonalWithValue(ScalarOne(g, y.DType()), classes)))
		l.weights = Transpose(Reshape(Gradient(own, zero)[0], classes, channels), 0, 1)
		l.bias = Slice(y, AxisElem(0))
		l.misfit = misfit(p, l)
	}, "what follows layer %q does not pool its places: %s; tried on one place", p.net.ExplainedLayer(), wantLinear)
	return l
}

// misfit returns, for each image, the largest |mean_ij M_c + b_c − y_c| of all
// classes, relative to the size of what is added up there, mean_ij Σ_k |w_kc
// A_k| + |b_c|. Rounding leaves it near 1e-6. The means are taken of the
// activations, mean_ij M_c = Σ_k w_kc mean_ij A_k, which is less to compile.
func misfit(p *Pass, l *linear) *Node {
	residual := Sub(Add(MatMul(ReduceMean(p.Act, 1, 2), l.weights), l.bias), p.Scores)
	size := Add(MatMul(p.size(), Abs(l.weights)), Abs(l.bias))
	return worst(residual, size)
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
			return exec.Outputs{"misfit": p.head().misfit}
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

// drawActivations returns random activations of the explained layer's shape for images of
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
	const n = 4
	rng := rand.New(rand.NewPCG(7, 0x63616d))
	values := make([]float32, n*shapes.Make(dtypes.Float32, dims...).Size())
	for i := range values {
		values[i] = float32(rng.NormFloat64())
		if relu {
			values[i] = float32(math.Max(0, float64(values[i])))
		}
	}
	dims[0] = n
	return tensors.FromFlatDataAndDimensions(values, dims...), nil
}
