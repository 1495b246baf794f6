package cam_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/exec"
)

// The attention of two blocks between three tokens, and the gradient of class 0's score with
// respect to it; that of class 1 has none.
var (
	attention = [][][]float64{
		{{.5, .25, .25}, {0, 1, 0}, {.2, .2, .6}},
		{{0, .5, .5}, {1, 0, 0}, {0, 0, 1}},
	}
	attentionGrad = [][][]float64{
		{{1, 2, -1}, {0, 1, 0}, {0, -1, 2}},
		{{3, -2, 4}, {1, 1, 1}, {0, 0, .5}},
	}
)

// newTokens is a network of these blocks. In white images each token attends to itself alone.
func newTokens(beside int) *network.Network {
	build := func(_ *model.Scope, x *Node) (scores *Node, blocks []*Node) {
		own := InsertAxes(ReduceMean(x, 1, 2, 3), -1, -1, -1)
		y := ZerosLike(Squeeze(own, 1, 2, 3))
		for l, a := range attention {
			eye := ConstAs(x, [][][][]float64{{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}}})
			block := Add(Mul(OneMinus(own), ConstAs(x, [][][][]float64{{a}})), Mul(own, eye))
			blocks = append(blocks, block)
			y = Add(y, ReduceSum(Mul(block, ConstAs(x, [][][][]float64{{attentionGrad[l]}})), 1, 2, 3))
		}
		return Stack([]*Node{y, ZerosLike(y)}, 1), blocks
	}
	return &network.Network{
		Name: "tokens", Store: model.NewStore(),
		Layers: []network.Layer{{Name: "same", Build: func(_ *model.Scope, x *Node) *Node { return x }}},
		Head: func(scope *model.Scope, act *Node) *Node {
			y, _ := build(scope, act)
			return y
		},
		Attention: network.Attention{Build: build, Height: 1, Width: 3 - beside, Beside: beside},
	}
}

// blackAndWhite are an image of each.
func blackAndWhite() images.Batch {
	x := images.NewBatch(2, images.Size{Height: 2, Width: 2, Channels: 1})
	for i := range 4 {
		x.Pixels[4+i] = 1
	}
	return x
}

// TestAttentionByHand is both methods by hand. With a class token,
//
//	row 0 of Â_2 = [½ ¼ ¼], Â_1 = [¾ ⅛ ⅛; 0 1 0; .1 .1 .8], so R_0 = [.4 .3375 .2625];
//	Ā_1 = [½ ½ 0; 0 1 0; 0 0 1.2], row 0 of Ā_2 = [0 0 2], so R_0 = [½ ½ 4.4].
func TestAttentionByHand(t *testing.T) {
	twice := cam.Func(func(y *Node) *Node { return MulScalar(Squeeze(Slice(y, AxisRange(), AxisElem(0)), 1), 2) })
	for _, row := range []struct {
		method       string
		beside       int
		target       cam.Target
		black, white []float64
	}{
		{"attentionrollout", 1, cam.Class(0), []float64{.3375, .2625}, []float64{0, 0}},
		{"attentionrollout", 1, cam.Class(1), []float64{.3375, .2625}, []float64{0, 0}},
		{"attentionrollout", 0, cam.Class(0), []float64{.875 / 3, 1. / 3, 1.125 / 3}, []float64{1. / 3, 1. / 3, 1. / 3}},
		{"chefercam", 1, cam.Class(0), []float64{.5, 4.4}, []float64{0, 0}},
		{"chefercam", 1, cam.Class(1), []float64{0, 0}, []float64{0, 0}},
		{"chefercam", 1, cam.Contrast(0, 1), []float64{.5, 4.4}, []float64{0, 0}},
		{"chefercam", 1, cam.Contrast(1, 0), []float64{1, .25}, []float64{0, 0}},
		{"chefercam", 1, cam.Class(0).Counterfactual(), []float64{1, .25}, []float64{0, 0}},
		{"chefercam", 1, twice, []float64{1, 13.6}, []float64{0, 0}}, // relevance of one block doubles, that of two together quadruples
		{"chefercam", 0, cam.Class(0), []float64{2. / 3, 2. / 3, 6.7 / 3}, []float64{7. / 3, 1, 3.5 / 3}},
	} {
		e := explainer(t, backendOf(t, pureGo), newTokens(row.beside), cam.Options{})
		r := explain(t, e, method(t, row.method), blackAndWhite(), row.target)
		if want := []int{2, 1, 3 - row.beside}; !slices.Equal(r.Shape(), want) {
			t.Fatalf("%s: shape %v, want %v", row.method, r.Shape(), want)
		}
		near(t, row.method, r.Maps, append(slices.Clone(row.black), row.white...), 1e-6)
	}
	onEach(t, func(t *testing.T, b compute.Backend) {
		every := explain(t, explainer(t, b, newTokens(1), cam.Options{Batch: 1}), method(t, "chefercam"), blackAndWhite(), cam.All)
		near(t, "all classes, one image at a time", every.Maps, []float64{.5, 4.4, 0, 0, 0, 0, 0, 0}, 1e-6)
		half := explain(t, explainer(t, b, newTokens(1), cam.Options{Type: dtypes.BFloat16}), method(t, "chefercam"), blackAndWhite(), cam.Class(0))
		near(t, "bfloat16", half.Maps, []float64{.5, 4.4, 0, 0}, 1e-2)
	})
}

// TestAttentionBatch is that a network that wants it gets no more images at once.
func TestAttentionBatch(t *testing.T) {
	net := newTokens(1)
	build := net.Attention.Build
	net.Attention.Batch = 1
	net.Attention.Build = func(scope *model.Scope, x *Node) (*Node, []*Node) {
		x.AssertDims(1, -1, -1, -1)
		return build(scope, x)
	}
	e := explainer(t, backendOf(t, pureGo), net, cam.Options{Batch: 2})
	near(t, "one at a time", explain(t, e, method(t, "chefercam"), blackAndWhite(), cam.Class(0)).Maps, []float64{.5, 4.4, 0, 0}, 1e-6)
}

// TestRolloutSharesOut is that a row of the rollout, with the tokens beside the grid, sums to
// 1 as the attention's do, after any number of blocks.
func TestRolloutSharesOut(t *testing.T) {
	const blocks, heads, tokens = 12, 3, 50
	rng := rand.New(rand.NewPCG(5, 6))
	logits := make([]float32, blocks*heads*tokens*tokens)
	for i := range logits {
		logits[i] = float32(3 * rng.NormFloat64())
	}
	g, err := exec.New(backendOf(t, pureGo), model.NewStore(), func(_ *model.Scope, in []*Node) exec.Outputs {
		all := Split(Softmax(in[0], -1), 0, blocks)
		row := OneHot(Const(in[0].Graph(), []int32{7}), tokens, in[0].DType())
		return exec.Outputs{"row": cam.AttentionRollout{}.Equation(row, all)}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Finalize()
	out, err := g.Call(tensors.FromFlatDataAndDimensions(logits, blocks, heads, tokens, tokens))
	if err != nil {
		t.Fatal(err)
	}
	var row []float32
	if err := out.Read(map[string]any{"row": &row}); err != nil {
		t.Fatal(err)
	}
	sum := float32(0)
	for _, v := range row {
		sum += v
	}
	near(t, "sum", []float32{sum}, []float64{1}, 1e-5)
	if slices.Min(row) <= 0 || len(row) != tokens {
		t.Errorf("row %v, want a share of each of %d tokens", row, tokens)
	}
}

// TestNoAttention is that a network without it is refused in words, by itself and averaged,
// and not asked in the first place by those that ask all methods.
func TestNoAttention(t *testing.T) {
	x := blackAndWhite()
	change := func(f func(a *network.Attention)) *network.Network {
		net := newTokens(1)
		f(&net.Attention)
		return net
	}
	for _, row := range []struct {
		net  *network.Network
		kind error
		want string
	}{
		{change(func(a *network.Attention) { *a = network.Attention{} }), cam.ErrAttention, "cam: network tokens has no attention; want one in whose blocks all tokens attend to all, as ViT or DeiT; gradcam takes any"},
		{
			change(func(a *network.Attention) { *a = network.Attention{Why: "only windows"} }), cam.ErrAttention,
			"cam: network tokens has no attention of all tokens to all: only windows; want one",
		},
		{
			change(func(a *network.Attention) { a.Width = 3 }), cam.ErrShape,
			"the attention is shaped (Float32)[2, 1, 3, 3], want [batch, heads, 4, 4]: a grid of 1×3 tokens and 1 beside it",
		},
		{change(func(a *network.Attention) {
			build := a.Build
			a.Build = func(scope *model.Scope, x *Node) (*Node, []*Node) {
				y, _ := build(scope, x)
				return y, nil
			}
		}), nil, "cam: network: Attention.Build returns no attention, want that of every block"},
	} {
		e := explainer(t, backendOf(t, pureGo), row.net, cam.Options{})
		for _, m := range []cam.Method{cam.AttentionRollout{}, cam.CheferCAM{}, cam.Smoothed{Method: cam.CheferCAM{}, Flips: true}} {
			_, err := e.Explain(t.Context(), m, x, cam.Class(0))
			if err == nil || row.kind != nil && !errors.Is(err, row.kind) || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%T: error %v, want of kind %v with text %q", m, err, row.kind, row.want)
			}
		}
	}
	with, without := cam.MethodsFor(newTokens(1)), cam.MethodsFor(newToy().Network)
	if !slices.Equal(with, cam.Methods()) {
		t.Errorf("methods for attention %v, want all", with)
	}
	if len(with)-len(without) != 2 || slices.Contains(without, cam.Method(cam.AttentionRollout{})) || slices.Contains(without, cam.Method(cam.CheferCAM{})) {
		t.Errorf("methods without attention %v, want all but two", without)
	}
}
