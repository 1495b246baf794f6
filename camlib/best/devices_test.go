package best_test

import (
	"testing"

	"github.com/camlab-go/camlab/camlib/best"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/train"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestDevices: steps on 2 and 4 devices, the second of which do not divide the 50 images that
// batch normalization has its averages of, leave the weights and averages of those on one.
func TestDevices(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the network three times")
	}
	b := backendtest.XLA(t)
	ds := few(t, 200)
	run := func(devices int) (map[string][]float32, []float32) {
		net := best.New(1)
		if err := best.Whiten(net, ds); err != nil {
			t.Fatal(err)
		}
		c := train.Config{Epochs: 1, BatchSize: 100, Optimizer: train.SGD, LearningRate: 0.01, Augment: train.FlipCrop, Seed: 1, Devices: devices}
		h, err := train.Train(t.Context(), b, net, ds, ds, c)
		if err != nil {
			t.Fatal(err)
		}
		e := h.Epochs[0]
		return backendtest.Variables(t, net.Store), []float32{float32(e.TrainLoss), float32(e.Test.Loss), float32(e.Test.Accuracy)}
	}
	want, metrics := run(1)
	for _, devices := range []int{2, 4} {
		got, m := run(devices)
		backendtest.Near(t, "metrics", m, metrics, 1e-4)
		for path, w := range want {
			backendtest.Near(t, path, got[path], w, 1e-4)
		}
	}
}

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
