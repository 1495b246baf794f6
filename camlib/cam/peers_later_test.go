package cam_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
)

// centered takes each channel's mean over the places off, as pytorch-grad-cam does
// before it decomposes; Eigen-CAM's paper does not.
func centered(a *Node) *Node { return Sub(a, ReduceAndKeep(a, ReduceMean, 1, 2)) }

// TestLaterMethodsOfThePeers compares where the peers' settings are ours, or ours can be
// set to theirs.
func TestLaterMethodsOfThePeers(t *testing.T) {
	const differences = 1e-4 // of nearly equal scores or probabilities
	onEach(t, func(t *testing.T, b compute.Backend) {
		for _, name := range []string{"linear", "relu", "tanh", "flat", "signed"} {
			p, e := peers(t), explainer(t, b, newPeerNet(t, name).Network, cam.Options{}) // captum's steps of the integral
			for _, row := range []struct {
				method      cam.Method
				theirs      string
				probability bool // whether it is that of the class which is explained
				sign        bool // whether theirs is arbitrary
				tolerance   float64
			}{
				{method: method(t, "finercam"), theirs: "tc.finercam"},
				{method: method(t, "shapleycam"), theirs: "pgc.shapleycam"},
				{method: method(t, "shapleycam"), theirs: "pgc.shapleycam.probability", probability: true, tolerance: differences},
				{method: method(t, "occlusion"), theirs: "captum.occlusion", tolerance: differences},
				{
					method: of(cam.Spec{
						Name: "centered eigencam", Signed: true,
						Map: func(p *cam.Pass) *Node { return cam.EigenCAM{}.Equation(centered(p.Act)) },
					}),
					theirs: "pgc.eigencam", sign: true,
				},
				{
					method: of(cam.Spec{
						Name: "centered eigengradcam", Signed: true,
						Map: func(p *cam.Pass) *Node { return cam.EigenCAM{}.Equation(centered(Mul(p.Grad(), p.Act))) },
					}),
					theirs: "pgc.eigengradcam", sign: true,
				},
				{method: method(t, "integratedgradients"), theirs: "captum.integratedgradients", tolerance: differences},
			} {
				theirs, ok := p.values[name+"/"+row.theirs]
				if !ok || isPureGo(b) == (row.theirs == "captum.integratedgradients") {
					continue // pixels of two networks only; the gradient of the pool there is XLA's, the rest compiles nothing
				}
				if len(p.Arrays[name+"/"+row.theirs].Shape) == 4 {
					theirs = sumOfColors(theirs)
				}
				target := p.target()
				if row.probability {
					target = target.Probability()
				}
				ours := explain(t, e, row.method, p.images(t), target)
				size := ours.Height * ours.Width
				for i, c := range p.Classes {
					want := theirs[i*size : (i+1)*size]
					if !row.method.Spec().Signed {
						want = positivePart(want)
					}
					d := distance(t, ours.Map(i, c).Values, want)
					if row.sign {
						d = min(d, distance(t, ours.Map(i, c).Values, negative(want)))
					}
					t.Logf("%-7s %-22s %-28s image %d: %.1e", name, row.method.Spec().Name, row.theirs, i, d)
					if d > max(row.tolerance, rounding) {
						t.Errorf("%s: %s: image %d: off by %.2g", name, row.method.Spec().Name, i, d)
					}
				}
			}
		}
	})
}

// sumOfColors makes maps of [..., 3].
func sumOfColors(v []float32) []float32 {
	sum := make([]float32, len(v)/3)
	for i := range v {
		sum[i/3] += v[i]
	}
	return sum
}

func negative(m []float32) []float32 {
	m = slices.Clone(m)
	for i := range m {
		m[i] = -m[i]
	}
	return m
}

// TestShapleyCAMOfTheirUtility is ShapleyCAM of what its paper explains, y_c + log P_c.
func TestShapleyCAMOfTheirUtility(t *testing.T) {
	p, x := peers(t), peers(t).images(t)
	for _, name := range []string{"linear", "tanh", "signed"} {
		e := explainer(t, backendOf(t, pureGo), newPeerNet(t, name).Network, cam.Options{})
		for i, c := range p.Classes {
			one := x
			one.N, one.Pixels = 1, x.Pixels[i*12*16*3:(i+1)*12*16*3]
			utility := cam.Func(func(y *Node) *Node {
				own := make([]float64, 5)
				own[c] = 1
				return ReduceSum(Mul(Add(y, LogSoftmax(y)), ConstAs(y, [][]float64{own})), -1)
			})
			got := explain(t, e, method(t, "shapleycam"), one, utility).Maps
			near(t, fmt.Sprintf("%s: image %d", name, i), got, positivePart(p.array(t, name+"/pgc.shapleycam.rest")[i*48:(i+1)*48]), 1e-4)
		}
	}
}

// TestSmoothGradCAMPlusPlusOfTorchcam shows by its own noise what torchcam 0.5.0 computes:
// the ReLU is of the last noisy image's gradient, not of the mean, the map is of that
// image's activations, and the denominator has Σ A g³ for g³ Σ A.
func TestSmoothGradCAMPlusPlusOfTorchcam(t *testing.T) {
	p, net := peers(t), newPeerNet(t, "flat/first")
	images := tensors.FromFlatDataAndDimensions(slices.Clone(p.array(t, "flat/first/tc.smoothgradcam++.images")), 3, 4, 12, 16, 3)
	clean := tensors.FromFlatDataAndDimensions(slices.Clone(p.array(t, "images")), 3, 12, 16, 3)
	exec, err := model.NewExec(backendOf(t, xlaCPU), net.Store, func(scope *model.Scope, in []*Node) []*Node {
		acts, _ := net.Features(scope, Reshape(in[0], 12, 12, 16, 3))
		y := net.Scores(scope, acts, nil)
		own := OneHot(Const(in[0].Graph(), []int32{2, 2, 2, 2, 4, 4, 4, 4, 1, 1, 1, 1}), 5, y.DType())
		grads := Reshape(Gradient(ReduceAllSum(Mul(y, own)), acts)[0], 3, 4, 12, 16, 6)
		act, _ := net.Features(scope, in[1])
		last := func(x *Node) *Node { return Squeeze(Slice(x, AxisRange(), AxisElem(3)), 1) }
		square := Mul(grads, grads)
		d2, d3 := ReduceMean(square, 1), ReduceMean(Mul(square, grads), 1)
		den := AddScalar(Add(MulScalar(d2, 2), ReduceAndKeep(Mul(d3, act), ReduceSum, 1, 2)), 1e-8)
		w := ReduceSum(Mul(Div(d2, den), rectify(last(grads))), 1, 2)
		theirs := rectify(Einsum("bhwk,bk->bhw", last(Reshape(acts, 3, 4, 12, 16, 6)), w))
		return []*Node{theirs, cam.SmoothGradCAMPlusPlus{}.Equation(act, grads)}
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(images, clean)
	if err != nil {
		t.Fatal(err)
	}
	wrong, right := tensors.MustCopyFlatData[float32](out[0]), tensors.MustCopyFlatData[float32](out[1])
	near(t, "torchcam's formula", wrong, p.array(t, "flat/first/tc.smoothgradcam++"), 1e-4)
	for i := range 3 {
		if d := distance(t, shown(wrong[i*192:(i+1)*192]), shown(right[i*192:(i+1)*192])); d < 0.3 {
			t.Errorf("image %d: what is shown differs by %.2g, want 0.3 or more", i, d)
		}
	}
}

// TestOfTwoLayers is RefineCAM and LayerCAM's fusion of torchcam's own maps.
func TestOfTwoLayers(t *testing.T) {
	p := peers(t)
	first := tensors.FromFlatDataAndDimensions(slices.Clone(p.array(t, "flat/first/tc.layercam")), 3, 12, 16)
	second := tensors.FromFlatDataAndDimensions(slices.Clone(p.array(t, "flat/tc.layercam")), 3, 6, 8)
	run := func(f func(a, b *Node) *Node) []float32 {
		out, err := ExecOnce(backendOf(t, pureGo), f, first, second)
		if err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[float32](out)
	}
	near(t, "RefineCAM of LayerCAM", run(func(a, b *Node) *Node { return cam.RefineCAM{}.Equation(a, b) }), p.array(t, "flat/tc.refinecam.layercam"), rounding)
	// torchcam's fusion has tanh on the last layer too, and takes the lowest value off.
	scale := func(m *Node) *Node {
		low := ReduceAndKeep(m, ReduceMin, 1, 2)
		return Tanh(MulScalar(Div(Sub(m, low), ReduceAndKeep(Sub(m, low), ReduceMax, 1, 2)), 2))
	}
	theirs := run(func(a, b *Node) *Node { return Max(scale(a), cam.Upsample(scale(b), 12, 16, images.HalfPixel)) })
	near(t, "torchcam's fusion", theirs, p.array(t, "flat/tc.layercam.fused"), rounding)
}

// TestSSCAMOfTorchcam is the map that its own scores make.
func TestSSCAMOfTorchcam(t *testing.T) {
	p := peers(t)
	act := tensors.FromFlatDataAndDimensions(slices.Clone(p.array(t, "linear/act")), 3, 6, 8, 8)
	scores := tensors.FromFlatDataAndDimensions(slices.Clone(p.array(t, "flat/tc.sscam.scores")), 3, 2, 8)
	out, err := ExecOnce(backendOf(t, pureGo), func(a, y *Node) *Node { return cam.ScoreCAM{}.Equation(a, ReduceMean(y, 1)) }, act, scores)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "SS-CAM", tensors.MustCopyFlatData[float32](out), p.array(t, "flat/tc.sscam"), rounding)
}

// TestISCAMOfTorchcam: it adds the factors i/N up.
func TestISCAMOfTorchcam(t *testing.T) {
	toOne := func(m *Node) *Node {
		low, high := ReduceAndKeep(m, ReduceMin, -2, -1), ReduceAndKeep(m, ReduceMax, -2, -1)
		return Div(Sub(m, low), AddScalar(Sub(high, low), 1e-8))
	}
	m := of(cam.Spec{
		Name: "accumulated",
		Map: func(p *cam.Pass) *Node {
			y := p.Value(p.Perturbed)
			return cam.ScoreCAM{}.Equation(p.Act, ReduceMean(Reshape(y, y.Shape().Dim(0), -1, 10), -1))
		},
		Perturbations: &cam.Perturbations{
			Count: func(p *cam.Pass) int { return 10 * p.Channels() },
			Scores: func(p *cam.Pass, which *Node) *Node {
				channel := DivScalar(which, 10)
				step := AddScalar(ConvertDType(Sub(which, MulScalar(channel, 10)), p.Act.DType()), 1)
				factor := DivScalar(Mul(step, AddScalar(step, 1)), 20)
				d := p.Images.Shape().Dimensions
				channels := Einsum("bhwk,nk->bnhw", p.Act, OneHot(channel, p.Channels(), p.Act.DType()))
				masks := Mul(cam.Upsample(toOne(channels), d[1], d[2], images.HalfPixel), InsertAxes(factor, 0, -1, -1))
				masked := Mul(InsertAxes(p.Images, 1), InsertAxes(masks, -1))
				n := masked.Shape().Dim(1)
				return Reshape(p.Network(Reshape(masked, d[0]*n, d[1], d[2], d[3])), d[0], n, -1)
			},
		},
	})
	p := peers(t)
	for _, name := range []string{"linear", "relu", "tanh", "flat", "signed"} {
		e := explainer(t, backendOf(t, pureGo), newPeerNet(t, name).Network, cam.Options{})
		each(t, p, explain(t, e, m, p.images(t), p.target()), name+"/tc.iscam", func(i int, ours, theirs []float32) {
			near(t, fmt.Sprintf("%s: image %d", name, i), ours, theirs, 5e-5)
		})
	}
}
