package cam_test

import (
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
)

// signedGradCAM is Grad-CAM before its ReLU as a method.
var signedGradCAM = of(cam.Spec{
	Name: "signedgradcam", Signed: true,
	Map: func(p *cam.Pass) *Node { return cam.GradCAM{}.Signed(p.Act, p.Grad()) },
})

// exact is the rounding of float64 in sums of a few hundred products.
const exact = 1e-12

// layer is a last layer with its head: activations as ReLU leaves them, and
// weights and biases, in float64.
type layer struct{ act, weights, bias *tensors.Tensor }

func drawLayer(t *rapid.T) layer {
	dim := func(name string, largest int) int { return rapid.IntRange(1, largest).Draw(t, name) }
	b, h, w, k, c := dim("batch", 3), dim("height", 5), dim("width", 6), dim("channels", 7), dim("classes", 4)
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	values := func(positive bool, dims ...int) *tensors.Tensor {
		n := 1
		for _, d := range dims {
			n *= d
		}
		v := make([]float64, n)
		for i := range v {
			if v[i] = rng.NormFloat64(); positive && v[i] < 0 {
				v[i] = 0
			}
		}
		return tensors.FromFlatDataAndDimensions(v, dims...)
	}
	return layer{values(true, b, h, w, k), values(false, k, c), values(false, 1, c)}
}

// head is global average pooling and a linear layer.
func head(act, weights, bias *Node) *Node {
	return Add(MatMul(ReduceMean(act, 1, 2), weights), bias)
}

// equalNodes checks that the two results of f, of equal shape, have equal
// values for any layer, on the pure-Go backend, which needs no compilation.
func equalNodes(t *testing.T, f func(act, weights, bias *Node) (got, want *Node)) {
	b := backendOf(t, pureGo)
	rapid.Check(t, func(rt *rapid.T) {
		l := drawLayer(rt)
		out, err := ExecOnce(b, func(act, weights, bias *Node) *Node {
			got, want := f(act, weights, bias)
			got.AssertDims(want.Shape().Dimensions...)
			return Stack([]*Node{got, want}, 0)
		}, l.act, l.weights, l.bias)
		if err != nil {
			rt.Fatal(err)
		}
		both := tensors.MustCopyFlatData[float64](out)
		got, want := both[:len(both)/2], both[len(both)/2:]
		for i := range got {
			if d := got[i] - want[i]; !(d < exact && d > -exact) {
				rt.Fatalf("value %d: %v, want %v", i, got[i], want[i])
			}
		}
	})
}

// TestMeanOfCAMIsScoreWithoutBias is identity 1, mean_ij CAM_c + b_c = y_c.
func TestMeanOfCAMIsScoreWithoutBias(t *testing.T) {
	equalNodes(t, func(act, weights, bias *Node) (got, want *Node) {
		return Add(ReduceMean(cam.CAM{}.Equation(act, weights), 2, 3), bias), head(act, weights, bias)
	})
}

// TestGradCAMIsCAM is identity 2, Z·Grad-CAM before its ReLU = CAM, for every
// class; the gradient is automatic.
func TestGradCAMIsCAM(t *testing.T) {
	equalNodes(t, func(act, weights, bias *Node) (got, want *Node) {
		y := head(act, weights, bias)
		z := float64(act.Shape().Dim(1) * act.Shape().Dim(2))
		var each []*Node
		for c := range y.Shape().Dim(1) { // no slicing: the pure-Go backend has no gradient for it
			one := make([]float64, y.Shape().Dim(1))
			one[c] = 1
			score := ReduceAllSum(Mul(y, ConstAs(y, [][]float64{one})))
			each = append(each, MulScalar(cam.GradCAM{}.Signed(act, Gradient(score, act)[0]), z))
		}
		return Stack(each, 1), cam.CAM{}.Equation(act, weights)
	})
}

// ofFirstClass returns the gradient of the first class's score, automatic, and
// that class's head weights, [1, channels].
func ofFirstClass(act, weights, bias *Node) (grad, w *Node) {
	y := head(act, weights, bias)
	one := make([]float64, y.Shape().Dim(1))
	one[0] = 1
	pick := ConstAs(y, [][]float64{one})
	return Gradient(ReduceAllSum(Mul(y, pick)), act)[0], ReduceSum(Mul(weights, pick), 1)
}

// firstCAM is CAM of the first class times c/Z.
func firstCAM(act, weights *Node, c float64) *Node {
	m := Slice(cam.CAM{}.Equation(act, weights), AxisRange(), AxisElem(0))
	z := float64(act.Shape().Dim(1) * act.Shape().Dim(2))
	return MulScalar(Squeeze(m, 1), c/z)
}

// TestHiResCAMAndXGradCAMAreCAM is identity 2 for the other two: Z·HiResCAM = CAM,
// and Z·XGrad-CAM is its positive part.
func TestHiResCAMAndXGradCAMAreCAM(t *testing.T) {
	equalNodes(t, func(act, weights, bias *Node) (got, want *Node) {
		grad, _ := ofFirstClass(act, weights, bias)
		m := firstCAM(act, weights, 1)
		return Stack([]*Node{cam.HiResCAM{}.Equation(act, grad), cam.XGradCAM{}.Equation(act, grad)}, 0), Stack([]*Node{m, MaxScalar(m, 0)}, 0)
	})
}

// TestGradCAMPlusPlusInClosedForm is identity 4: for a linear head the weight of a
// channel is ReLU(w_k)/(2 + w_k F_k).
func TestGradCAMPlusPlusInClosedForm(t *testing.T) {
	equalNodes(t, func(act, weights, bias *Node) (got, want *Node) {
		grad, w := ofFirstClass(act, weights, bias)
		w = MaxScalar(w, 0)
		w = BroadcastPrefix(w, act.Shape().Dim(0))
		alpha := Div(w, AddScalar(Mul(w, ReduceMean(act, 1, 2)), 2))
		return cam.GradCAMPlusPlus{}.Equation(act, grad), Einsum("bhwk,bk->bhw", act, alpha)
	})
}

// TestLayerCAMIsCAMOfPositiveWeights is identity 6: Z·LayerCAM = Σ_k ReLU(w_k) A_k.
func TestLayerCAMIsCAMOfPositiveWeights(t *testing.T) {
	equalNodes(t, func(act, weights, bias *Node) (got, want *Node) {
		grad, _ := ofFirstClass(act, weights, bias)
		return cam.LayerCAM{}.Equation(act, grad), firstCAM(act, MaxScalar(weights, 0), 1)
	})
}

// TestGradientsThatVary holds the methods to their equations, written out place by
// place, for gradients of both signs that differ over the map; a linear head has
// none such.
func TestGradientsThatVary(t *testing.T) {
	act := [][][][]float64{{{{1, 2}, {0, 1}}, {{3, 0}, {2, 0}}}}
	grad := [][][][]float64{{{{2, -1}, {-1, 3}}, {{1, 1}, {0, -2}}}}
	// By hand: ΣA = 6 and 3. XGrad-CAM: w = 5/6 and 1/3. Grad-CAM++: w = 2/14 + 1/8
	// and 3/11 + 1/5.
	w0, w1 := 2.0/14+1.0/8, 3.0/11+1.0/5
	for _, test := range []struct {
		name string
		f    func(act, grad *Node) *Node
		want []float64
	}{
		{"HiResCAM", cam.HiResCAM{}.Equation, []float64{0, 3, 3, 0}},
		{"LayerCAM", cam.LayerCAM{}.Equation, []float64{2, 3, 3, 0}},
		{"XGradCAM", cam.XGradCAM{}.Equation, []float64{5.0/6 + 2.0/3, 1.0 / 3, 15.0 / 6, 10.0 / 6}},
		{"GradCAMPlusPlus", cam.GradCAMPlusPlus{}.Equation, []float64{w0 + 2*w1, w1, 3 * w0, 2 * w0}},
	} {
		out, err := ExecOnce(backendOf(t, pureGo), test.f, act, grad)
		if err != nil {
			t.Fatal(err)
		}
		got := tensors.MustCopyFlatData[float64](out)
		for i, want := range test.want {
			if d := got[i] - want; !(d < exact && d > -exact) {
				t.Errorf("%s: place %d: %v, want %v", test.name, i, got[i], want)
			}
		}
	}
}

// TestSilentChannelHasNoWeight is XGrad-CAM where a channel is 0 everywhere.
func TestSilentChannelHasNoWeight(t *testing.T) {
	act := [][][][]float64{{{{0, 1}, {0, 2}}}}
	grad := [][][][]float64{{{{5, 1}, {7, 4}}}}
	out, err := ExecOnce(backendOf(t, pureGo), cam.XGradCAM{}.Equation, act, grad)
	if err != nil {
		t.Fatal(err)
	}
	if got := tensors.MustCopyFlatData[float64](out); got[0] != 3 || got[1] != 6 {
		t.Errorf("map %v, want [3 6]: the mean gradient of the second channel is 9/3", got)
	}
}

// TestGradCAMIsPositivePartOfSigned is equation 2's ReLU.
func TestGradCAMIsPositivePartOfSigned(t *testing.T) {
	equalNodes(t, func(act, weights, bias *Node) (got, want *Node) {
		grad := Sub(Sin(MulScalar(act, 7)), ScalarOne(act.Graph(), act.DType())) // of both signs, and not constant over the map
		return cam.GradCAM{}.Equation(act, grad), MaxScalar(cam.GradCAM{}.Signed(act, grad), 0)
	})
}

// TestGaugeLeavesCentredCAM is identity 10: one vector added to every class's
// weights changes no probability, and leaves CAM_c − mean_c CAM.
func TestGaugeLeavesCentredCAM(t *testing.T) {
	equalNodes(t, func(act, weights, _ *Node) (got, want *Node) {
		gauge := Slice(Sin(MulScalar(weights, 5)), AxisRange(), AxisRange(0, 1)) // [channels, 1]
		centered := func(w *Node) *Node {
			m := cam.CAM{}.Equation(act, w)
			return Sub(m, ReduceAndKeep(m, ReduceMean, 1))
		}
		return centered(Add(weights, gauge)), centered(weights)
	})
}

// TestScaleCancels is identity 12: A→sA, w→w/s changes nothing.
func TestScaleCancels(t *testing.T) {
	equalNodes(t, func(act, weights, _ *Node) (got, want *Node) {
		return cam.CAM{}.Equation(MulScalar(act, 4), DivScalar(weights, 4)), cam.CAM{}.Equation(act, weights)
	})
}

// Methods whose masks, windows or noise stay where they are when the image moves; and
// those that enlarge a channel, which does not wrap around as the test's shift does.
var (
	notMoving   = map[string]bool{"sscam": true, "rise": true, "occlusion": true, "smoothgrad": true, "smoothgradcam++": true}
	notWrapping = map[string]bool{"scorecam": true, "iscam": true, "layercam-fused": true, "refinecam": true}
)

// TestMapFollowsImage is identity 12 through a network with a stride of 2: the
// map of a flipped or shifted image is the map flipped, or shifted half as far.
func TestMapFollowsImage(t *testing.T) {
	const h, w = 6, 10
	move := func(x []float32, h, w, channels int, from func(row, column int) (int, int)) []float32 {
		y := make([]float32, len(x))
		for row := range h {
			for column := range w {
				r, c := from(row, column)
				copy(y[(row*w+column)*channels:], x[(r*w+c)*channels:][:channels])
			}
		}
		return y
	}
	moves := []struct {
		name       string
		image, cam func(row, column int) (int, int)
	}{
		{
			"flip", func(r, c int) (int, int) { return r, w - 1 - c },
			func(r, c int) (int, int) { return r, w/2 - 1 - c },
		},
		{
			"shift by two rows and four columns", func(r, c int) (int, int) { return (r + 2) % h, (c + 4) % w },
			func(r, c int) (int, int) { return (r + 1) % (h / 2), (c + 2) % (w / 2) },
		},
	}
	e := explainer(t, backendOf(t, pureGo), newToy().Network, cam.Options{})
	x := picture(1, h, w)
	for _, m := range methods() {
		before := explain(t, e, m, x, cam.Class(1))
		for _, moved := range moves {
			if notMoving[m.Spec().Name] || notWrapping[m.Spec().Name] && moved.name != "flip" {
				continue
			}
			y := x
			y.Pixels = move(x.Pixels, h, w, 3, moved.image)
			after := explain(t, e, m, y, cam.Class(1))
			from := moved.cam
			if before.Height == h {
				from = moved.image
			}
			near(t, m.Spec().Name+", "+moved.name, after.Maps, move(before.Maps, before.Height, before.Width, 1, from), 1e-6)
		}
	}
}

// TestMapAndBiasAreTheScore is the completeness of CAM, mean_ij M_c + b_c = y_c,
// with the bias that ClassMaps finds.
func TestMapAndBiasAreTheScore(t *testing.T) {
	b := backendOf(t, pureGo)
	x := picture(3, 4, 6)
	maps, err := explainer(t, b, newToy().Network, cam.Options{Batch: 2}).ClassMaps(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if len(maps.Bias) != toyClasses || maps.Bias[0] == 0 {
		t.Fatalf("bias %v, want one for each of %d classes, not zero", maps.Bias, toyClasses)
	}
	sums := make([]float32, len(maps.Scores))
	for i := range sums {
		sums[i] = maps.Bias[i%toyClasses]
		for _, v := range maps.At(i).Values {
			sums[i] += v / float32(maps.Height*maps.Width)
		}
	}
	near(t, "mean and bias", sums, maps.Scores, 1e-5)
}

// TestRealModelIdentities is identities 1 and 2 on a whole network: fresh
// weights of the article's, real images, all classes, the gradient automatic.
func TestRealModelIdentities(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		model := article.New(7)
		ds, err := cifar10.Sample().Select(0, 500)
		if err != nil {
			t.Fatal(err)
		}
		e := explainer(t, b, model, cam.Options{})
		x := batch(t, ds)
		maps, err := e.ClassMaps(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		grads := explain(t, e, signedGradCAM, x, cam.All)
		z := maps.Height * maps.Width
		for i := range grads.Maps {
			grads.Maps[i] *= float32(z)
		}
		near(t, "Z·Grad-CAM", grads.Maps, maps.Maps, 1e-5)

		weights, biases, err := article.HeadWeights(model)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "head weights", maps.Weights, weights, 0)
		for i := range x.N {
			for c := range maps.NumClasses {
				mean, byHand := 0.0, make([]float64, z)
				for j, v := range maps.Map(i, c).Values {
					mean += float64(v) / float64(z)
					for k := range maps.Channels {
						byHand[j] += float64(maps.Act[(i*maps.Channels+k)*z+j]) * float64(weights[k*maps.NumClasses+c])
					}
				}
				near(t, "CAM by hand", maps.Map(i, c).Values, byHand, 1e-5)
				score := float64(maps.Scores[i*maps.NumClasses+c])
				if d := mean + float64(biases[c]) - score; d > 1e-5 || d < -1e-5 {
					t.Errorf("image %d, class %d: mean of the map and bias are %.2g over the score %.4g", i, c, d, score)
				}
			}
		}
	})
}
