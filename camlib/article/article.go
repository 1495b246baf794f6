package article

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
	"github.com/camlab-go/camlab/internal/nn"
)

// Name names the network in checkpoints.
const Name = "article-gap-cnn"

// NumParameters is the number of weights and biases of the network.
const NumParameters = 343_594

// part is a layer, or the head: its name, which is its scope in the store, the number of
// its module in the article's nn.Sequential, and the dimensions of its weights,
// [3, 3, in, out] or [in, out].
type part struct {
	name   string
	module int
	dims   []int
}

var parts = []part{
	{"conv1", 0, []int{3, 3, 3, 32}},
	{"conv2", 2, []int{3, 3, 32, 32}},
	{"conv3", 5, []int{3, 3, 32, 128}},
	{"conv4", 7, []int{3, 3, 128, 128}},
	{"conv5", 9, []int{3, 3, 128, 128}},
	{"dense", 13, []int{128, 10}},
}

// classes are those of CIFAR-10, in the order of its labels.
var classes = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

func (p part) inputs() int {
	n := 1
	for _, d := range p.dims[:len(p.dims)-1] {
		n *= d
	}
	return n
}

func (p part) outputs() int { return p.dims[len(p.dims)-1] }

// New returns the network with fresh weights: He-normal, that is a standard deviation of
// sqrt(2/inputs) (He et al. 2015, arXiv:1502.01852, equation 10), and biases of zero. The
// same seed gives the same weights. They lie in the store under the scopes conv1 to conv5
// and dense, each with the variables weights and biases. In files they have the names and
// the axes of PyTorch.
func New(seed int64) *network.Network {
	rng := rand.New(rand.NewPCG(uint64(seed), 0x63616d6c6162)) // the second word spells "camlab"
	net := &network.Network{
		Name: Name, Store: model.NewStore(), Head: head, Classes: append([]string(nil), classes...),
		Input:     network.Input{Size: images.Size{Height: 32, Width: 32, Channels: 3}, Text: "CIFAR-10's color photos of ten classes"},
		Gradients: gradientsWith(head, "/dense/weights", "/dense/biases"),
	}
	for _, p := range parts {
		sd := math.Sqrt(2 / float64(p.inputs()))
		w := make([]float32, p.inputs()*p.outputs())
		for i := range w {
			w[i] = float32(rng.NormFloat64() * sd)
		}
		net.Store.VariableWithValue(p.name+"/weights", tensors.FromFlatDataAndDimensions(w, p.dims...))
		net.Store.VariableWithValue(p.name+"/biases", tensors.FromFlatDataAndDimensions(make([]float32, p.outputs()), p.outputs()))
		axes := []int{1, 0}
		if p.name != "dense" {
			axes = []int{3, 2, 0, 1}
			net.Layers = append(net.Layers, p.layer())
		}
		net.Tensors = append(net.Tensors,
			network.Tensor{Name: fmt.Sprintf("%d.weight", p.module), Variable: p.name + "/weights", Axes: axes},
			network.Tensor{Name: fmt.Sprintf("%d.bias", p.module), Variable: p.name + "/biases"})
	}
	return net
}

// layer returns a convolution with its ReLU. The pool belongs to conv3.
func (p part) layer() network.Layer {
	text := fmt.Sprintf("3×3 convolution to %d channels, ReLU", p.outputs())
	if p.name == "conv3" {
		text = "2×2 max-pooling, " + text
	}
	return network.Layer{
		Name: p.name, Text: text,
		Build: func(scope *model.Scope, x *graph.Node) *graph.Node {
			switch p.name {
			case "conv1":
				checkImages(x)
			case "conv3":
				x = nn.MaxPool2x2(x)
			}
			scope = scope.At("%s", p.name)
			return nn.ReLU(nn.AddBias(nn.Conv(x, weights(scope, x)), biases(scope, x)))
		},
		Bias: func(scope *model.Scope, like *graph.Node) *graph.Node { return biases(scope.At("%s", p.name), like) },
	}
}

// head builds the rest of the network,
//
//	y_c = Σ_k w_kc F_k + b_c,   F_k = 1/Z Σ_ij A_ijk,
//
// from activations A shaped [batch, height, width, 128] to scores (logits) shaped
// [batch, 10].
func head(scope *model.Scope, act *graph.Node) *graph.Node {
	return dense(scope, graph.ReduceMean(act, 1, 2))
}

func dense(scope *model.Scope, pooled *graph.Node) *graph.Node {
	return nn.Linear(scope.At("dense"), pooled)
}

func weights(scope *model.Scope, x *graph.Node) *graph.Node { return nn.Variable(scope, "weights", x) }
func biases(scope *model.Scope, x *graph.Node) *graph.Node  { return nn.Variable(scope, "biases", x) }

func checkImages(x *graph.Node) {
	d := x.Shape().Dimensions
	if len(d) != 4 || d[1]%2 != 0 || d[2]%2 != 0 || d[3] != 3 || !x.DType().IsFloat() {
		panic(fmt.Errorf("article: images shaped %s, want floats [batch, even height, even width, 3]", x.Shape()))
	}
}

// HeadWeights returns copies of the head's weights w, [128, 10] row by row, and biases b,
// [10], of the network or of a copy of it.
func HeadWeights(net *network.Network) (w, b []float32, err error) {
	if w, err = net.Values("dense/weights"); err != nil {
		return nil, nil, err
	}
	b, err = net.Values("dense/biases")
	return w, b, err
}

// ClippedLoss returns the loss as the article writes it,
//
//	−mean(sum(t · log(clip(y, 1e-10, 1)))),   y = softmax(scores),
//
// which equals [score.Loss] as long as no probability falls below 1e-10. scores are shaped
// [n, classes], label [n], integers.
func ClippedLoss(scores, label *graph.Node) *graph.Node {
	p := graph.Softmax(scores, -1)
	y := graph.Add(graph.ClipScalar(p, 1e-10, 1), graph.StopGradient(graph.Sub(p, p))) // a clip loses a NaN under XLA on a CPU
	t := graph.OneHot(graph.ConvertDType(label, dtypes.Int32), scores.Shape().Dim(-1), scores.DType())
	return graph.Neg(graph.ReduceAllMean(graph.ReduceSum(graph.Mul(t, graph.Log(y)), -1)))
}
