package cnn

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/internal/backendtest"
)

// random returns n normal values of a fixed seed.
func random(seed uint64, n int) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// tensor returns random values in a shape.
func tensor(seed uint64, dims ...int) *tensors.Tensor {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return tensors.FromFlatDataAndDimensions(random(seed, n), dims...)
}

// flat runs a graph function on XLA and returns its outputs, row by row.
func flat(t *testing.T, fn func(in []*Node) []*Node, in ...any) [][]float32 {
	t.Helper()
	return flatOn(t, backendtest.XLA(t), fn, in...)
}

// flatOn is flat on any backend.
func flatOn(t *testing.T, backend compute.Backend, fn func(in []*Node) []*Node, in ...any) [][]float32 {
	t.Helper()
	exec, err := NewExec(backend, fn)
	if err != nil {
		t.Fatal(err)
	}
	outs, err := exec.Call(in...)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]float32
	for _, o := range outs {
		v, err := tensors.CopyFlatData[float32](o)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// near fails unless got and want differ by at most tolerance times the largest
// value of want.
func near(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	largest, worst, at := 0.0, 0.0, 0
	for i := range want {
		largest = max(largest, math.Abs(float64(want[i])))
		if d := math.Abs(float64(got[i] - want[i])); d > worst || math.IsNaN(d) {
			worst, at = d, i
		}
	}
	if !(worst <= tolerance*largest) {
		t.Errorf("%s: value %d is %v, want %v: off by %.2g of the largest, %.3g; want at most %.2g",
			what, at, got[at], want[at], worst/largest, largest, tolerance)
	}
}

func TestCostIsTheArticlesClippedCost(t *testing.T) {
	// Row 2 is a probability of e-30, below the article's clip at 1e-10: there
	// the clipped cost stops at -log(1e-10), the stable one does not.
	fn := func(in []*Node) []*Node { return []*Node{Cost(in[0], in[1]), ClippedCost(in[0], in[1])} }
	usual := flat(t, fn, [][]float32{{1, 2, 0.5}, {-3, 0, 4}}, []uint8{1, 2})
	// By hand: -log(e^2/(e+e^2+e^0.5)) and -log(e^4/(e^-3+1+e^4)), mean.
	want := (-math.Log(math.Exp(2)/(math.E+math.Exp(2)+math.Exp(0.5))) - math.Log(math.Exp(4)/(math.Exp(-3)+1+math.Exp(4)))) / 2
	near(t, "cost", usual[0], []float32{float32(want)}, 1e-6)
	near(t, "clipped cost", usual[1], []float32{float32(want)}, 1e-6)

	extreme := flat(t, fn, [][]float32{{0, 30, 0}}, []uint8{0})
	near(t, "cost of an unlikely label", extreme[0], []float32{30}, 1e-6)
	near(t, "clipped cost of an unlikely label", extreme[1], []float32{float32(-math.Log(1e-10))}, 1e-6)
}

func TestReLUHasNoGradientAtZero(t *testing.T) {
	out := flat(t, func(in []*Node) []*Node {
		return append([]*Node{relu(in[0])}, Gradient(ReduceAllSum(relu(in[0])), in[0])...)
	}, []float32{-1, 0, 2})
	near(t, "relu", out[0], []float32{0, 0, 2}, 0)
	near(t, "gradient", out[1], []float32{0, 0, 1}, 0)
}

func TestMaxPoolIsGoMLXs(t *testing.T) {
	fn := func(pool func(x *Node) *Node) func(in []*Node) []*Node {
		return func(in []*Node) []*Node {
			y := pool(in[0])
			return append([]*Node{y}, Gradient(ReduceAllSum(Mul(y, in[1])), in[0])...)
		}
	}
	x, dy := tensor(1, 2, 4, 6, 3), tensor(2, 2, 2, 3, 3)
	got := flat(t, fn(maxPool), x, dy)
	want := flat(t, fn(func(x *Node) *Node { return MaxPool(x).Window(2).Done() }), x, dy)
	near(t, "maxima", got[0], want[0], 0)
	near(t, "gradient", got[1], want[1], 0)
}

func TestPoolGradientIsAutodiffs(t *testing.T) {
	// Five in six of the values become zeros, and half of the windows are all zeros: ties,
	// of which the first gets the gradient.
	x, dy := tensor(3, 2, 4, 6, 3), tensor(4, 2, 2, 3, 3)
	out := flat(t, func(in []*Node) []*Node {
		y := relu(AddScalar(in[0], -1))
		pool := maxPool(y)
		return []*Node{poolGradient(y, pool, in[1]), Gradient(ReduceAllSum(Mul(pool, in[1])), y)[0]}
	}, x, dy)
	near(t, "gradient", out[0], out[1], 0)

	flat4 := func(v ...float32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(v, 1, 2, 2, 1) }
	for _, c := range []struct{ window, want *tensors.Tensor }{
		{flat4(5, 5, 5, 5), flat4(1, 0, 0, 0)}, {flat4(1, 5, 5, 2), flat4(0, 1, 0, 0)}, {flat4(1, 2, 5, 5), flat4(0, 0, 1, 0)},
	} {
		out := flat(t, func(in []*Node) []*Node {
			pool := maxPool(in[0])
			return []*Node{poolGradient(in[0], pool, OnesLike(pool)), Gradient(ReduceAllSum(pool), in[0])[0]}
		}, c.window)
		for _, got := range out {
			near(t, "a tie's gradient", got, tensors.MustCopyFlatData[float32](c.want), 0)
		}
	}
}

// TestWinogradIsConvolution protects the transforms, their transposes and the
// tiles' borders: an asymmetric kernel on random images, against the direct
// convolution and its automatic differentiation.
func TestWinogradIsConvolution(t *testing.T) {
	x, w, dy := tensor(6, 2, 8, 12, 3), tensor(7, 3, 3, 3, 5), tensor(8, 2, 8, 12, 5)
	got := flat(t, func(in []*Node) []*Node {
		v, u := winogradInput(in[0]), winogradKernel(in[1])
		dw, _, dx := winogradGradient(OnesLike(in[2]), in[2], v, u)
		return []*Node{winogradConvolve(v, u, 2, 8, 12), dw, dx}
	}, x, w, dy)
	want := flat(t, func(in []*Node) []*Node {
		y := Convolve(in[0], in[1]).PadSame().Done()
		g := Gradient(ReduceAllSum(Mul(y, in[2])), in[1], in[0])
		return []*Node{y, g[0], g[1]}
	}, x, w, dy)
	for i, what := range []string{"output", "kernel gradient", "input gradient"} {
		near(t, what, got[i], want[i], 1e-5) // float32: the transforms' factors reach 8 and 1/24
	}
}

func TestPickFlipsAndCrops(t *testing.T) {
	// One image whose red is its row, green its column, blue 255: each crop can be read off.
	pixels := make([]uint8, 2*32*32*3)
	for p := range 32 * 32 {
		image := pixels[(32*32+p)*3:] // the second image
		image[0], image[1], image[2] = uint8(p/32), uint8(p%32), 255
	}
	out := flat(t, func(in []*Node) []*Node {
		x, label := pick(in[0], in[1], in[2])
		return []*Node{MulScalar(x, 255), ConvertDType(label, x.DType())}
	}, tensors.FromFlatDataAndDimensions(pixels, 2, 32, 32, 3), []uint8{3, 7},
		[][]int32{{1, 0, 4, 4}, {1, 1, 4, 4}, {1, 0, 0, 7}, {0, 0, 4, 4}})
	at := func(image, row, col int) [3]int {
		v := out[0][((image*32+row)*32+col)*3:]
		return [3]int{int(math.Round(float64(v[0]))), int(math.Round(float64(v[1]))), int(math.Round(float64(v[2])))}
	}
	for _, c := range []struct {
		what            string
		image, row, col int
		want            [3]int
	}{
		{"original stays", 0, 5, 9, [3]int{5, 9, 255}},
		{"flip mirrors columns", 1, 5, 9, [3]int{5, 22, 255}},
		{"crop from row 0, column 7: moved down 4 and left 3", 2, 10, 9, [3]int{6, 12, 255}},
		{"crop is black above the image", 2, 3, 9, [3]int{0, 0, 0}},
		{"crop is black right of the image", 2, 10, 29, [3]int{0, 0, 0}},
		{"the other image", 3, 5, 9, [3]int{0, 0, 0}},
	} {
		if got := at(c.image, c.row, c.col); got != c.want {
			t.Errorf("%s: pixel %v, want %v", c.what, got, c.want)
		}
	}
	near(t, "labels", out[1], []float32{7, 7, 7, 3}, 0)
}
