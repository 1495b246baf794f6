package train

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/nn"
)

// normed has gradients like tiny's, with batch normalization over chunks of ten images.
func normed(seed uint64) *network.Network {
	net := tiny(seed)
	net.Name, net.Chunk = "normed", 10
	add := func(path string, value float32, trainable bool) {
		values := make([]float32, 16)
		for i := range values {
			values[i] = value
		}
		net.Store.VariableWithValue(path, values).SetTrainable(trainable)
	}
	add("conv2/mean", 0, false)
	add("conv2/variance", 1, false)
	net.Gradients = func(scope *model.Scope, x, target, share *Node) (*Node, map[string]*Node) {
		of := func(path string) *Node { return scope.Store().GetVariable("/" + path).NodeValue(x.Graph()) }
		y1, back1 := nn.ConvReLU(x, of("conv1/weights"), of("conv1/biases"))
		y2, m, back2 := nn.ConvNormReLU(y1, of("conv2/weights"), OnesLike(of("conv2/biases")), of("conv2/biases"), true)
		pooled := ReduceMean(y2, 1, 2)
		loss := Mul(score.TargetLoss(nn.AddBias(MatMul(pooled, of("dense/weights")), of("dense/biases")), target), share)
		g := Gradient(loss, of("dense/weights"), of("dense/biases"), pooled)
		d := y2.Shape().Dimensions
		dw2, db2, dy1 := back2(BroadcastToDims(InsertAxes(DivScalar(g[2], float64(d[1]*d[2])), 1, 1), d...))
		dw1, db1, _ := back1(dy1)
		return loss, map[string]*Node{
			"/conv1/weights": dw1, "/conv1/biases": db1, "/conv2/weights": dw2, "/conv2/biases": db2, "/dense/weights": g[0], "/dense/biases": g[1],
			"/conv2/mean": Mul(m.Mean, share), "/conv2/variance": Mul(m.Variance, share),
		}
	}
	return net
}

// stepsOn makes steps of a network on some devices, and returns what they say of it, and all
// variables after the first, the moments of the gradients among them, and after the last.
func stepsOn(t *testing.T, net *network.Network, ds images.Dataset, c Config, n int) (said []float32, first, last map[string][]float32) {
	t.Helper()
	b := backendtest.XLA(t)
	if err := prepare(b, net, ds, 1); err != nil {
		t.Fatal(err)
	}
	if err := makeKept(net.Store, parameters(net, c.update())); err != nil {
		t.Fatal(err)
	}
	pixels, labels, err := data(ds)
	if err != nil {
		t.Fatal(err)
	}
	step, err := steps[c.Step](b, net, c, len(ds.Classes()))
	if err != nil {
		t.Fatal(err)
	}
	order := c.Augment.epochPicks(ds.Len(), ds.Size(), margin, 5, 0)
	for k := range 3 {
		got, err := step(pixels, labels, order[c.Augment.width()*n*k:c.Augment.width()*n*(k+1)], 1e-2, int64(k+1))
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, float32(got.loss), float32(got.gradient))
		if k == 0 {
			first = numbers(t, net)
		}
	}
	return said, first, numbers(t, net)
}

// numbers returns copies of all variables of float32.
func numbers(t *testing.T, net *network.Network) map[string][]float32 {
	t.Helper()
	all := make(map[string][]float32)
	for v := range net.Store.IterVariables() {
		if v.Name() != model.RNGStateVariableName {
			all[v.Path()] = tensors.MustCopyFlatData[float32](v.MustValue())
		}
	}
	return all
}

// TestStepsOnDevices: on 2 and 4 devices a step has the loss, the gradients, by SGD's moments of
// them, the weights and the averages of batch normalization that it has on one, also where the
// devices do not divide the images of a batch or of a chunk.
func TestStepsOnDevices(t *testing.T) {
	backendtest.XLA(t) // or skip
	for _, row := range []struct {
		net    func() *network.Network
		ds     images.Dataset
		kind   StepKind
		images int
	}{
		{func() *network.Network { return tiny(1) }, few(t, 120), Winograd, 40},
		{func() *network.Network { return tiny(1) }, few(t, 120), Winograd, 37},
		{func() *network.Network { return normed(1) }, few(t, 120), Winograd, 30},
		{own, patterns(t, 60), Plain, 20},
		{own, patterns(t, 60), Plain, 17},
	} {
		t.Run(fmt.Sprintf("%s/%d", row.net().Name, row.images), func(t *testing.T) {
			c := Config{Optimizer: SGD, Momentum: 0.9, Average: 0.9, Augment: FlipCrop, Step: row.kind}
			said, first, last := stepsOn(t, row.net(), row.ds, c, row.images)
			for _, devices := range []int{2, 4} {
				c.Devices = devices
				s, f, l := stepsOn(t, row.net(), row.ds, c, row.images)
				backendtest.Near(t, fmt.Sprintf("%d devices: losses and gradients", devices), s, said, 1e-5)
				for _, after := range []struct {
					what      string
					got, want map[string][]float32
				}{{"the first step", f, first}, {"the last step", l, last}} {
					for path, want := range after.want {
						backendtest.Near(t, fmt.Sprintf("%d devices, after %s: %s", devices, after.what, path), after.got[path], want, 1e-4)
					}
				}
			}
		})
	}
}

// TestTrainingOnDevices: a training has the same metrics and weights on 1, 2 and 4 devices, and
// one that is stopped on some goes on on others. On as many devices it is the same bit for bit.
func TestTrainingOnDevices(t *testing.T) {
	ds, b := few(t, 40), backendtest.XLA(t)
	config := Config{Epochs: 2, BatchSize: 12, Seed: 5, Augment: Mixup, Optimizer: AdamW, Average: 0.9}
	run := func(devices int) (*network.Network, *History) {
		t.Helper()
		net := tiny(1)
		config.Devices = devices
		h, err := Train(t.Context(), b, net, ds, ds, config)
		if err != nil {
			t.Fatal(err)
		}
		return net, h
	}
	same := func(what string, net *network.Network, h *History, want map[string][]float32, of *History) {
		t.Helper()
		metrics := func(h *History) (all []float32) {
			for _, e := range h.Epochs {
				all = append(all, float32(e.TrainLoss), float32(e.Test.Loss), float32(e.Test.Accuracy))
			}
			return all
		}
		backendtest.Near(t, what+": metrics", metrics(h), metrics(of), 1e-5)
		for path, w := range want {
			backendtest.Near(t, what+": "+path, numbers(t, net)[path], w, 1e-4)
		}
	}
	one, of := run(1)
	want := numbers(t, one)
	two, h := run(2)
	same("2 devices", two, h, want, of)
	if h.Config.Devices != 2 {
		t.Errorf("the log says %d devices, want 2", h.Config.Devices)
	}
	if again, _ := run(2); string(encode(t, again)) != string(encode(t, two)) {
		t.Error("the same training on 2 devices ended with other weights")
	}

	config.Dir, config.CheckpointEvery = t.TempDir(), -1
	for i, part := range []struct{ devices, stop int }{{4, 2}, {2, 3}, {1, 1}, {4, 0}} {
		ctx, stop := context.WithCancel(t.Context())
		made := 0
		config.OnStep = func(Progress) {
			if made++; made == part.stop {
				stop()
			}
		}
		net := tiny(uint64(1 + i)) // the later ones' weights come from the checkpoint
		config.Devices = part.devices
		h, err := Train(ctx, b, net, ds, ds, config)
		stop()
		if part.stop > 0 {
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("%d devices, stopped: error %v", part.devices, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if made != 2 {
			t.Errorf("%d steps after 2, 3 and 1, want the 2 that are left", made)
		}
		same("stopped on 4, 2 and 1 devices", net, h, want, of)
	}
}

// TestUnevenShares: it is said where devices do not divide what a step takes at a time.
func TestUnevenShares(t *testing.T) {
	b := backendtest.XLA(t)
	for _, row := range []struct {
		devices, batch int
		kind           StepKind
		net            *network.Network
		want           string
	}{
		{1, 125, Plain, tiny(1), ""},
		{2, 128, Plain, tiny(1), ""},
		{2, 125, Plain, tiny(1), "2 devices do not divide the 125 images that a step takes at a time, so that each computes a part of them for itself; a batch size"},
		{4, 128, Winograd, tiny(1), ""},
		{4, 256, Winograd, tiny(1), ""},
		{4, 30, Winograd, tiny(1), "4 devices do not divide the 30 images"},
		{2, 30, Winograd, normed(1), ""},
		{4, 40, Winograd, normed(1), "4 devices do not divide the 10 images that a step takes at a time, so that each computes a part of them for itself; a number of devices"},
	} {
		got := Config{Devices: row.devices, BatchSize: row.batch, Step: row.kind}.uneven(b, row.net)
		if !strings.HasPrefix(got, row.want) || (got == "") != (row.want == "") {
			t.Errorf("%d devices, batches of %d, %s of %s: %q, want %q", row.devices, row.batch, row.kind, row.net.Name, got, row.want)
		}
	}
}

func TestDevicesThatAreNotThere(t *testing.T) {
	ds := &counted{few(t, 20), make([]int, 20)}
	for _, row := range []struct {
		backend compute.Backend
		devices int
		want    string
	}{
		{backendtest.Go(t), 2, "train: 2 devices, but GoMLX in pure Go has 1: want xla:cpu"},
		{backendtest.Any(t), 1000, "train: 1000 devices, but "},
		{backendtest.Any(t), -1, "train: -1 devices, want 0 or more"},
	} {
		dir := t.TempDir()
		_, err := Train(t.Context(), row.backend, tiny(1), ds, ds, Config{Devices: row.devices, Dir: dir})
		if err == nil || !strings.HasPrefix(err.Error(), row.want) || len(written(t, dir)) != 0 || slices.Max(ds.reads) > 0 {
			t.Errorf("%d devices: error %v, want one that begins %q before an image is read, and no files", row.devices, err, row.want)
		}
		if row.devices > 0 {
			if _, err := NewEvaluatorOn(row.backend, tiny(1), row.devices); err == nil || !strings.HasPrefix(err.Error(), "train: evaluate: "+strings.TrimPrefix(row.want, "train: ")) {
				t.Errorf("evaluation on %d devices: error %v", row.devices, err)
			}
		}
	}
}
