package best

import (
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/nn"
)

// few returns images of the sample.
func few(t *testing.T, n int) images.Dataset {
	t.Helper()
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	ds, err := images.Subset(cifar10.Sample(), all...)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// TestGradientsAreAutodiffs holds the loss, every gradient by hand and the averages of batch
// normalization to automatic differentiation of the network in training.
func TestGradientsAreAutodiffs(t *testing.T) {
	for name, row := range map[string]struct {
		backend   func(testing.TB) compute.Backend
		images    int
		dtype     dtypes.DType
		tolerance float64
	}{
		"go":  {backendtest.Go, 2, dtypes.Float64, 1e-6},
		"xla": {backendtest.XLA, 17, dtypes.Float32, 5e-3}, // Winograd's factors reach 8 and 1/24, over seven layers that cancel means
	} {
		t.Run(name, func(t *testing.T) {
			b, net := row.backend(t), New(1)
			ds := few(t, row.images)
			if err := Whiten(net, ds); err != nil {
				t.Fatal(err)
			}
			names := []string{"loss"}
			exec, err := model.NewExec(b, net.Store, func(scope *model.Scope, in []*graph.Node) []*graph.Node {
				x := graph.ConvertDType(nn.FromBytes(in[0]), row.dtype)
				net.Store.SetTraining(x.Graph(), true)
				share := graph.ScalarOne(x.Graph(), x.DType())
				target := graph.OneHot(in[1], 10, x.DType())
				loss, all := gradients(scope, x, target, share)
				auto := score.TargetLoss(net.Forward(scope, x), target)
				out := []*graph.Node{loss, auto}
				for v := range net.Variables() {
					if byHand := all[v.Path()]; byHand != nil {
						want := v.NodeValue(x.Graph())
						if v.Trainable {
							want = graph.Gradient(auto, want)[0]
						}
						names = append(names, v.Path())
						out = append(out, byHand, want)
					}
				}
				for i := range out {
					out[i] = graph.ConvertDType(out[i], dtypes.Float32)
				}
				return out
			})
			if err != nil {
				t.Fatal(err)
			}
			pixels, err := images.Pixels(ds)
			if err != nil {
				t.Fatal(err)
			}
			labels := make([]int32, ds.Len())
			for i, l := range images.Labels(ds) {
				labels[i] = int32(l)
			}
			out, err := exec.Call(tensors.FromFlatDataAndDimensions(pixels, ds.Len(), 32, 32, 3), labels)
			if err != nil {
				t.Fatal(err)
			}
			for i, name := range names {
				backendtest.Near(t, name, tensors.MustCopyFlatData[float32](out[2*i]), tensors.MustCopyFlatData[float32](out[2*i+1]), row.tolerance)
			}
			if len(names) != 1+6*4+2 {
				t.Errorf("%d gradients and averages, want 26", len(names)-1)
			}
		})
	}
}
