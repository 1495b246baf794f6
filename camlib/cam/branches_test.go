package cam_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/network"
)

// residual is a toy whose second layer is a branch that its input passes beside, until
// the head of the same name adds the two.
func residual() *toy {
	t := newToy()
	branch := func(scope *model.Scope, x *Node) *Node { return pointwise(scope, "deep", x) }
	t.Layers = []network.Layer{
		t.Layers[0],
		{Name: "branch", BuildBeside: func(scope *model.Scope, x *Node, beside []*Node) (*Node, []*Node) {
			return branch(scope, x), append(slices.Clone(beside), x)
		}},
		{Name: "sum", BuildBeside: func(_ *model.Scope, x *Node, beside []*Node) (*Node, []*Node) {
			last := len(beside) - 1
			return Mul(x, Add(x, beside[last])), beside[:last] // not linear in the branch
		}},
	}
	return t
}

// TestBranches is a layer that something passes beside: gradients and changed activations
// are those of the branch alone, and what passes beside each is its own image's.
func TestBranches(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		const class, n = 2, 3
		x := picture(n, 4, 6)
		net := residual()
		e := explainer(t, b, at(t, net.Network, "branch"), cam.Options{})
		// By hand: the branch's activations and the gradient of the score, for images one at a time.
		var act, grad, ablated, doubled []float32
		for i := range n {
			own := x.Part(i, i+1)
			out, err := model.CallOnceN(b, net.Store, func(scope *model.Scope, x *Node) (act, grad, scores *Node) {
				stem := net.point(scope, x)
				act = pointwise(scope, "deep", stem)
				score := func(act *Node) *Node {
					return Slice(net.scores(scope, Mul(act, Add(act, stem))), AxisRange(), AxisElem(class))
				}
				grad = Gradient(ReduceAllSum(score(act)), act)[0]
				var without []*Node
				for k := range toyChannels {
					keep := make([]float32, toyChannels)
					for c := range keep {
						if c != k {
							keep[c] = 1
						}
					}
					without = append(without, Reshape(score(Mul(act, Reshape(Const(x.Graph(), keep), 1, 1, 1, -1))), 1))
				}
				of := func(act *Node) *Node { return Reshape(score(act), 1) }
				return act, grad, Concatenate([]*Node{Div(Sub(of(act), Concatenate(without, 0)), of(act)), of(MulScalar(act, 2))}, 0)
			}, tensors.FromFlatDataAndDimensions(own.Pixels, 1, 4, 6, 3))
			if err != nil {
				t.Fatal(err)
			}
			act = append(act, tensors.MustCopyFlatData[float32](out[0])...)
			grad = append(grad, tensors.MustCopyFlatData[float32](out[1])...)
			scores := tensors.MustCopyFlatData[float32](out[2])
			ablated, doubled = append(ablated, scores[:toyChannels]...), append(doubled, scores[toyChannels])
		}
		const places = 4 * 6
		hires, grads, ablation := make([]float32, n*places), make([]float32, n*places), make([]float32, n*places)
		for i := range n {
			for k := range toyChannels {
				mean := float32(0)
				for p := range places {
					mean += grad[(i*places+p)*toyChannels+k] / places
				}
				for p := range places {
					a := act[(i*places+p)*toyChannels+k]
					hires[i*places+p] += a * grad[(i*places+p)*toyChannels+k]
					grads[i*places+p] += a * mean
					ablation[i*places+p] += a * ablated[i*toyChannels+k]
				}
			}
		}
		for _, m := range [][]float32{grads, ablation} {
			for i := range m {
				m[i] = max(m[i], 0)
			}
		}
		near(t, "hirescam", explain(t, e, cam.HiResCAM{}, x, cam.Class(class)).Maps, hires, 1e-5)
		near(t, "gradcam", explain(t, e, cam.GradCAM{}, x, cam.Class(class)).Maps, grads, 1e-5)
		near(t, "ablationcam", explain(t, e, cam.AblationCAM{}, x, cam.Class(class)).Maps, ablation, 1e-4)

		// What passes beside changed activations is their image's, beside changed images theirs.
		changed := explain(t, e, of(cam.Spec{Name: "changed", Unit: "score", Map: func(p *cam.Pass) *Node {
			twice := cam.OfEach(Stack([]*Node{p.Act, MulScalar(p.Act, 2)}, 1), p.Head)
			return Concatenate([]*Node{twice, InsertAxes(p.Network(MulScalar(p.Images, 0.5)), 1)}, 1)
		}}), x, cam.Class(class))
		half := x
		half.Pixels = slices.Clone(x.Pixels)
		for i := range half.Pixels {
			half.Pixels[i] /= 2
		}
		dim := explain(t, e, cam.GradCAM{}, half, cam.Class(class))
		for i := range n {
			rows, scores := changed.Map(i, class).Values, changed.Scores[i*toyClasses:(i+1)*toyClasses]
			near(t, "own activations", rows[:toyClasses], scores, 1e-6)
			near(t, "doubled activations", rows[toyClasses:][class:class+1], doubled[i:i+1], 1e-5)
			near(t, "half the image", rows[2*toyClasses:], dim.Scores[i*toyClasses:(i+1)*toyClasses], 1e-5)
		}
		if _, err := e.Explain(t.Context(), cam.CAM{}, x, cam.Class(class)); !errors.Is(err, cam.ErrHead) {
			t.Errorf("CAM of a branch: error %v, want of kind %q", err, cam.ErrHead)
		}
		// After the branch the head is pooling and a linear layer again.
		closed := explain(t, explainer(t, b, net.Network, cam.Options{}), cam.CAM{}, x, cam.Class(class)).Maps
		general := explain(t, explainer(t, b, net.Network, cam.Options{General: true}), cam.HiResCAM{}, x, cam.Class(class)).Maps
		for i := range general {
			general[i] *= places
		}
		near(t, "CAM after the branch", closed, general, 1e-5)
	})
}

// TestFullGradOfAHeadWithBranches: what passes beside the last layer goes into the sum, the
// head's bias does not.
func TestFullGradOfAHeadWithBranches(t *testing.T) {
	net := residual()
	net.Layers = net.Layers[:2]
	net.Layers[1].Bias = bias("deep_bias")
	net.Head = nil
	net.HeadBeside = func(scope *model.Scope, act *Node, beside []*Node) *Node {
		return net.scores(scope, Add(act, MulScalar(beside[0], 3)))
	}
	r := explain(t, explainer(t, backendOf(t, pureGo), net.Network, cam.Options{}), method(t, "fullgrad"), picture(3, 4, 6), cam.All)
	b, err := net.Values("bias")
	if err != nil {
		t.Fatal(err)
	}
	var sums []float32
	for i := range r.Score {
		sum := b[i%toyClasses]
		for _, v := range r.At(i).Values {
			sum += v
		}
		sums = append(sums, sum)
	}
	near(t, "sum and bias", sums, r.Score, 1e-5)
	near(t, "residuals", r.Residual, make([]float32, len(r.Score)), 1e-5)
}
