package best

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/exec"
	"github.com/camlab-go/camlab/internal/nn"
)

// TestDevicesRoundAlike: on 2 and 4 devices, the second of which do not divide the images, the
// gradients and the averages of batch normalization are no farther from those in float64 than on
// one. In float32 they are up to 1 % off them: these are sums over all pixels of what is
// nearly as often negative as positive, the more so of noise in classes of equal size.
func TestDevicesRoundAlike(t *testing.T) {
	b := backendtest.XLA(t)
	const n = 18
	rng := rand.New(rand.NewPCG(1, 2))
	pixels, labels := make([]uint8, n*32*32*3), make([]int32, n)
	for i := range pixels {
		pixels[i] = uint8(rng.IntN(256))
	}
	for i := range labels {
		labels[i] = int32(i % 9)
	}
	ds := few(t, 100)
	gradientsOn := func(count int, dtype dtypes.DType) map[string][]float32 {
		net := New(1)
		if err := Whiten(net, ds); err != nil {
			t.Fatal(err)
		}
		d, err := exec.Among(b, count)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		program, err := exec.NewProgram(b, d, net.Store, exec.AllShared, func(scope *model.Scope, in []*graph.Node) []*graph.Node {
			x := graph.ConvertDType(nn.FromBytes(in[0]), dtype)
			net.Store.SetTraining(x.Graph(), true)
			_, all := gradients(scope, x, graph.OneHot(in[1], 10, dtype), graph.ScalarOne(x.Graph(), dtype))
			names = slices.Sorted(maps.Keys(all))
			var out []*graph.Node
			for _, name := range names {
				out = append(out, graph.ConvertDType(all[name], dtypes.Float32))
			}
			return out
		})
		if err != nil {
			t.Fatal(err)
		}
		var in []exec.Value
		for _, x := range []*tensors.Tensor{
			tensors.FromFlatDataAndDimensions(slices.Clone(pixels), n, 32, 32, 3), tensors.FromFlatDataAndDimensions(slices.Clone(labels), n),
		} {
			v, err := d.Shares(x)
			if err != nil {
				t.Fatal(err)
			}
			in = append(in, v)
		}
		out, err := program.Run(in...)
		if err != nil {
			t.Fatal(err)
		}
		all := make(map[string][]float32)
		for i, name := range names {
			all[name] = tensors.MustCopyFlatData[float32](out[i].First())
		}
		return all
	}
	want, one := gradientsOn(1, dtypes.Float64), gradientsOn(1, dtypes.Float32)
	for _, count := range []int{2, 4} {
		got := gradientsOn(count, dtypes.Float32)
		for name := range want {
			off, limit := apart(got[name], want[name]), 1.5*apart(one[name], want[name])+1e-6
			if !(off <= limit) || !(limit < 0.02) {
				t.Errorf("%d devices: %s is off by %.2g, want at most %.2g", count, name, off, limit)
			}
		}
	}
}

// apart is the Euclidean length of a difference over that of want.
func apart(got, want []float32) float64 {
	off, size := 0.0, 0.0
	for i, w := range want {
		off += math.Pow(float64(got[i])-float64(w), 2)
		size += math.Pow(float64(w), 2)
	}
	return math.Sqrt(off / size)
}
