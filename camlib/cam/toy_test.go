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

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backend"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// toy is a network small enough to reason about: a pointwise layer with ReLU,
// 2×2 mean pooling, another such layer, and by default global average pooling and a
// linear layer.
type toy struct {
	*network.Network
	built    atomic.Int32                  // how often the first layer was built
	features func(act *Node) *Node         // changes the activations; may be nil
	head     func(scores, act *Node) *Node // changes the scores; may be nil
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
	t := &toy{}
	t.Network = &network.Network{
		Name: "toy", Store: store, Classes: []string{"ant", "bee", "cow", "doe"},
		Layers: []network.Layer{{Name: "point", Build: t.point, Bias: bias("point_bias")}, {Name: "deep", Build: t.deep, Bias: bias("deep_bias")}},
		Head:   t.scores,
	}
	return t
}

// methods are those that a toy takes.
func methods() []cam.Method { return cam.MethodsFor(newToy().Network) }

func (t *toy) point(scope *model.Scope, x *Node) *Node {
	t.built.Add(1)
	return pointwise(scope, "point", x)
}

func (t *toy) deep(scope *model.Scope, x *Node) *Node {
	d := x.Shape().Dimensions
	if d[1]%2 != 0 || d[2]%2 != 0 {
		panic(errors.New("toy: odd size"))
	}
	x = ReduceMean(Reshape(x, d[0], d[1]/2, 2, d[2]/2, 2, d[3]), 2, 4)
	x = pointwise(scope, "deep", x)
	if t.features != nil {
		x = t.features(x)
	}
	return x
}

func (t *toy) scores(scope *model.Scope, act *Node) *Node {
	y := Add(MatMul(ReduceMean(act, 1, 2), variable(scope, "dense", act)), InsertAxes(variable(scope, "bias", act), 0))
	if t.head != nil {
		y = t.head(y, act)
	}
	return y
}

func pointwise(scope *model.Scope, name string, x *Node) *Node {
	x = Einsum("bhwc,ck->bhwk", x, variable(scope, name, x))
	x = Add(x, ExpandLeftToRank(variable(scope, name+"_bias", x), 4))
	inf := func(sign int) *Node { return Infinity(x.Graph(), x.DType(), sign) }
	return Where(GreaterThan(x, ZerosLike(x)), x, Where(GreaterThan(x, inf(-1)), ZerosLike(x), inf(1)))
}

// bias is a layer's that is a variable.
func bias(name string) func(scope *model.Scope, like *Node) *Node {
	return func(scope *model.Scope, like *Node) *Node { return variable(scope, name, like) }
}

func variable(scope *model.Scope, name string, x *Node) *Node {
	return ConvertDType(scope.GetVariable(name).NodeValue(x.Graph()), x.DType())
}

// at is a network explained at another layer.
func at(tb testing.TB, net *network.Network, layer string) *network.Network {
	tb.Helper()
	n, err := net.At(layer)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// picture returns n images of a size, of noise.
func picture(n, height, width int) images.Batch {
	rng := rand.New(rand.NewPCG(3, 4))
	x := images.NewBatch(n, images.Size{Height: height, Width: width, Channels: 3})
	for i := range x.Pixels {
		x.Pixels[i] = rng.Float32()
	}
	return x
}

// batch returns all images of a data set.
func batch(tb testing.TB, ds images.Dataset) images.Batch {
	tb.Helper()
	x, err := images.FromDataset(ds, 0, ds.Len())
	if err != nil {
		tb.Fatal(err)
	}
	return x
}

// The backends that all must work on.
const (
	xlaCPU = "xla:cpu"
	pureGo = "go"
)

func backendOf(tb testing.TB, name string) compute.Backend {
	tb.Helper()
	if name == pureGo {
		return backendtest.Go(tb)
	}
	return backendtest.XLA(tb)
}

func isPureGo(b compute.Backend) bool { return backend.KindOf(b) == backend.PureGo }

// onEach runs a test on every backend.
func onEach(t *testing.T, f func(t *testing.T, b compute.Backend)) {
	for _, name := range []string{xlaCPU, pureGo} {
		t.Run(name, func(t *testing.T) { f(t, backendOf(t, name)) })
	}
}

// equation is a method of a test, kept by its address.
type equation struct{ spec cam.Spec }

func (e *equation) Spec() cam.Spec { return e.spec }

func of(spec cam.Spec) cam.Method { return &equation{spec} }

func explainer(tb testing.TB, b compute.Backend, net *network.Network, opts cam.Options) *cam.Explainer {
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

func explain(tb testing.TB, e *cam.Explainer, m cam.Method, x images.Batch, target cam.Target) *cam.Result {
	tb.Helper()
	r, err := e.Explain(tb.Context(), m, x, target)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// resized returns a result with its maps at another size.
func resized(tb testing.TB, r *cam.Result, height, width int, how images.Resize) *cam.Result {
	tb.Helper()
	large := *r
	large.Height, large.Width, large.Maps = height, width, nil
	for k := range len(r.Maps) / (r.Height * r.Width) {
		m, err := r.At(k).Resize(height, width, how)
		if err != nil {
			tb.Fatal(err)
		}
		large.Maps = append(large.Maps, m.Values...)
	}
	return &large
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
