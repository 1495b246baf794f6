package cnn

import (
	"fmt"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

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
	for _, d := range [][5]int{ // images, height, width, in, out
		{2, 6, 10, 3, 5}, {1, 1, 1, 2, 2}, {2, 32, 36, 64, 64}, {2, 32, 36, 32, 64}, {17, 12, 12, 32, 64}, {32, 8, 8, 64, 32}, {22, 10, 12, 64, 64}, {2, 8, 8, 3, 8},
	} {
		// values returns the convolution and its gradients for an output's gradient.
		values := func(b compute.Backend, convolve func(x, w *Node) *Node) [][]float32 {
			fn := func(in []*Node) []*Node {
				y := convolve(in[0], in[1])
				if backend.IsGo(b) {
					return []*Node{y} // no gradient of a slice there
				}
				return append([]*Node{y}, Gradient(ReduceAllSum(Mul(y, in[2])), in[0], in[1])...)
			}
			// A tensor belongs to one backend, so each has its own.
			return flatOn(t, b, fn, tensor(1, d[0], d[1], d[2], d[3]), tensor(2, 3, 3, d[3], d[4]), tensor(3, d[0], d[1], d[2], d[4]))
		}
		want := values(xla, directConvolution)
		ways := map[string][][]float32{"XLA": values(xla, convolve)}
		if d[0]*d[3] <= 64 { // the pure-Go backend is slow
			ways["pure Go"] = values(pureGo, convolve)
			ways["columns on XLA"] = values(xla, columnsConvolution)
		}
		for name, got := range ways {
			for k, values := range got {
				what := []string{"value", "gradient of the input", "gradient of the kernel"}[k]
				near(t, fmt.Sprintf("%v, %s: %s", d, name, what), values, want[k], 2e-5)
			}
		}
	}
}

// TestKernelGradient holds the kernel gradients to the products of all pixels, where the
// gradient that they are given depends on the kernel, as in a network.
func TestKernelGradient(t *testing.T) {
	for _, in := range []int{3, 5} {
		out := flat(t, func(in []*Node) []*Node {
			x, w := in[0], in[1]
			dz := directConvolution(x, w)
			want := Einsum("pk,po->ko", columns(x), Reshape(dz, -1, 4))
			return []*Node{kernelGradient(x, w, dz), want}
		}, tensor(1, 2, 6, 10, in), tensor(2, 3, 3, in, 4))
		near(t, fmt.Sprintf("%d channels", in), out[0], out[1], 2e-5)
	}
}

// TestTileable: which convolutions XLA is not left to do in its own way.
func TestTileable(t *testing.T) {
	for _, test := range []struct {
		dims [5]int // images, height, width, in, out
		want bool
	}{
		{[5]int{8, 16, 16, 128, 128}, true}, {[5]int{7, 16, 16, 128, 128}, false}, {[5]int{1, 112, 112, 64, 64}, true},
		{[5]int{32, 18, 16, 128, 128}, false}, {[5]int{32, 16, 18, 128, 128}, false}, {[5]int{32, 16, 16, 3, 128}, false},
		{[5]int{32, 16, 16, 32, 128}, true}, {[5]int{32, 16, 16, 128, 32}, false}, {[5]int{32, 32, 32, 32, 32}, false},
	} {
		d := test.dims
		zeros := func(dims ...int) *tensors.Tensor { return tensors.FromShape(shapes.Make(dtypes.Float32, dims...)) }
		flat(t, func(in []*Node) []*Node {
			if got := tileable(in[0], in[1]); got != test.want {
				t.Errorf("%v: tileable %v, want %v", d, got, test.want)
			}
			return []*Node{ScalarOne(in[0].Graph(), in[0].DType())}
		}, zeros(d[0], d[1], d[2], d[3]), zeros(3, 3, d[3], d[4]))
	}
}
