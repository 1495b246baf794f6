package metric_test

import (
	"context"
	"math"
	"sync/atomic"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// adder is a network whose scores can be added up by hand: that of class c is
// Σ_p a_pc x_p + b_c over all values p of an image of one size, behind a gain of 1.
type adder struct {
	*network.Network
	height, width int
	built         *atomic.Int32
}

// newAdder takes one row of coefficients per class, [height, width, channels] each,
// and the biases.
func newAdder(height, width, channels int, bias []float32, a ...[]float32) adder {
	values := make([]float32, 0, len(a)*height*width*channels)
	for p := range height * width * channels {
		for c := range a {
			values = append(values, a[c][p])
		}
	}
	store := model.NewStore()
	store.VariableWithValue("features/gain", tensors.FromFlatDataAndDimensions([]float32{1}, 1))
	store.VariableWithValue("head/a", tensors.FromFlatDataAndDimensions(values, height*width*channels, len(a)))
	store.VariableWithValue("head/b", tensors.FromFlatDataAndDimensions(bias, 1, len(a)))
	built := new(atomic.Int32)
	return adder{&network.Network{
		Name: "adder", Store: store,
		Layers: []network.Layer{{Name: "gain", Build: func(scope *model.Scope, x *Node) *Node {
			built.Add(1)
			x.AssertDims(-1, height, width, channels)
			gain := scope.At("features").GetVariable("gain").NodeValue(x.Graph())
			return Mul(x, BroadcastToDims(InsertAxes(gain, 0, 0, 0), x.Shape().Dimensions...))
		}}},
		Head: func(scope *model.Scope, act *Node) *Node {
			in := scope.At("head")
			a := in.GetVariable("a").NodeValue(act.Graph())
			b := in.GetVariable("b").NodeValue(act.Graph())
			y := MatMul(Reshape(act, act.Shape().Dim(0), -1), a)
			return Add(y, BroadcastToDims(b, y.Shape().Dimensions...))
		},
	}, height, width, built}
}

// pictures are images of one channel, unless that is given.
func pictures(height, width int, pixels ...[]float32) images.Batch {
	x := images.Batch{N: len(pixels), Height: height, Width: width, Channels: len(pixels[0]) / (height * width)}
	for _, p := range pixels {
		x.Pixels = append(x.Pixels, p...)
	}
	return x
}

// mapsOf is a result of one map per image.
func mapsOf(s *metric.Batch, height, width int, maps ...[]float32) *cam.Result {
	r := &cam.Result{Method: "hand", N: len(maps), Class: s.Classes(), Height: height, Width: width}
	for _, m := range maps {
		r.Maps = append(r.Maps, m...)
	}
	return r
}

func evaluator(t testing.TB, net adder, opts metric.Options) *metric.Evaluator {
	t.Helper()
	m, err := metric.New(backendtest.Go(t), net.Network, opts)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// batch prepares images for class 0.
func batch(t testing.TB, net adder, opts metric.Options, x images.Batch) *metric.Batch {
	t.Helper()
	s, err := evaluator(t, net, opts).Prepare(t.Context(), x, make([]int, x.N))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// judge makes a case of maps at the images' size.
func judge(t testing.TB, s *metric.Batch, maps ...[]float32) *metric.Case {
	t.Helper()
	c, err := s.Case(mapsOf(s, s.Images().Height, s.Images().Width, maps...), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
}

// want fails unless two slices agree within rounding of the network's float32.
func want(t tester, what string, got, want []float64, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	wantWithin(t, what, got, want, 2e-6)
}

func wantWithin(t tester, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
		return
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tolerance) {
			t.Errorf("%s: %v, want %v", what, got, want)
			return
		}
	}
}

// valuesOf computes one of the list.
func valuesOf(t testing.TB, c *metric.Case, name string) ([]float64, error) {
	t.Helper()
	m, err := metric.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return m.Compute(context.Background(), c)
}

// ln is a coefficient that multiplies the odds of class 0 against a second class
// without any by x.
func ln(x float64) float32 { return float32(math.Log(x)) }
