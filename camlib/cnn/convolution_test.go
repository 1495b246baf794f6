package cnn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/gomlx/backends"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/camlab-go/camlab/internal/backend"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestConvolutionsAgree holds the value of every convolution, and on XLA its gradients
// with respect to the input and the kernel, to XLA's own.
func TestConvolutionsAgree(t *testing.T) {
	xla := backendtest.XLA(t)
	pureGo, err := backend.Go()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func(dims ...int) *tensors.Tensor {
		n := 1
		for _, d := range dims {
			n *= d
		}
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		return tensors.FromFlatDataAndDimensions(v, dims...)
	}
	// values returns the convolution and its gradients for the output's gradient v.
	values := func(b backends.Backend, convolve func(x, w *Node) *Node, x, w, v *tensors.Tensor) [][]float32 {
		t.Helper()
		exec, err := NewExec(b, func(x, w, v *Node) []*Node {
			y := convolve(x, w)
			if backend.IsGo(b) {
				return []*Node{y} // no gradient of a slice there
			}
			return append([]*Node{y}, Gradient(ReduceAllSum(Mul(y, v)), x, w)...)
		})
		if err != nil {
			t.Fatal(err)
		}
		copied := func(t *tensors.Tensor) *tensors.Tensor {
			return tensors.FromFlatDataAndDimensions(tensors.MustCopyFlatData[float32](t), t.Shape().Dimensions...)
		}
		out, err := exec.Exec(copied(x), copied(w), copied(v)) // a tensor belongs to one backend
		if err != nil {
			t.Fatal(err)
		}
		var all [][]float32
		for _, o := range out {
			all = append(all, tensors.MustCopyFlatData[float32](o))
		}
		return all
	}
	for _, d := range [][5]int{ // images, height, width, in, out
		{2, 6, 10, 3, 5}, {1, 1, 1, 2, 2}, {16, 4, 8, 64, 64}, {17, 12, 4, 64, 64}, {16, 8, 8, 64, 32}, {16, 6, 8, 64, 64},
	} {
		x, w, v := draw(d[0], d[1], d[2], d[3]), draw(3, 3, d[3], d[4]), draw(d[0], d[1], d[2], d[4])
		want := values(xla, directConvolution, x, w, v)
		ways := map[string][][]float32{"XLA": values(xla, convolve, x, w, v)}
		if d[0]*d[3] <= 64 { // the pure-Go backend is slow
			ways["pure Go"] = values(pureGo, convolve, x, w, v)
			ways["columns on XLA"] = values(xla, columnsConvolution, x, w, v)
		}
		for name, got := range ways {
			for k, part := range []string{"value", "gradient of the input", "gradient of the kernel"} {
				if k == len(got) {
					break
				}
				if e := furthest(got[k], want[k]); !(e < 2e-5) {
					t.Errorf("%v, %s: %s differs by %.1e of the largest", d, name, part, e)
				}
			}
		}
	}
}

// TestTileable: which convolutions XLA is not left to do in its own way.
func TestTileable(t *testing.T) {
	for _, test := range []struct {
		dims [5]int // images, height, width, in, out
		want bool
	}{
		{[5]int{32, 16, 16, 128, 128}, true}, {[5]int{16, 4, 8, 64, 64}, true},
		{[5]int{64, 16, 16, 128, 128}, true}, {[5]int{65, 16, 16, 128, 128}, false}, {[5]int{32, 32, 32, 128, 128}, false},
		{[5]int{15, 16, 16, 128, 128}, false}, {[5]int{32, 18, 16, 128, 128}, false}, {[5]int{32, 16, 18, 128, 128}, false},
		{[5]int{32, 16, 16, 64, 128}, false}, {[5]int{32, 32, 32, 32, 32}, false},
	} {
		exec, err := NewExec(backendtest.XLA(t), func(x, w *Node) *Node {
			if got := tileable(x, w); got != test.want {
				t.Errorf("%v: tileable %v, want %v", test.dims, got, test.want)
			}
			return ScalarOne(x.Graph(), x.DType())
		})
		if err != nil {
			t.Fatal(err)
		}
		d := test.dims
		zeros := func(dims ...int) *tensors.Tensor {
			n := 1
			for _, v := range dims {
				n *= v
			}
			return tensors.FromFlatDataAndDimensions(make([]float32, n), dims...)
		}
		if _, err := exec.Exec(zeros(d[0], d[1], d[2], d[3]), zeros(3, 3, d[3], d[4])); err != nil {
			t.Fatal(err)
		}
	}
}

// furthest is the largest difference relative to the largest magnitude that is wanted.
func furthest(got, want []float32) float64 {
	if len(got) != len(want) {
		panic(fmt.Sprintf("%d values, want %d", len(got), len(want)))
	}
	worst, largest := 0.0, 0.0
	for i, w := range want {
		worst, largest = max(worst, math.Abs(float64(got[i]-w))), max(largest, math.Abs(float64(w)))
	}
	return worst / largest
}
