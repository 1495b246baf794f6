// Package best defines a network of the article's family, convolutions, global average pooling
// and one linear layer, so that its class activation maps are exact, with what came after the
// article: a whitening convolution and batch normalization.
//
// It follows Jordan 2024 (arXiv:2404.00498, airbench94) with what CAM needs in place of what it
// has: the mean of 8×8 activations where that takes the largest of 3×3, ReLU where it has
// GELU, convolutions of 3×3 throughout, and no map smaller than 8×8.
package best

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/exec"
	"github.com/camlab-go/camlab/internal/nn"
)

// Name names the network in checkpoints.
const Name = "best-gap-cnn"

// chunk is how many images batch normalization takes its averages of in a training: the "ghost
// batches" of Hoffer et al. 2017 (arXiv:1705.08741).
const chunk = 100

// momentum is how much of the averages of batch normalization stays in a step.
const momentum = 0.9

// part is a layer: its name, which is its scope in the store, its channels, and whether a pool
// follows its convolution.
type part struct {
	name    string
	in, out int
	pool    bool
}

const (
	whitened = 32 // channels
	features = 256
)

var parts = []part{
	{"conv1", whitened, 64, true},
	{"conv2", 64, 64, false},
	{"conv3", 64, 256, true},
	{"conv4", 256, 256, false},
	{"conv5", 256, 256, false},
	{"conv6", 256, features, false},
}

var classes = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

// New returns the network with fresh weights. Those of the convolutions pass their inputs on
// as they are, as many as there are, and draw the other outputs from ±1/√inputs, uniformly;
// those of the whitening convolution are zero until [Whiten] sets them. The same seed gives
// the same weights.
func New(seed int64) *network.Network {
	rng := rand.New(rand.NewPCG(uint64(seed), 0x62657374)) // the second word spells "best"
	net := &network.Network{
		Name: Name, Store: model.NewStore(), Head: head, Classes: append([]string(nil), classes...),
		Input:     network.Input{Size: images.Size{Height: 32, Width: 32, Channels: 3}, Text: "CIFAR-10's color photos of ten classes"},
		Gradients: gradients, Chunk: chunk,
	}
	uniform := func(bound float64, n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32((2*rng.Float64() - 1) * bound)
		}
		return v
	}
	variable := func(path string, trainable bool, v []float32, dims ...int) {
		net.Store.VariableWithValue(path, tensors.FromFlatDataAndDimensions(v, dims...)).SetTrainable(trainable)
	}
	constant := func(value float32, n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = value
		}
		return v
	}
	file := func(name, path string, axes ...int) {
		net.Tensors = append(net.Tensors, network.Tensor{Name: name, Variable: path, Axes: axes})
	}
	kernel := []int{3, 2, 0, 1}

	variable("whiten/weights", false, make([]float32, 9*3*whitened), 3, 3, 3, whitened)
	variable("whiten/biases", false, make([]float32, whitened), whitened)
	net.Layers = append(net.Layers, network.Layer{Name: "whiten", Text: "3×3 convolution to 32 channels, fixed, ReLU", Build: whiten})
	file("0.weight", "whiten/weights", kernel...)
	file("0.bias", "whiten/biases")
	module := 2
	for _, p := range parts {
		w := uniform(1/math.Sqrt(float64(9*p.in)), 9*p.in*p.out)
		for i := range 9 * p.in {
			for o := range p.in {
				w[i*p.out+o] = 0
			}
		}
		for c := range p.in {
			w[(4*p.in+c)*p.out+c] = 1
		}
		variable(p.name+"/weights", true, w, 3, 3, p.in, p.out)
		variable(p.name+"/scale", false, constant(1, p.out), p.out)
		variable(p.name+"/biases", true, constant(0, p.out), p.out)
		variable(p.name+"/mean", false, constant(0, p.out), p.out)
		variable(p.name+"/variance", false, constant(1, p.out), p.out)
		net.Layers = append(net.Layers, p.layer())
		norm := module + 1
		if p.pool {
			norm++
		}
		file(fmt.Sprintf("%d.weight", module), p.name+"/weights", kernel...)
		for _, t := range [][2]string{{"weight", "scale"}, {"bias", "biases"}, {"running_mean", "mean"}, {"running_var", "variance"}} {
			file(fmt.Sprintf("%d.%s", norm, t[0]), p.name+"/"+t[1])
		}
		module = norm + 2
	}
	variable("dense/weights", true, uniform(1./3/math.Sqrt(features), features*len(classes)), features, len(classes))
	variable("dense/biases", true, constant(0, len(classes)), len(classes))
	file(fmt.Sprintf("%d.weight", module+2), "dense/weights", 1, 0)
	file(fmt.Sprintf("%d.bias", module+2), "dense/biases")
	return net
}

// whiten builds the first layer.
func whiten(scope *model.Scope, x *graph.Node) *graph.Node {
	d := x.Shape().Dimensions
	if len(d) != 4 || d[1]%4 != 0 || d[2]%4 != 0 || d[3] != 3 || !x.DType().IsFloat() {
		panic(fmt.Errorf("best: images shaped %s, want floats [batch, height, width, 3], both multiples of 4", x.Shape()))
	}
	scope = scope.At("whiten")
	return nn.ReLU(nn.AddBias(nn.Conv(x, nn.Variable(scope, "weights", x)), nn.Variable(scope, "biases", x)))
}

// layer returns a convolution, with a pool or without, batch normalization and ReLU. In a
// training it is normalized by each chunk's own averages, else by those that are kept.
func (p part) layer() network.Layer {
	text := fmt.Sprintf("3×3 convolution to %d channels, ", p.out)
	if p.pool {
		text += "2×2 max-pooling, "
	}
	return network.Layer{
		Name: p.name, Text: text + "batch normalization, ReLU",
		Build: func(scope *model.Scope, x *graph.Node) *graph.Node {
			scope = scope.At("%s", p.name)
			z := nn.Conv(x, nn.Variable(scope, "weights", x))
			if p.pool {
				z = nn.MaxPool2x2(z)
			}
			return nn.ReLU(nn.AddBias(graph.Mul(normalized(scope, z), graph.ExpandLeftToRank(nn.Variable(scope, "scale", x), z.Rank())), nn.Variable(scope, "biases", x)))
		},
		Bias: func(scope *model.Scope, like *graph.Node) *graph.Node {
			scope = scope.At("%s", p.name)
			m := nn.Moments{Mean: nn.Variable(scope, "mean", like), Variance: nn.Variable(scope, "variance", like)}
			zero := nn.Normalize(graph.ZerosLike(m.Mean), m)
			return graph.Add(graph.Mul(zero, nn.Variable(scope, "scale", like)), nn.Variable(scope, "biases", like))
		},
	}
}

// normalized builds batch normalization without scale and bias.
func normalized(scope *model.Scope, z *graph.Node) *graph.Node {
	kept := nn.Moments{Mean: nn.Variable(scope, "mean", z), Variance: nn.Variable(scope, "variance", z)}
	if !scope.IsTraining(z.Graph()) {
		return nn.Normalize(z, kept)
	}
	n := z.Shape().Dim(0)
	size := exec.ChunkSize(n, chunk)
	var all []*graph.Node
	mean, variance := graph.ZerosLike(kept.Mean), graph.ZerosLike(kept.Variance)
	for from := 0; from < n; from += size {
		to := min(from+size, n)
		part := graph.Slice(z, graph.AxisRange(from, to))
		m := nn.MomentsOf(part)
		all = append(all, nn.Normalize(part, m))
		share := float64(to-from) / float64(n)
		mean, variance = graph.Add(mean, graph.MulScalar(m.Mean, share)), graph.Add(variance, graph.MulScalar(m.Variance, share))
	}
	next := after(kept, nn.Moments{Mean: mean, Variance: variance})
	scope.GetVariable("mean").SetNodeValue(graph.ConvertDType(next.Mean, dtypes.Float32))
	scope.GetVariable("variance").SetNodeValue(graph.ConvertDType(next.Variance, dtypes.Float32))
	return graph.Concatenate(all, 0)
}

// after are the averages that are kept after a step on a batch with these moments.
func after(kept, batch nn.Moments) nn.Moments {
	mix := func(old, now *graph.Node) *graph.Node {
		return graph.Add(graph.MulScalar(old, momentum), graph.MulScalar(now, 1-momentum))
	}
	return nn.Moments{Mean: mix(kept.Mean, batch.Mean), Variance: mix(kept.Variance, batch.Variance)}
}

// head builds the rest of the network, y_c = Σ_k w_kc F_k + b_c, F_k = 1/Z Σ_ij A_ijk, from
// activations A, [batch, height, width, 256], to scores, [batch, 10].
func head(scope *model.Scope, act *graph.Node) *graph.Node {
	return dense(scope, graph.ReduceMean(act, 1, 2))
}

func dense(scope *model.Scope, pooled *graph.Node) *graph.Node {
	return nn.Linear(scope.At("dense"), pooled)
}
