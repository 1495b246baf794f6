package nn

import (
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/internal/backendtest"
)

// BenchmarkConvolutions times the parts of a training step that are most of its
// work, at a batch of 128: each layer's convolution, forward and its gradients, in
// each way that there is. GFLOP/s are those of the direct sum.
func BenchmarkConvolutions(b *testing.B) {
	const n = 128
	layers := []struct {
		name          string
		side, in, out int
	}{{"conv1", 32, 3, 32}, {"conv2", 32, 32, 32}, {"conv3", 16, 32, 128}, {"conv4", 16, 128, 128}}
	ways := []struct {
		name string
		f    func(x, w *Node) *Node
	}{{"direct", directConvolution}, {"tiled", tiledConvolution}}
	for _, l := range layers {
		for _, way := range ways {
			if way.name == "tiled" && l.in != l.out {
				continue
			}
			grad := func(of int) func(x, w, dy *Node) *Node {
				return func(x, w, dy *Node) *Node { return Gradient(ReduceAllSum(Mul(way.f(x, w), dy)), x, w)[of] }
			}
			for _, part := range []struct {
				name string
				f    func(x, w, dy *Node) *Node
			}{
				{"forward", func(x, w, _ *Node) *Node { return way.f(x, w) }},
				{"input", grad(0)}, {"kernel", grad(1)},
			} {
				b.Run(l.name+"/"+part.name+"/"+way.name, func(b *testing.B) {
					back := backendtest.XLA(b)
					exec, err := NewExec(back, part.f)
					if err != nil {
						b.Fatal(err)
					}
					fill := func(dims ...int) *tensors.Tensor {
						size := 1
						for _, d := range dims {
							size *= d
						}
						v := make([]float32, size)
						for i := range v {
							v[i] = float32(i*7919%1000)/1000 - 0.5
						}
						return tensors.FromFlatDataAndDimensions(v, dims...)
					}
					x, w, dy := fill(n, l.side, l.side, l.in), fill(3, 3, l.in, l.out), fill(n, l.side, l.side, l.out)
					run := func() {
						out, err := exec.Call(x, w, dy)
						if err != nil {
							b.Fatal(err)
						}
						if _, err := tensors.CopyFlatData[float32](out[0]); err != nil {
							b.Fatal(err)
						}
					}
					run()
					for b.Loop() {
						run()
					}
					flops := 2 * 9 * float64(n*l.side*l.side*l.in*l.out)
					b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}
