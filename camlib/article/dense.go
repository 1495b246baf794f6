package article

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/nn"
)

// DenseName names the network of [NewDense] in checkpoints.
const DenseName = "article-dense-cnn"

// NewDense returns the article's convolutions with the head that networks had before global
// average pooling, as VGG and AlexNet have: the last activations a, [16, 16, 128], row by row,
// and two linear layers,
//
//	y = ReLU(a W + b) W' + b',
//
// with so many units between them. Its weights are drawn as those of [New], whose
// convolutions it has for the same seed. It has no class activation map, because a class has
// no one weight for a channel.
func NewDense(seed int64, units int) (*network.Network, error) {
	if units < 1 {
		return nil, fmt.Errorf("article: dense: %d units, want 1 or more", units)
	}
	net := New(seed)
	rng := rand.New(rand.NewPCG(uint64(seed), 0x64656e7365)) // the second word spells "dense"
	if err := net.Store.DeleteVariablesInScope("dense"); err != nil {
		return nil, fmt.Errorf("article: dense: %w", err)
	}
	net.Name, net.Tensors = DenseName, nil
	size := net.Input.Height / 2 * net.Input.Width / 2 * parts[4].outputs()
	var paths []string
	for _, l := range []struct {
		name    string
		in, out int
	}{{"dense1", size, units}, {"dense2", units, len(classes)}} {
		w := make([]float32, l.in*l.out)
		for i := range w {
			w[i] = float32(rng.NormFloat64() * math.Sqrt(2/float64(l.in)))
		}
		net.Store.VariableWithValue(l.name+"/weights", tensors.FromFlatDataAndDimensions(w, l.in, l.out))
		net.Store.VariableWithValue(l.name+"/biases", tensors.FromFlatDataAndDimensions(make([]float32, l.out), l.out))
		paths = append(paths, "/"+l.name+"/weights", "/"+l.name+"/biases")
	}
	net.Head = func(scope *model.Scope, act *graph.Node) *graph.Node {
		hidden := nn.ReLU(nn.Linear(scope.At("dense1"), graph.Reshape(act, act.Shape().Dim(0), -1)))
		return nn.Linear(scope.At("dense2"), hidden)
	}
	net.Gradients = gradientsWith(net.Head, paths...)
	return net, nil
}
