package train

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/nn"
)

// onEach runs a test on every backend.
func onEach(t *testing.T, f func(t *testing.T, b compute.Backend)) {
	t.Run("go", func(t *testing.T) { f(t, backendtest.Go(t)) })
	t.Run("xla", func(t *testing.T) { f(t, backendtest.XLA(t)) })
}

// small is the size of the images.
var small = images.Size{Height: 32, Width: 32, Channels: 3}

// tiny returns a network like the article's, small enough for pure Go: two convolutions
// with a pool between them, and a dense layer of the means, with gradients by hand.
func tiny(seed uint64) *network.Network {
	net := &network.Network{Name: "tiny", Store: model.NewStore()}
	rng := rand.New(rand.NewPCG(seed, 0))
	variable := func(path string, sd float64, dims ...int) func(scope *model.Scope, like *Node) *Node {
		n := 1
		for _, d := range dims {
			n *= d
		}
		values := make([]float32, n)
		for i := range values {
			values[i] = float32(rng.NormFloat64() * sd)
		}
		net.Store.VariableWithValue(path, tensors.FromFlatDataAndDimensions(values, dims...))
		return func(scope *model.Scope, like *Node) *Node {
			return scope.Store().GetVariable("/" + path).NodeValue(like.Graph())
		}
	}
	w1, b1 := variable("conv1/weights", 0.3, 3, 3, 3, 8), variable("conv1/biases", 0.1, 8)
	w2, b2 := variable("conv2/weights", 0.2, 3, 3, 8, 16), variable("conv2/biases", 0.1, 16)
	w3, b3 := variable("dense/weights", 0.5, 16, 10), variable("dense/biases", 0.1, 10)
	dense := func(scope *model.Scope, pooled *Node) *Node {
		return nn.AddBias(MatMul(pooled, w3(scope, pooled)), b3(scope, pooled))
	}
	net.Layers = []network.Layer{
		{Name: "conv1", Build: func(scope *model.Scope, x *Node) *Node {
			return nn.ReLU(nn.AddBias(nn.Conv(x, w1(scope, x)), b1(scope, x)))
		}},
		{Name: "conv2", Build: func(scope *model.Scope, x *Node) *Node {
			x = nn.MaxPool2x2(x)
			return nn.ReLU(nn.AddBias(nn.Conv(x, w2(scope, x)), b2(scope, x)))
		}},
	}
	net.Head = func(scope *model.Scope, act *Node) *Node { return dense(scope, ReduceMean(act, 1, 2)) }
	net.Gradients = func(scope *model.Scope, x, target, share *Node) (*Node, map[string]*Node) {
		y1, back1 := nn.ConvReLU(x, w1(scope, x), b1(scope, x))
		pool := nn.MaxPool2x2(y1)
		y2, back2 := nn.ConvReLU(pool, w2(scope, x), b2(scope, x))
		pooled := ReduceMean(y2, 1, 2)
		loss := Mul(score.TargetLoss(dense(scope, pooled), target), share)
		g := Gradient(loss, w3(scope, x), b3(scope, x), pooled)
		d := y2.Shape().Dimensions
		dw2, db2, dpool := back2(BroadcastToDims(InsertAxes(DivScalar(g[2], float64(d[1]*d[2])), 1, 1), d...))
		dw1, db1, _ := back1(nn.MaxPool2x2Gradient(y1, pool, dpool))
		return loss, map[string]*Node{
			"/conv1/weights": dw1, "/conv1/biases": db1, "/conv2/weights": dw2, "/conv2/biases": db2, "/dense/weights": g[0], "/dense/biases": g[1],
		}
	}
	return net
}

// set is images in memory that tests change.
type set struct {
	*images.Memory
	pixels []uint8
	labels []int
}

// few returns n images of 8×8 pixels and ten classes in turn: noise, brighter by class in
// one row.
func few(t testing.TB, n int) *set {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	size := images.Size{Height: 8, Width: 8, Channels: 3}
	s := &set{pixels: make([]uint8, n*size.Values()), labels: make([]int, n)}
	for i := range n {
		s.labels[i] = i % 10
		image := s.pixels[i*size.Values():][:size.Values()]
		for p := range image {
			image[p] = uint8(rng.IntN(128))
			if p/24 == i%10%8 {
				image[p] += uint8(8 * (i%10 + 5))
			}
		}
	}
	classes := make([]string, 10)
	for c := range classes {
		classes[c] = fmt.Sprintf("class %d", c)
	}
	var err error
	if s.Memory, err = images.NewMemory(size, classes, s.pixels, s.labels); err != nil {
		t.Fatal(err)
	}
	return s
}

func subset(t testing.TB, ds images.Dataset, positions ...int) images.Dataset {
	t.Helper()
	s, err := images.Subset(ds, positions...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func encode(t testing.TB, net *network.Network) []byte {
	t.Helper()
	data, err := net.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func evaluate(t testing.TB, b compute.Backend, net *network.Network, ds images.Dataset) *score.Evaluation {
	t.Helper()
	e, err := NewEvaluator(b, net)
	if err != nil {
		t.Fatal(err)
	}
	ev, err := e.Evaluate(t.Context(), ds)
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

// drawn is how many bytes of its random numbers' state pure Go uses. It leaves the rest of
// a new state as the memory was (GoMLX v0.28.1).
const drawn = 16

// variables returns copies of all variables' contents.
func variables(t testing.TB, net *network.Network) (all map[string][]byte) {
	t.Helper()
	all = make(map[string][]byte)
	for v := range net.Store.IterVariables() {
		if err := v.MustValue().ConstBytes(func(b []byte) { all[v.Path()] = slices.Clone(b) }); err != nil {
			t.Fatal(err)
		}
		if v.Name() == model.RNGStateVariableName {
			all[v.Path()] = all[v.Path()][:drawn]
		}
	}
	return all
}
