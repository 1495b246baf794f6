package cam_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cam"
)

// toy is a network small enough to reason about: a pointwise layer with ReLU,
// 2×2 mean pooling, another such layer, and by default global average pooling and a
// linear layer.
type toy struct {
	store    *model.Store
	built    atomic.Int32                  // how often Features was built, which is once per compilation
	features func(act *Node) *Node         // changes the activations; may be nil
	head     func(scores, act *Node) *Node // changes the scores; may be nil
	classes  []string
}

const toyChannels, toyClasses = 5, 4

func newToy() *toy {
	rng := rand.New(rand.NewPCG(1, 2))
	store := model.NewStore()
	set := func(name string, dims ...int) {
		n := 1
		for _, d := range dims {
			n *= d
		}
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		store.VariableWithValue(name, tensors.FromFlatDataAndDimensions(v, dims...))
	}
	set("point", 3, toyChannels)
	set("point_bias", toyChannels)
	set("deep", toyChannels, toyChannels)
	set("deep_bias", toyChannels)
	set("dense", toyChannels, toyClasses)
	set("bias", toyClasses)
	return &toy{store: store, classes: []string{"ant", "bee", "cow", "doe"}}
}

func (t *toy) Store() *model.Store { return t.store }

func (t *toy) Classes() []string { return t.classes }

func (t *toy) Layers() []string { return []string{"point", "deep"} }

func (t *toy) Through(scope *model.Scope, from, to string, x *Node) *Node {
	layer := func(name string) {
		x = Einsum("bhwc,ck->bhwk", x, variable(scope, name, x))
		x = Add(x, ExpandLeftToRank(t.Bias(scope, name, x), 4))
		inf := func(sign int) *Node { return Infinity(x.Graph(), x.DType(), sign) }
		x = Where(GreaterThan(x, ZerosLike(x)), x, Where(GreaterThan(x, inf(-1)), ZerosLike(x), inf(1)))
	}
	if from == "" {
		t.built.Add(1)
		layer("point")
	}
	if to == "point" {
		return x
	}
	d := x.Shape().Dimensions
	if d[1]%2 != 0 || d[2]%2 != 0 {
		panic(errors.New("toy: odd size"))
	}
	x = ReduceMean(Reshape(x, d[0], d[1]/2, 2, d[2]/2, 2, d[3]), 2, 4)
	layer("deep")
	if t.features != nil {
		x = t.features(x)
	}
	return x
}

func (t *toy) Bias(scope *model.Scope, layer string, like *Node) *Node {
	return variable(scope, layer+"_bias", like)
}

func (t *toy) Features(scope *model.Scope, x *Node) *Node { return t.Through(scope, "", "deep", x) }

func (t *toy) Head(scope *model.Scope, act *Node) *Node {
	y := Add(MatMul(ReduceMean(act, 1, 2), variable(scope, "dense", act)), InsertAxes(variable(scope, "bias", act), 0))
	if t.head != nil {
		y = t.head(y, act)
	}
	return y
}

func variable(scope *model.Scope, name string, x *Node) *Node {
	return ConvertDType(scope.GetVariable(name).NodeValue(x.Graph()), x.DType())
}

// picture returns n images of a size, of noise.
func picture(n, height, width int) cam.Images {
	rng := rand.New(rand.NewPCG(3, 4))
	x := cam.Images{N: n, Height: height, Width: width, Channels: 3, Pixels: make([]float32, n*height*width*3)}
	for i := range x.Pixels {
		x.Pixels[i] = rng.Float32()
	}
	return x
}

// backendNames are those that all must work on.
var backendNames = []string{camlib.XLACPU, camlib.PureGo}

func backend(tb testing.TB, name string) compute.Backend {
	tb.Helper()
	b, err := camlib.Backend(name)
	if errors.Is(err, camlib.ErrNoPlugin) {
		tb.Skipf("needs XLA: %v", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// onEach runs a test on every backend.
func onEach(t *testing.T, f func(t *testing.T, b compute.Backend)) {
	for _, name := range backendNames {
		t.Run(name, func(t *testing.T) { f(t, backend(t, name)) })
	}
}

func explainer(tb testing.TB, b compute.Backend, net cam.Network, opts cam.Options) *cam.Explainer {
	tb.Helper()
	e, err := cam.New(b, net, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func method(tb testing.TB, name string) cam.Method {
	tb.Helper()
	m, err := cam.Lookup(name)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func explain(tb testing.TB, e *cam.Explainer, m cam.Method, x cam.Images, target cam.Target) *cam.Result {
	tb.Helper()
	r, err := e.Explain(tb.Context(), m, x, target)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// distance is the largest difference of two maps, relative to the largest
// magnitude in want.
func distance[T, U float32 | float64](tb testing.TB, got []T, want []U) float64 {
	tb.Helper()
	if len(got) != len(want) {
		tb.Fatalf("%d values, want %d", len(got), len(want))
	}
	largest, difference := 0.0, 0.0
	for i := range want {
		if math.IsNaN(float64(got[i])) {
			tb.Fatalf("value %d is NaN, want %v", i, want[i])
		}
		largest = math.Max(largest, math.Abs(float64(want[i])))
		difference = math.Max(difference, math.Abs(float64(got[i])-float64(want[i])))
	}
	if largest == 0 {
		return difference
	}
	return difference / largest
}

func near[T, U float32 | float64](tb testing.TB, what string, got []T, want []U, tolerance float64) {
	tb.Helper()
	if d := distance(tb, got, want); !(d <= tolerance) {
		tb.Errorf("%s: off by %.2g of the largest value, want at most %.0g", what, d, tolerance)
	}
}
