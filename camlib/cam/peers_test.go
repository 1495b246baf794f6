package cam_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"codeberg.org/sbinet/npyio/npz"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
)

// fixture is what testdata/peers/record.py wrote: maps that other libraries made of
// small networks, the networks' weights and the images.
type fixture struct {
	Versions map[string]string
	Classes  []int
	Faults   struct {
		IndexErrorSwallowed bool `json:"pgc_index_error_swallowed"`
		TrainingAfter       bool `json:"pgc_training_after"`
		GradientKept        bool `json:"pgc_gradient_of_7_kept"`
	}
	Arrays map[string]struct{ Shape []int }
	values map[string][]float32
}

var readPeers = sync.OnceValues(func() (*fixture, error) {
	data, err := os.ReadFile("testdata/peers/manifest.json")
	if err != nil {
		return nil, err
	}
	p := &fixture{values: make(map[string][]float32)}
	if err := json.Unmarshal(data, p); err != nil {
		return nil, err
	}
	r, err := npz.Open("testdata/peers/peers.npz")
	if err != nil {
		return nil, err
	}
	for name := range p.Arrays {
		var v []float32
		if err := r.Read(name+".npy", &v); err != nil {
			return nil, err
		}
		p.values[name] = v
	}
	return p, r.Close()
})

func peers(tb testing.TB) *fixture {
	tb.Helper()
	p, err := readPeers()
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// array returns the values of an array, which must be there.
func (p *fixture) array(tb testing.TB, name string) []float32 {
	tb.Helper()
	v := p.values[name]
	if v == nil {
		tb.Fatalf("no array %q", name)
	}
	return v
}

func (p *fixture) images(tb testing.TB) images.Batch {
	d := p.Arrays["images"].Shape
	return images.Batch{N: d[0], Height: d[1], Width: d[2], Channels: d[3], Pixels: p.array(tb, "images")}
}

// target is the class of each image for which the peers' maps are.
func (p *fixture) target() cam.Target { return cam.Classes(p.Classes...) }

// networks are the fixture's, of which the last two are others' explained elsewhere:
// signed is linear before the second ReLU, flat/first is flat after the first.
var networks = []string{"linear", "relu", "tanh", "flat", "signed", "flat/first"}

// peerNet is record.py's Net.
type peerNet struct {
	*network.Network
	head    string
	explain string // second, before (its ReLU) or first

	mu      sync.Mutex
	batches []int // sizes of the batches of images that it was built for
}

func newPeerNet(tb testing.TB, name string) *peerNet {
	tb.Helper()
	p, n := peers(tb), &peerNet{head: name, explain: "second"}
	switch name {
	case "signed":
		n.head, n.explain = "linear", "before"
	case "flat/first":
		n.head, n.explain = "flat", "first"
	}
	n.Network = &network.Network{
		Name: name, Store: model.NewStore(), Head: n.scores,
		Layers: []network.Layer{{Name: "first", Build: n.first, Bias: bias("conv1.bias")}, {Name: "second", Build: n.second}},
	}
	if n.explain != "before" {
		n.Layers[1].Bias = bias("conv2.bias")
	}
	for name, a := range p.Arrays {
		own, ok := strings.CutPrefix(name, n.head+"/head.")
		if !ok && !strings.HasPrefix(name, "conv") {
			continue
		}
		values := slices.Clone(p.values[name])
		if ok {
			name = "head." + own
		}
		n.Store.VariableWithValue(name, tensors.FromFlatDataAndDimensions(values, a.Shape...))
	}
	if n.explain == "first" {
		n.Network = at(tb, n.Network, "first")
	}
	return n
}

func (n *peerNet) first(scope *model.Scope, x *Node) *Node {
	n.mu.Lock()
	n.batches = append(n.batches, x.Shape().Dim(0))
	n.mu.Unlock()
	return rectify(convolution(scope, "conv1", x))
}

func (n *peerNet) second(scope *model.Scope, x *Node) *Node {
	x = MaxPool(x).Window(2).Done() // of equal values the first has the gradient, as in PyTorch
	x = convolution(scope, "conv2", x)
	if n.explain == "before" {
		return x
	}
	return rectify(x)
}

func (n *peerNet) scores(scope *model.Scope, act *Node) *Node {
	if n.explain == "before" {
		act = rectify(act)
	}
	if n.head == "flat" {
		return linearLayer(scope, "head.1", Reshape(act, act.Shape().Dim(0), -1))
	}
	y := linearLayer(scope, "head.2", ReduceMean(act, 1, 2))
	switch n.head {
	case "relu":
		y = linearLayer(scope, "head.4", rectify(y))
	case "tanh":
		y = linearLayer(scope, "head.4", Tanh(y))
	}
	return y
}

func convolution(scope *model.Scope, name string, x *Node) *Node {
	x = Convolve(x, variable(scope, name+".weight", x)).Strides(1).PadSame().Done()
	return Add(x, ExpandLeftToRank(variable(scope, name+".bias", x), 4))
}

func linearLayer(scope *model.Scope, name string, x *Node) *Node {
	return Add(MatMul(x, variable(scope, name+".weight", x)), InsertAxes(variable(scope, name+".bias", x), 0))
}

func rectify(x *Node) *Node { return Where(GreaterThan(x, ZerosLike(x)), x, ZerosLike(x)) }

// each runs f with the map of every image, ours and a peer's.
func each(tb testing.TB, p *fixture, ours *cam.Result, theirs string, f func(image int, ours, theirs []float32)) {
	tb.Helper()
	want := p.array(tb, theirs)
	size := ours.Height * ours.Width
	if len(want) != ours.N*size {
		tb.Fatalf("%s: %v, want %d×%d×%d", theirs, p.Arrays[theirs].Shape, ours.N, ours.Height, ours.Width)
	}
	for i := range ours.N {
		f(i, ours.Map(i, ours.Class[i]).Values, want[i*size:(i+1)*size])
	}
}

// parity is a method of ours and what a peer makes in its stead.
type parity struct {
	method    cam.Method
	theirs    string                        // the peer and its method
	networks  []string                      // nil for all that have it
	target    func(t cam.Target) cam.Target // nil for the score of the class
	tolerance float64                       // of the largest value of a map; 0 is rounding
	why       string                        // of another tolerance
}

// rounding is what float32 may differ from float64, relative to a map's largest value.
// A ReLU can leave a thirtieth of the sums that it is given: 6e-6 then, else below 4e-6.
const rounding = 2e-5

// probabilityOf is the target whose score is the class's probability.
func probabilityOf(t cam.Target) cam.Target { return t.Probability() }

// parities are where the peers do what the papers say. Their maps are before their
// ReLU (pgc), after it (tc) or without one (captum); a method of ours with a ReLU is
// compared with the positive part.
func parities(tb testing.TB) []parity {
	of := func(name string) cam.Method { return method(tb, name) }
	return []parity{
		{method: of("cam"), theirs: "tc.cam", networks: []string{"linear"}},
		{method: of("gradcam"), theirs: "pgc.gradcam"},
		{method: of("gradcam"), theirs: "tc.gradcam"},
		{
			method: of("gradcam"), theirs: "pgc.gradcam.probability", target: probabilityOf, tolerance: 1e-4,
			why: "P_c − P_c² and its like are differences of small numbers, and XLA's tanh is coarse",
		},
		{method: signedGradCAM, theirs: "captum.gradcam"},
		{method: signedGradCAM, theirs: "pgc.gradcam"},
		{method: of("hirescam"), theirs: "pgc.hirescam"},
		{method: of("xgradcam"), theirs: "pgc.xgradcam"},
		{method: of("xgradcam"), theirs: "tc.xgradcam"},
		{method: of("layercam"), theirs: "pgc.layercam"},
		{method: of("layercam"), theirs: "tc.layercam"},
		{
			method: of("ablationcam"), theirs: "pgc.ablationcam", tolerance: 5e-5,
			why: "its weights are differences of nearly equal scores",
		},
		{
			method: of("gradcam++"), theirs: "pgc.gradcam++", networks: []string{"flat", "flat/first"}, tolerance: 1e-3,
			why: "where gradients are large its 1e-6 does little; see TestGradCAMPlusPlusOfThePeers",
		},
		{
			method: of("scorecam"), theirs: "pgc.scorecam", tolerance: 0.05,
			why: "its masks are enlarged with their corners aligned; see TestScoreCAMOfThePeers",
		},
		{
			method: of("scorecam"), theirs: "tc.scorecam", tolerance: 0.05,
			why: "its masks are brought to 0 to 1 before they are enlarged; see TestScoreCAMOfThePeers",
		},
	}
}

// TestPeers compares our maps with those of pytorch-grad-cam (pgc), torchcam (tc) and
// captum, each from its own run; see testdata/peers.
func TestPeers(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		p := peers(t)
		x := p.images(t)
		for _, name := range networks {
			if name == "flat/first" && isPureGo(b) {
				continue // it has no gradient of a convolution
			}
			t.Run(name, func(t *testing.T) {
				e := explainer(t, b, newPeerNet(t, name).Network, cam.Options{})
				if scores, ok := p.values[name+"/scores"]; ok {
					near(t, "scores", explain(t, e, method(t, "gradcam"), x, p.target()).Scores, scores, rounding)
				}
				for _, row := range parities(t) {
					theirs := name + "/" + row.theirs
					if _, ok := p.values[theirs]; !ok || row.networks != nil && !slices.Contains(row.networks, name) {
						continue
					}
					target := p.target()
					if row.target != nil {
						target = row.target(target)
					}
					worst, tolerance := 0.0, row.tolerance
					if tolerance == 0 {
						tolerance = rounding
					}
					ours := explain(t, e, row.method, x, target)
					each(t, p, ours, theirs, func(i int, ours, theirs []float32) {
						if !row.method.Spec().Signed {
							theirs = positivePart(theirs)
						}
						worst = max(worst, distance(t, ours, theirs))
					})
					if !(worst <= tolerance) {
						t.Errorf("%s: off from %s by %.2g of the largest value, want at most %.0g", row.method.Spec().Name, row.theirs, worst, tolerance)
					}
					t.Logf("%-15s %-25s %.1e", row.method.Spec().Name, row.theirs, worst)
				}
			})
		}
	})
}

func positivePart(m []float32) []float32 {
	m = slices.Clone(m)
	for i := range m {
		m[i] = max(m[i], 0)
	}
	return m
}

// shown is a map as the peers color it, brought to 0 to 1.
func shown(m []float32) []float64 {
	low, high := float64(slices.Min(m)), float64(slices.Max(m))
	s := make([]float64, len(m))
	for i, v := range m {
		s[i] = (float64(v) - low) / max(high-low, 1e-30)
	}
	return s
}

// weightedBy is Σ_k w_k A_k, with weights [batch, channels].
func weightedBy(p *cam.Pass, weights *Node) *Node { return Einsum("bhwk,bk->bhw", p.Act, weights) }

// plusPlus is Grad-CAM++ with a denominator of the caller's.
func plusPlus(p *cam.Pass, denominator func(g2, g3 *Node) *Node, weights func(alpha *Node) *Node) *Node {
	g := p.Grad()
	g2 := Mul(g, g)
	alpha := Div(g2, denominator(g2, Mul(g2, g)))
	alpha = Where(Equal(g, ZerosLike(g)), ZerosLike(g), alpha)
	return weightedBy(p, weights(Mul(alpha, rectify(g))))
}

// TestGradCAMPlusPlusOfThePeers is what other libraries make of equation 19. A wrong
// formula is shown to be the peer's by its own map, where there is one, and to be
// wrong by how far what it shows is from what the equation does.
func TestGradCAMPlusPlusOfThePeers(t *testing.T) {
	sum := func(alpha *Node) *Node { return ReduceSum(alpha, 1, 2) }
	for _, test := range []struct {
		rule    string
		network string
		theirs  string // the recorded map; "" if there is none
		wrong   func(p *cam.Pass) *Node
		least   float64 // that the maps differ by, each brought to 0 to 1
	}{
		{
			"torchcam 0.5.0 divides a copy, so that g² stays undivided", "linear", "tc.gradcam++",
			func(p *cam.Pass) *Node {
				return plusPlus(p, func(g2, _ *Node) *Node { return OnesLike(g2) }, sum)
			}, 0.3,
		},
		{
			"the same where gradients vary", "flat", "tc.gradcam++",
			func(p *cam.Pass) *Node {
				return plusPlus(p, func(g2, _ *Node) *Node { return OnesLike(g2) }, sum)
			}, 0.1,
		},
		{
			"pytorch-grad-cam 1.5.7 adds 1e-6, as large as g² on a pooled head", "tanh", "pgc.gradcam++",
			func(p *cam.Pass) *Node {
				all := ReduceAndKeep(p.Act, ReduceSum, 1, 2)
				return plusPlus(p, func(g2, g3 *Node) *Node { return AddScalar(Add(MulScalar(g2, 2), Mul(g3, all)), 1e-6) }, sum)
			}, 0.02,
		},
		{
			"xplique has means where the equation has sums", "linear", "",
			func(p *cam.Pass) *Node {
				mean := ReduceAndKeep(p.Act, ReduceMean, 1, 2)
				return plusPlus(p, func(g2, g3 *Node) *Node { return Add(MulScalar(g2, 2), Mul(g3, mean)) }, func(alpha *Node) *Node { return ReduceMean(alpha, 1, 2) })
			}, 0.02,
		},
	} {
		t.Run(test.rule, func(t *testing.T) {
			p := peers(t)
			e := explainer(t, backendOf(t, pureGo), newPeerNet(t, test.network).Network, cam.Options{})
			x := p.images(t)
			ours := explain(t, e, method(t, "gradcam++"), x, p.target())
			wrong := explain(t, e, of(cam.Spec{Name: "wrong", Map: test.wrong}), x, p.target())
			if test.theirs != "" {
				each(t, p, wrong, test.network+"/"+test.theirs, func(i int, wrong, theirs []float32) {
					near(t, fmt.Sprintf("image %d: the wrong formula", i), positivePart(wrong), positivePart(theirs), 1e-4) // 1e-6 is small beside 1 in float32
				})
			}
			most := 0.0
			for i, c := range p.Classes {
				a, b := shown(ours.Map(i, c).Values), shown(positivePart(wrong.Map(i, c).Values))
				for j := range a {
					most = max(most, math.Abs(a[j]-b[j]))
				}
			}
			t.Logf("shown maps differ by up to %.3f", most)
			if most < test.least {
				t.Errorf("ours shows the same within %.3g, want a difference of %.3g or more", most, test.least)
			}
			right := explain(t, e, of(cam.Spec{Name: "right", Map: func(p *cam.Pass) *Node {
				all := ReduceAndKeep(p.Act, ReduceSum, 1, 2)
				return rectify(plusPlus(p, func(g2, g3 *Node) *Node { return Add(MulScalar(g2, 2), Mul(g3, all)) }, sum))
			}}), x, p.target())
			for i, c := range p.Classes {
				near(t, fmt.Sprintf("image %d: equation 19", i), ours.Map(i, c).Values, right.Map(i, c).Values, rounding)
			}
		})
	}
}

// TestLargeScores is that the score itself is no factor of a map: tf-keras-vis
// multiplies Grad-CAM++'s derivatives by exp(y), which is infinite in float32 from
// 88.7 on, and divides that by itself.
func TestLargeScores(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		x := picture(2, 4, 6)
		large := newToy()
		large.head = func(y, _ *Node) *Node { return AddScalar(y, 128) }
		small, e := explainer(t, b, newToy().Network, cam.Options{}), explainer(t, b, large.Network, cam.Options{})
		theirs := of(cam.Spec{Name: "tf-keras-vis", Map: func(p *cam.Pass) *Node {
			g := p.Grad()
			first := Mul(InsertAxes(Exp(p.Score()), -1, -1, -1), g)
			second := Mul(first, g)
			alpha := Div(second, Add(MulScalar(second, 2), Mul(Mul(second, g), ReduceAndKeep(p.Act, ReduceSum, 1, 2))))
			relu := func(x *Node) *Node { return Max(x, ZerosLike(x)) } // keeps a NaN, as TensorFlow's
			return relu(weightedBy(p, ReduceSum(Mul(alpha, relu(first)), 1, 2)))
		}})
		if _, err := e.Explain(t.Context(), theirs, x, cam.Class(1)); err == nil {
			t.Error("exp(y) stays finite, want an example where it does not")
		}
		explain(t, small, theirs, x, cam.Class(1)) // it is the size of the score alone
		for _, name := range []string{"gradcam", "gradcam++", "xgradcam", "hirescam", "layercam"} {
			got, want := explain(t, e, method(t, name), x, cam.Class(1)), explain(t, small, method(t, name), x, cam.Class(1))
			if y := got.Scores[1]; y < 88 {
				t.Fatalf("score %v, want above 88", y)
			}
			near(t, name, got.Maps, want.Maps, rounding)
		}
	})
}

// TestScoreCAMOfThePeers is that nothing but how they make masks sets their Score-CAM
// apart from ours, which is the paper's: enlarge, then bring to 0 to 1.
func TestScoreCAMOfThePeers(t *testing.T) {
	toOne := func(m *Node) *Node {
		low, high := ReduceAndKeep(m, ReduceMin, -2, -1), ReduceAndKeep(m, ReduceMax, -2, -1)
		return Div(Sub(m, low), AddScalar(Sub(high, low), 1e-8))
	}
	for _, test := range []struct {
		theirs string
		masks  func(m *Node, height, width int) *Node
	}{
		{"pgc.scorecam", func(m *Node, h, w int) *Node { return toOne(cam.Upsample(m, h, w, images.AlignCorners)) }},
		{"tc.scorecam", func(m *Node, h, w int) *Node { return cam.Upsample(toOne(m), h, w, images.HalfPixel) }},
	} {
		m := of(cam.Spec{
			Name: test.theirs,
			Map:  func(p *cam.Pass) *Node { return cam.ScoreCAM{}.Equation(p.Act, p.Value(p.Perturbed)) },
			Perturbations: &cam.Perturbations{
				Count: (*cam.Pass).Channels,
				Scores: func(p *cam.Pass, which *Node) *Node {
					channels := Einsum("bhwk,nk->bnhw", p.Act, OneHot(which, p.Channels(), p.Act.DType()))
					d := p.Images.Shape().Dimensions
					masked := Mul(InsertAxes(p.Images, 1), InsertAxes(test.masks(channels, d[1], d[2]), -1))
					n := masked.Shape().Dim(1)
					return Reshape(p.Network(Reshape(masked, d[0]*n, d[1], d[2], d[3])), d[0], n, -1)
				},
			},
		})
		p := peers(t)
		for _, name := range []string{"linear", "relu", "tanh", "flat", "signed"} {
			e := explainer(t, backendOf(t, pureGo), newPeerNet(t, name).Network, cam.Options{})
			each(t, p, explain(t, e, m, p.images(t), p.target()), name+"/"+test.theirs, func(i int, ours, theirs []float32) {
				near(t, fmt.Sprintf("%s: %s: image %d", name, test.theirs, i), ours, positivePart(theirs), rounding)
			})
		}
	}
}

// TestMistakesAreErrors is what pytorch-grad-cam passes over: fewer targets than images
// leave a map of zeros, and its context manager swallows the error of a class that is
// not there.
func TestMistakesAreErrors(t *testing.T) {
	p := peers(t)
	zero := p.array(t, "faults/pgc.fewer_targets")[2*48:]
	if slices.ContainsFunc(zero, func(v float32) bool { return v != 0 }) || !p.Faults.IndexErrorSwallowed {
		t.Fatalf("the peer's map of the image without a target is %v and its error swallowed: %v; want zeros and true", zero, p.Faults.IndexErrorSwallowed)
	}
	onEach(t, func(t *testing.T, b compute.Backend) {
		e := explainer(t, b, newPeerNet(t, "linear").Network, cam.Options{})
		for _, test := range []struct {
			rule   string
			target cam.Target
			kind   error
		}{
			{"two targets for three images", cam.Classes(p.Classes[:2]...), cam.ErrTarget},
			{"class 99 of 5", cam.Class(99), cam.ErrClass},
		} {
			r, err := e.Explain(t.Context(), method(t, "gradcam"), p.images(t), test.target)
			if r != nil || !errors.Is(err, test.kind) {
				t.Errorf("%s: %v, error %v; want no result and an error of kind %q", test.rule, r, err, test.kind)
			}
		}
	})
}

// TestNetworkStaysAsItIs: pytorch-grad-cam leaves a network that was being trained in
// evaluation mode, and without its gradients.
func TestNetworkStaysAsItIs(t *testing.T) {
	p := peers(t)
	if p.Faults.TrainingAfter || p.Faults.GradientKept {
		t.Fatal("the peer leaves a network as it was, want that it does not")
	}
	net := newPeerNet(t, "linear")
	values := func() map[string][]float32 {
		v := make(map[string][]float32)
		for variable := range net.Store.IterVariables() {
			v[variable.Path()] = tensors.MustCopyFlatData[float32](variable.MustValue())
		}
		return v
	}
	before := values()
	e := explainer(t, backendOf(t, xlaCPU), net.Network, cam.Options{})
	for _, m := range cam.Methods() {
		explain(t, e, m, p.images(t), p.target())
	}
	after := values()
	if len(before) != 6 || len(after) != 6 {
		t.Errorf("%d variables before, %d after, want 6", len(before), len(after))
	}
	for name, v := range before {
		if !slices.EqualFunc(v, after[name], func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
			t.Errorf("%s changed", name)
		}
	}
}

// TestTrialsAreBounded is that no more changed images than a chunk are in memory at
// once: pytorch-grad-cam masks all images by all channels before it runs the first.
func TestTrialsAreBounded(t *testing.T) {
	p := peers(t)
	for _, chunk := range []int{1, 3, 8, 100} {
		net := newPeerNet(t, "linear")
		e := explainer(t, backendOf(t, pureGo), net.Network, cam.Options{Chunk: chunk})
		explain(t, e, method(t, "scorecam"), p.images(t), p.target())
		if most, all := slices.Max(net.batches), 3*8; most > min(max(chunk, 1), all) {
			t.Errorf("chunk of %d: %d images at once, want at most the chunk and %d", chunk, most, all)
		}
	}
}

// TestAblationCAMAtANegativeScore documents what the quotient of equation 3 does where
// the score is below zero: pytorch-grad-cam's map is high where the image speaks
// against the class, and there alone.
func TestAblationCAMAtANegativeScore(t *testing.T) {
	p := peers(t)
	e := explainer(t, backendOf(t, pureGo), newPeerNet(t, "linear").Network, cam.Options{})
	evidence := explain(t, e, method(t, "hirescam"), p.images(t), p.target())
	each(t, p, evidence, "linear/pgc.ablationcam", func(i int, evidence, theirs []float32) {
		y := p.array(t, "linear/scores")[i*5+p.Classes[i]]
		if i == 0 != (y < 0) {
			t.Fatalf("image %d: score %v, want below 0 for image 0 only", i, y)
		}
		if i == 0 && (slices.Max(evidence) > 0 || slices.Min(theirs) <= 0) {
			t.Errorf("largest evidence %v, smallest value of the peer %v, want nothing for the class and the peer above 0 everywhere", slices.Max(evidence), slices.Min(theirs))
		}
	})
}

// TestNothingPositive is a map with nothing for the class: max(m, 0)/max m, as
// keras.io's example has it, is 0/0 there.
func TestNothingPositive(t *testing.T) {
	p := peers(t)
	onEach(t, func(t *testing.T, b compute.Backend) {
		e := explainer(t, b, newPeerNet(t, "linear").Network, cam.Options{})
		if evidence := explain(t, e, method(t, "hirescam"), p.images(t), p.target()).Map(0, p.Classes[0]).Values; slices.Max(evidence) > 0 {
			t.Fatalf("evidence of %v for the class of image 0, want none", slices.Max(evidence))
		}
		for _, name := range []string{"gradcam", "xgradcam"} {
			m := explain(t, e, method(t, name), p.images(t), p.target()).Map(0, p.Classes[0]).Values
			if slices.Max(m) != 0 || slices.Min(m) != 0 {
				t.Errorf("%s: from %v to %v, want 0 everywhere", name, slices.Min(m), slices.Max(m))
			}
			if keras := max(m[0], 0) / slices.Max(m); !math.IsNaN(float64(keras)) {
				t.Errorf("%s: max(m, 0)/max m is %v, want an example where it is NaN", name, keras)
			}
		}
	})
}

// TestResizedMapKeepsItsRange: a map resized with a cubic kernel, as torchcam's overlay
// and xplique's maps are, goes below its lowest and above its highest value.
func TestResizedMapKeepsItsRange(t *testing.T) {
	cubic := peers(t).array(t, "faults/bicubic") // of a map of 0 and 1
	if slices.Min(cubic) > -0.05 || slices.Max(cubic) < 1.05 {
		t.Fatalf("the peer's map goes from %v to %v, want beyond 0 and 1", slices.Min(cubic), slices.Max(cubic))
	}
	b := backendOf(t, pureGo)
	rapid.Check(t, func(rt *rapid.T) {
		h, w := rapid.IntRange(1, 5).Draw(rt, "h"), rapid.IntRange(1, 5).Draw(rt, "w")
		times, across := rapid.IntRange(1, 4).Draw(rt, "times"), rapid.IntRange(1, 4).Draw(rt, "across")
		m := rapid.SliceOfN(rapid.Float32Range(-1e3, 1e3), h*w, h*w).Draw(rt, "values")
		low, high := slices.Min(m), slices.Max(m)
		const ulps = 1e3 * 1e-6 // two interpolations of float32
		for _, resize := range []images.Resize{images.AlignCorners, images.HalfPixel, images.Replicate} {
			out, err := ExecOnce(b, func(m *Node) *Node { return cam.Upsample(m, times*h, across*w, resize) }, tensors.FromFlatDataAndDimensions(m, h, w))
			if err != nil {
				rt.Fatal(err)
			}
			if got := tensors.MustCopyFlatData[float32](out); slices.Min(got) < low-ulps || slices.Max(got) > high+ulps {
				rt.Fatalf("%s: from %v to %v, want within %v and %v", resize, slices.Min(got), slices.Max(got), low, high)
			}
		}
	})
}

// TestEigenCAMsSignOfThePeers documents that the sign of pytorch-grad-cam's component
// is left to the decomposition: here it is low where the network is active, so that
// its ReLU shows the background.
func TestEigenCAMsSignOfThePeers(t *testing.T) {
	p := peers(t)
	act, m := p.array(t, "linear/act"), p.array(t, "linear/pgc.eigencam")
	for i := range 3 {
		agreement := 0.0
		for j := range 48 {
			for _, a := range act[(i*48+j)*8:][:8] {
				agreement += float64(a) * float64(m[i*48+j])
			}
		}
		if agreement >= 0 {
			t.Errorf("image %d: Σ m ΣA = %v, want below 0", i, agreement)
		}
	}
}
