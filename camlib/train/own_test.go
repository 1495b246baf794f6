package train

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/layers/norm"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"testing"
	"math/rand/v2"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// own is a network as a user may write it, of GoMLX's layers: with batch normalization and
// dropout, without classes, an input, or gradients by hand, and with variables that are made
// when it is first built.
func own() *network.Network {
	return &network.Network{
		Name: "own", Store: model.NewStore(),
		Layers: []network.Layer{
			{Name: "stem", Build: func(scope *model.Scope, x *Node) *Node {
				scope = scope.At("stem")
				x = layers.Convolution(scope, x).Channels(4).KernelSize(3).PadSame().Strides(1).Done()
				return activation.Relu(norm.BatchNorm(scope, x, -1).UseBackendInference(false).Done())
			}},
			{Name: "body", Build: func(scope *model.Scope, x *Node) *Node {
				scope = scope.At("body")
				return activation.Relu(layers.Convolution(scope, x).Channels(6).KernelSize(3).PadSame().Strides(2).Done())
			}},
		},
		Head: func(scope *model.Scope, act *Node) *Node {
			scope = scope.At("head")
			x := layers.DropoutStatic(scope, ReduceMean(act, 1, 2), 0.25)
			return layers.Dense(scope, x, true, 4)
		},
	}
}

// patterns returns n images of 12×10 pixels, one channel and four classes that can be told
// apart: noise that is brighter in one corner.
func patterns(t testing.TB, n int) *images.Memory {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	size := images.Size{Height: 12, Width: 10, Channels: 1}
	pixels, labels := make([]uint8, n*size.Values()), make([]int, n)
	for i := range labels {
		labels[i] = i % 4
		for p := range size.Values() {
			v := rng.IntN(100)
			if y, x := p/10, p%10; y/6 == labels[i]/2 && x/5 == labels[i]%2 {
				v += 100
			}
			pixels[i*size.Values()+p] = uint8(v)
		}
	}
	ds, err := images.NewMemory(size, []string{"a", "b", "c", "d"}, pixels, labels)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

func TestOwnTry(t *testing.T) {
	net := own()
	h, err := Train(t.Context(), backendtest.Go(t), net, patterns(t, 40), patterns(t, 40), Config{Epochs: 20, BatchSize: 8, Augment: None, LearningRate: 0.02})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range h.Epochs { t.Log(e.TrainLoss, e.Test.Loss, e.Test.Accuracy)}
	for v := range net.Store.IterVariables() {
		t.Log(v.Path(), v.Shape(), v.Trainable)
	}
}
