package nn

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

// convolved returns a convolution on a backend and its gradients with respect to the input
// and the kernel, for an output's gradient.
func convolved(t *testing.T, b compute.Backend, d [5]int, convolve func(x, w *Node) *Node) [][]float32 {
	t.Helper()
	return flat(t, b, func(in []*Node) []*Node {
		y := convolve(in[0], in[1])
		return append([]*Node{y}, Gradient(ReduceAllSum(Mul(y, in[2])), in[0], in[1])...)
	}, tensor(1, d[0], d[1], d[2], d[3]), tensor(2, 3, 3, d[3], d[4]), tensor(3, d[0], d[1], d[2], d[4]))
}

// TestConvolutionsAgree holds the value of every form of a convolution, and its gradients,
// to the backend's own, and pure Go to XLA.
func TestConvolutionsAgree(t *testing.T) {
	shapes := [][5]int{ // images, height, width, in, out
		{2, 6, 10, 3, 5}, {1, 1, 1, 2, 2}, {2, 32, 36, 64, 64}, {2, 32, 36, 32, 64}, {17, 12, 12, 32, 64}, {32, 8, 8, 64, 32}, {22, 10, 12, 64, 64}, {2, 8, 8, 3, 8},
	}
	agree := func(t *testing.T, d [5]int, name string, got, want [][]float32) {
		t.Helper()
		for k, what := range []string{"value", "gradient of the input", "gradient of the kernel"} {
			backendtest.Near(t, fmt.Sprintf("%v, %s: %s", d, name, what), got[k], want[k], 2e-5)
		}
	}
	onEach(t, func(t *testing.T, b compute.Backend) {
		for _, d := range shapes {
			small, pureGo := d[0]*d[1]*d[2]*d[3] <= 4096, backend.KindOf(b) == backend.PureGo
			if pureGo && !small { // is slow
				continue
			}
			want := convolved(t, b, d, directConvolution)
			agree(t, d, "as it is", convolved(t, b, d, Conv), want)
			if small {
				agree(t, d, "columns", convolved(t, b, d, columnsConvolution), want)
			}
			if pureGo && d[1]%4 == 0 && d[2]%4 == 0 { // XLA has larger ones as they are
				agree(t, d, "tiles", convolved(t, b, d, tiledConvolution), want)
			}
		}
	})
	t.Run("one as the other", func(t *testing.T) {
		d := shapes[0]
		agree(t, d, "pure Go", convolved(t, backendtest.Go(t), d, Conv), convolved(t, backendtest.XLA(t), d, directConvolution))
	})
}

// TestKernelGradient holds the kernel gradients to the products of all pixels, where the
// gradient that they are given depends on the kernel, as in a network.
func TestKernelGradient(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		for _, in := range []int{3, 5} {
			out := flat(t, b, func(in []*Node) []*Node {
				x, w := in[0], in[1]
				dz := directConvolution(x, w)
				want := Einsum("pk,po->ko", columns(x), Reshape(dz, -1, 4))
				return []*Node{kernelGradient(x, w, dz), want}
			}, tensor(1, 2, 6, 10, in), tensor(2, 3, 3, in, 4))
			backendtest.Near(t, fmt.Sprintf("%d channels", in), out[0], out[1], 2e-5)
		}
	})
}

// TestTileable: which convolutions are done by tiles.
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
		flat(t, backendtest.Go(t), func(in []*Node) []*Node {
			if got := tileable(in[0], in[1]); got != test.want {
				t.Errorf("%v: tileable %v, want %v", d, got, test.want)
			}
			return []*Node{ScalarOne(in[0].Graph(), in[0].DType())}
		}, zeros(d[0], d[1], d[2], d[3]), zeros(3, 3, d[3], d[4]))
	}
}
