package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/internal/backend"
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

// flat runs a graph function on a backend and returns its outputs, row by row.
func flat(t *testing.T, backend compute.Backend, fn func(in []*Node) []*Node, in ...any) [][]float32 {
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

func TestMaxPoolIsGoMLXs(t *testing.T) {
	fn := func(pool func(x *Node) *Node) func(in []*Node) []*Node {
		return func(in []*Node) []*Node {
			y := pool(in[0])
			if backend.KindOf(y.Graph().Backend()) == backend.PureGo {
				return []*Node{y} // GoMLX's has no gradient there
			}
			return append([]*Node{y}, Gradient(ReduceAllSum(Mul(y, in[1])), in[0])...)
		}
	}
	onEach(t, func(t *testing.T, b compute.Backend) {
		x, dy := tensor(1, 2, 4, 6, 3), tensor(2, 2, 2, 3, 3)
		got := flat(t, b, fn(MaxPool2x2), x, dy)
		want := flat(t, b, fn(func(x *Node) *Node { return MaxPool(x).Window(2).Done() }), x, dy)
		for i, what := range []string{"maxima", "gradient"}[:len(got)] {
			backendtest.Near(t, what, got[i], want[i], 0)
		}
	})
}

func TestPoolGradientIsAutodiffs(t *testing.T) {
	flat4 := func(v ...float32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(v, 1, 2, 2, 1) }
	onEach(t, func(t *testing.T, b compute.Backend) {
		// Five in six of the values become zeros, and half of the windows are all zeros:
		// ties, of which the first gets the gradient.
		x, dy := tensor(3, 2, 4, 6, 3), tensor(4, 2, 2, 3, 3)
		out := flat(t, b, func(in []*Node) []*Node {
			y := ReLU(AddScalar(in[0], -1))
			pool := MaxPool2x2(y)
			return []*Node{MaxPool2x2Gradient(y, pool, in[1]), Gradient(ReduceAllSum(Mul(pool, in[1])), y)[0]}
		}, x, dy)
		backendtest.Near(t, "gradient", out[0], out[1], 0)

		for _, c := range []struct{ window, want *tensors.Tensor }{
			{flat4(5, 5, 5, 5), flat4(1, 0, 0, 0)}, {flat4(1, 5, 5, 2), flat4(0, 1, 0, 0)}, {flat4(1, 2, 5, 5), flat4(0, 0, 1, 0)},
		} {
			out := flat(t, b, func(in []*Node) []*Node {
				pool := MaxPool2x2(in[0])
				return []*Node{MaxPool2x2Gradient(in[0], pool, OnesLike(pool)), Gradient(ReduceAllSum(pool), in[0])[0]}
			}, c.window)
			for _, got := range out {
				backendtest.Near(t, "a tie's gradient", got, tensors.MustCopyFlatData[float32](c.want), 0)
			}
		}
	})
}

// onEach runs a test on every backend.
func onEach(t *testing.T, f func(t *testing.T, b compute.Backend)) {
	t.Run("xla", func(t *testing.T) { f(t, backendtest.XLA(t)) })
	t.Run("go", func(t *testing.T) { f(t, backendtest.Go(t)) })
}

var nan, inf = float32(math.NaN()), float32(math.Inf(1))

// TestReLU: the values, bit for bit but for the sign of zero, and the gradients of
// max(x, 0), and what is not finite for what is not.
func TestReLU(t *testing.T) {
	x := append(random(1, 1000), 0, float32(math.Copysign(0, -1)), 1e-30, -1e-30, math.MaxFloat32, -math.MaxFloat32)
	dy := random(2, len(x))
	onEach(t, func(t *testing.T, b compute.Backend) {
		out := flat(t, b, func(in []*Node) []*Node {
			y := ReLU(in[0])
			return []*Node{y, Gradient(ReduceAllSum(Mul(y, in[1])), in[0])[0], reluGradient(y, in[1])}
		}, x, dy)
		for i, v := range x {
			want, slope := float32(0), float32(0)
			if v > 0 {
				want, slope = v, dy[i]
			}
			if out[0][i] != want {
				t.Errorf("ReLU(%v) = %v, want %v", v, out[0][i], want)
			}
			if out[1][i] != slope || out[2][i] != slope {
				t.Errorf("gradient at %v: %v, by hand %v, want %v", v, out[1][i], out[2][i], slope)
			}
		}
		bad := []float32{nan, inf, -inf}
		for i, y := range flat(t, b, func(in []*Node) []*Node { return []*Node{ReLU(in[0])} }, bad)[0] {
			if y-y == 0 {
				t.Errorf("ReLU(%v) = %v, want NaN or +Inf", bad[i], y)
			}
		}
	})
}

// TestPoolKeepsFaults: each of a window's four pixels can be the one that is not finite.
func TestPoolKeepsFaults(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		for at := range 4 {
			for _, bad := range []float32{nan, inf, -inf} {
				x := []float32{1, 2, 3, 4}
				x[at] = bad
				y := flat(t, b, func(in []*Node) []*Node { return []*Node{MaxPool2x2(ReLU(Reshape(in[0], 1, 2, 2, 1)))} }, x)[0]
				if !slices.Equal(y, []float32{inf}) {
					t.Errorf("largest of ReLU of %v is %v, want +Inf", x, y)
				}
			}
		}
	})
}

// TestWinogradIsConvolution protects the transforms, their transposes and the tiles'
// borders: an asymmetric kernel on random images, against the direct convolution and its
// automatic differentiation.
func TestWinogradIsConvolution(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		in := func() []any { return []any{tensor(6, 2, 8, 12, 3), tensor(7, 3, 3, 3, 5), tensor(8, 2, 8, 12, 5)} }
		got := flat(t, b, func(in []*Node) []*Node {
			v, u := winogradInput(in[0]), winogradKernel(in[1])
			dw, db, dx := winogradGradient(OnesLike(in[2]), in[2], v, u)
			return []*Node{winogradConvolve(v, u, 2, 8, 12), dw, dx, db}
		}, in()...)
		want := flat(t, b, func(in []*Node) []*Node {
			y := directConvolution(in[0], in[1])
			g := Gradient(ReduceAllSum(Mul(y, in[2])), in[1], in[0])
			return []*Node{y, g[0], g[1], ReduceSum(in[2], 0, 1, 2)}
		}, in()...)
		for i, what := range []string{"output", "kernel gradient", "input gradient", "bias gradient"} {
			backendtest.Near(t, what, got[i], want[i], 1e-5) // float32: the transforms' factors reach 8 and 1/24
		}
	})
}

// TestConvReLUIsAutodiffs: a layer and its way back, in every form, are those of automatic
// differentiation, with the ReLU's mask and the bias.
func TestConvReLUIsAutodiffs(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		for _, d := range [][5]int{{2, 6, 10, 3, 5}, {2, 8, 8, 32, 4}, {1, 8, 4, 32, 64}} { // images, height, width, in, out
			out := flat(t, b, func(in []*Node) []*Node {
				x, w, bias, dy := in[0], in[1], in[2], in[3]
				y, back := ConvReLU(x, w, bias)
				dw, db, dx := back(dy)
				want := ReLU(AddBias(directConvolution(x, w), bias))
				return append([]*Node{y, dw, db, dx, want}, Gradient(ReduceAllSum(Mul(want, dy)), w, bias, x)...)
			}, tensor(1, d[0], d[1], d[2], d[3]), tensor(2, 3, 3, d[3], d[4]), tensor(3, d[4]), tensor(4, d[0], d[1], d[2], d[4]))
			for i, what := range []string{"output", "kernel gradient", "bias gradient", "input gradient"} {
				backendtest.Near(t, fmt.Sprintf("%v: %s", d, what), out[i], out[4+i], 1e-5)
			}
		}
	})
}

// TestConvNormReLUIsAutodiffs: the layer, its moments and its way back are those of automatic
// differentiation, with a pool and without, and a scale that is not 1.
func TestConvNormReLUIsAutodiffs(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		for _, d := range [][5]int{{2, 6, 10, 3, 5}, {2, 8, 8, 32, 4}, {1, 8, 4, 32, 64}} { // images, height, width, in, out
			for _, pool := range []bool{false, true} {
				out := flat(t, b, func(in []*Node) []*Node {
					x, w, scale, bias, dy := in[0], in[1], in[2], in[3], in[4]
					p := directConvolution(x, w)
					if pool {
						p = MaxPool2x2(p)
						dy = Slice(dy, AxisRange(), AxisRange().Stride(2), AxisRange().Stride(2))
					}
					y, m, back := ConvNormReLU(x, w, scale, bias, pool)
					dw, db, dx := back(dy)
					moments := Moments{ReduceMean(p, 0, 1, 2), ReduceMean(Square(Sub(p, ReduceAndKeep(p, ReduceMean, 0, 1, 2))), 0, 1, 2)}
					want := ReLU(AddBias(Mul(Normalize(p, moments), ExpandLeftToRank(scale, 4)), bias))
					return append([]*Node{y, m.Mean, m.Variance, dw, db, dx, want, moments.Mean, moments.Variance}, Gradient(ReduceAllSum(Mul(want, dy)), w, bias, x)...)
				}, tensor(1, d[0], d[1], d[2], d[3]), tensor(2, 3, 3, d[3], d[4]), tensor(3, d[4]), tensor(4, d[4]), tensor(5, d[0], d[1], d[2], d[4]))
				for i, what := range []string{"output", "mean", "variance", "kernel gradient", "bias gradient", "input gradient"} {
					backendtest.Near(t, fmt.Sprintf("%v, pool %v: %s", d, pool, what), out[i], out[6+i], 1e-4)
				}
			}
		}
	})
}
