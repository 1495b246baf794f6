package best

import (
	"bytes"
	"context"
	"math"
	"reflect"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/camlib/train"
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

// TestResumedIsTheSame: a training by the recipe that was stopped and went on has the weights,
// moments and averages of one that was not, bit for bit, and leaves the averages of the
// weights in the network.
func TestResumedIsTheSame(t *testing.T) {
	b, ds := backendtest.XLA(t), few(t, 60)
	c, err := train.Recipe("best")
	if err != nil {
		t.Fatal(err)
	}
	c.Epochs, c.BatchSize, c.CheckpointEvery = 2, 30, -1
	run := func(ctx context.Context, dir string, onStep func(train.Progress)) *network.Network {
		net := New(c.Seed)
		if err := Whiten(net, ds); err != nil {
			t.Fatal(err)
		}
		c := c
		c.Dir, c.OnStep = dir, onStep
		if _, err := train.Train(ctx, b, net, ds, ds, c); err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
		return net
	}
	encoded := func(net *network.Network) []byte {
		data, err := net.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	whole := run(t.Context(), "", nil)
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	run(ctx, dir, func(p train.Progress) {
		if p.Epoch == 2 {
			stop()
		}
	})
	if again := run(t.Context(), dir, nil); !bytes.Equal(encoded(again), encoded(whole)) {
		t.Error("the training that was stopped ended with other weights")
	}
	saved, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encoded(saved), encoded(whole)) {
		t.Error("the folder has other weights than the network")
	}
}

// TestCAMIsExact: the mean of a class's map and its bias are its score.
func TestCAMIsExact(t *testing.T) {
	ds := few(t, 2)
	net := New(3)
	if err := Whiten(net, ds); err != nil {
		t.Fatal(err)
	}
	e, err := cam.New(backendtest.Go(t), net, cam.Options{})
	if err != nil {
		t.Fatal(err)
	}
	x, err := images.FromDataset(ds, 0, ds.Len())
	if err != nil {
		t.Fatal(err)
	}
	maps, err := e.ClassMaps(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	biases, err := net.Values("dense/biases")
	if err != nil {
		t.Fatal(err)
	}
	if maps.Height != 8 || maps.Width != 8 {
		t.Errorf("maps of %d×%d, want 8×8", maps.Height, maps.Width)
	}
	for i := range x.N {
		for c := range maps.NumClasses {
			mean := 0.0
			for _, v := range maps.Map(i, c).Values {
				mean += float64(v) / 64
			}
			if off := mean + float64(biases[c]) - float64(maps.Scores[i*maps.NumClasses+c]); math.Abs(off) > 1e-5 {
				t.Errorf("image %d, class %d: mean of the map and bias are %.2g over the score", i, c, off)
			}
		}
	}
}

// TestWhiten: the first layer's outputs before the ReLU have a mean of 0 and a variance of
// about 1 over the pixels inside, and come in pairs of opposite sign.
func TestWhiten(t *testing.T) {
	b, ds := backendtest.Go(t), few(t, 30)
	net := New(1)
	if err := Whiten(net, ds); err != nil {
		t.Fatal(err)
	}
	pixels, err := images.Pixels(ds)
	if err != nil {
		t.Fatal(err)
	}
	exec, err := model.NewExec(b, net.Store, func(scope *model.Scope, in []*graph.Node) []*graph.Node {
		scope = scope.At("whiten")
		x := nn.FromBytes(in[0])
		z := nn.AddBias(nn.Conv(x, nn.Variable(scope, "weights", x)), nn.Variable(scope, "biases", x))
		z = graph.Slice(z, graph.AxisRange(), graph.AxisRange(1, 31), graph.AxisRange(1, 31))
		m := nn.MomentsOf(z)
		half := whitened / 2
		opposite := graph.Add(graph.Slice(z, graph.AxisRange().Spacer(), graph.AxisRange(0, half)), graph.Slice(z, graph.AxisRange().Spacer(), graph.AxisRange(half, whitened)))
		return []*graph.Node{m.Mean, m.Variance, graph.ReduceAllMax(graph.Abs(opposite))}
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(tensors.FromFlatDataAndDimensions(pixels, ds.Len(), 32, 32, 3))
	if err != nil {
		t.Fatal(err)
	}
	mean, variance := tensors.MustCopyFlatData[float32](out[0]), tensors.MustCopyFlatData[float32](out[1])
	for i := range mean {
		if math.Abs(float64(mean[i])) > 1e-3 || variance[i] < 0.5 || variance[i] > 1.01 {
			t.Errorf("output %d: mean %v, variance %v, want 0 and a little less than 1", i, mean[i], variance[i])
		}
	}
	if o := tensors.ToScalar[float32](out[2]); o > 1e-4 {
		t.Errorf("sum of opposite outputs %v", o)
	}
	gray, err := images.NewMemory(images.Size{Height: 8, Width: 8, Channels: 1}, []string{"a"}, make([]uint8, 64), []int{0})
	if err != nil {
		t.Fatal(err)
	}
	if err := Whiten(net, gray); err == nil || err.Error() != "best: whiten: images of 8×8×1, want three channels and 3×3 pixels or more" {
		t.Errorf("error %v", err)
	}
}

// TestPretrained: the shipped weights are those of the log's training by the recipe, and on the
// images of the sample as good as on all test images.
func TestPretrained(t *testing.T) {
	net, err := Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	if err := net.Check(); err != nil {
		t.Error(err)
	}
	h, err := Log()
	if err != nil {
		t.Fatal(err)
	}
	want, err := train.Recipe("best")
	if err != nil {
		t.Fatal(err)
	}
	want.Step, want.Keep, want.CheckpointEvery = h.Config.Step, 0, 0
	if h.Architecture != Name || h.Images != 50_000 || len(h.Epochs) != want.Epochs || !reflect.DeepEqual(h.Config, want) {
		t.Errorf("log of %s on %d images, %d epochs, %+v; want %+v", h.Architecture, h.Images, len(h.Epochs), h.Config, want)
	}
	e, err := train.NewEvaluator(backendtest.XLA(t), net)
	if err != nil {
		t.Fatal(err)
	}
	ev, err := e.Evaluate(t.Context(), cifar10.Sample())
	if err != nil {
		t.Fatal(err)
	}
	last := h.Epochs[len(h.Epochs)-1].Test
	if math.Abs(ev.Accuracy-last.Accuracy) > 0.02 { // three standard deviations of 1,000 images
		t.Errorf("accuracy %.4f on the sample, want the log's %.4f within 0.02", ev.Accuracy, last.Accuracy)
	}
	t.Logf("sample: %v", ev)
}
