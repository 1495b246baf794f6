package cnn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cifar10"
)

// Architecture names the network in checkpoints.
const Architecture = "article-gap-cnn"

// NumParameters is the number of weights and biases of the network.
const NumParameters = 343_594

// layer is one row of the architecture: a scope of the store, its name in the
// article's PyTorch form (nn.Sequential), and the dimensions of its weights,
// [3, 3, in, out] or [in, out].
type layer struct {
	scope, torch string
	dims         []int
}

var layers = []layer{
	{"conv1", "0", []int{3, 3, cifar10.Channels, 32}},
	{"conv2", "2", []int{3, 3, 32, 32}},
	{"conv3", "5", []int{3, 3, 32, 128}},
	{"conv4", "7", []int{3, 3, 128, 128}},
	{"conv5", "9", []int{3, 3, 128, 128}},
	{"dense", "13", []int{128, cifar10.NumClasses}},
}

func (l layer) outputs() int { return l.dims[len(l.dims)-1] }

// size is the number of weights, without the biases.
func (l layer) size() int { return product(l.dims) }

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// Model is the article's network with its weights, which live in a GoMLX
// store. Its methods that build graphs may be used by many goroutines at
// once; training changes the weights and may not.
type Model struct {
	store   *model.Store
	classes []string
}

// New returns the network with fresh weights: He-normal, that is a standard
// deviation of sqrt(2/inputs) (He et al. 2015, arXiv:1502.01852, equation 10),
// and biases of zero. The same seed gives the same weights.
func New(seed int64) *Model {
	rng := rand.New(rand.NewPCG(uint64(seed), 0x63616d6c6162)) // the second word spells "camlab"
	weights := make(map[string][]float32)
	for _, l := range layers {
		sd := math.Sqrt(2 * float64(l.outputs()) / float64(l.size()))
		w := make([]float32, l.size())
		for i := range w {
			w[i] = float32(rng.NormFloat64() * sd)
		}
		weights[l.scope+"/weights"] = w
		weights[l.scope+"/biases"] = make([]float32, l.outputs())
	}
	return newModel(weights)
}

// newModel makes a model of weights by scope and name, whose sizes have been
// checked.
func newModel(weights map[string][]float32) *Model {
	store := model.NewStore()
	for _, l := range layers {
		store.VariableWithValue(l.scope+"/weights", tensors.FromFlatDataAndDimensions(weights[l.scope+"/weights"], l.dims...))
		store.VariableWithValue(l.scope+"/biases", tensors.FromFlatDataAndDimensions(weights[l.scope+"/biases"], l.outputs()))
	}
	return &Model{store: store, classes: slices.Clone(cifar10.Classes[:])}
}

// Store returns the GoMLX store that holds the weights, under the scopes
// conv1 to conv5 and dense, each with the variables weights and biases.
func (m *Model) Store() *model.Store { return m.store }

// Classes returns the names of the classes, in the order of the scores.
func (m *Model) Classes() []string { return slices.Clone(m.classes) }

// TrainedFor returns the size of the images that the network was trained on, in
// pixels, and what they show.
func (m *Model) TrainedFor() (height, width int, images string) {
	return cifar10.Height, cifar10.Width, "CIFAR-10's color photos of ten classes"
}

// Features builds the network up to its last convolution.
//
// x holds images shaped [batch, height, width, 3], red, green and blue from 0
// to 1; height and width are even. The result, the activations after ReLU, is
// shaped [batch, height/2, width/2, 128]. It panics on other shapes, as GoMLX's
// graph functions do.
func (m *Model) Features(scope *model.Scope, x *Node) *Node {
	return m.Through(scope, "", convolutions[len(convolutions)-1], x)
}

// convolutions are the layers whose activations can be explained.
var convolutions = []string{"conv1", "conv2", "conv3", "conv4", "conv5"}

// Layers returns conv1 to conv5, the convolutions with their ReLU.
func (m *Model) Layers() []string { return slices.Clone(convolutions) }

// Through builds the layers after the layer from, or of the image if that is
// empty, up to the layer to. The pool belongs to conv3.
func (m *Model) Through(scope *model.Scope, from, to string, x *Node) *Node {
	if from == "" {
		checkImages(x)
	}
	return through(scope, from, to, x, conv)
}

// through is Through with a way to compute a convolution with its ReLU.
func through(scope *model.Scope, from, to string, x *Node, conv func(scope *model.Scope, x *Node) *Node) *Node {
	for _, layer := range convolutions[slices.Index(convolutions, from)+1 : slices.Index(convolutions, to)+1] {
		if layer == "conv3" {
			x = maxPool(x)
		}
		x = conv(scope.At("%s", layer), x)
	}
	return x
}

// Bias returns the bias of a layer, [channels], in like's graph.
func (m *Model) Bias(scope *model.Scope, layer string, like *Node) *Node {
	return variable(scope.At("%s", layer), "biases", like)
}

// Head builds the rest of the network,
//
//	y_c = Σ_k w_kc F_k + b_c,   F_k = 1/Z Σ_ij A_ijk,
//
// from activations A shaped [batch, height, width, 128] to scores (logits)
// shaped [batch, 10].
func (m *Model) Head(scope *model.Scope, act *Node) *Node {
	return dense(scope.At("dense"), ReduceMean(act, 1, 2))
}

// HeadWeights returns copies of the head's weights w, [128, 10] row by row, and
// biases b, [10].
func (m *Model) HeadWeights() (w, b []float32, err error) {
	if w, err = m.values("dense", "weights"); err != nil {
		return nil, nil, err
	}
	b, err = m.values("dense", "biases")
	return w, b, err
}

// values returns a copy of one variable, row by row.
func (m *Model) values(scope, name string) ([]float32, error) {
	v := m.store.GetVariable(model.JoinPath(scope, name))
	if v == nil {
		return nil, fmt.Errorf("cnn: model has no variable %s/%s", scope, name)
	}
	t, err := v.Value()
	if err != nil {
		return nil, fmt.Errorf("cnn: variable %s/%s: %w", scope, name, err)
	}
	return tensors.CopyFlatData[float32](t)
}

func checkImages(x *Node) {
	d := x.Shape().Dimensions
	if len(d) != 4 || d[1]%2 != 0 || d[2]%2 != 0 || d[3] != cifar10.Channels || !x.DType().IsFloat() {
		panic(fmt.Errorf("cnn: images shaped %s, want floats [batch, even height, even width, %d]", x.Shape(), cifar10.Channels))
	}
}

func conv(scope *model.Scope, x *Node) *Node {
	return relu(addBias(scope, convolve(x, variable(scope, "weights", x))))
}

func dense(scope *model.Scope, x *Node) *Node {
	return addBias(scope, MatMul(x, variable(scope, "weights", x)))
}

// variable returns a weight of the network as a node of x's graph and type.
func variable(scope *model.Scope, name string, x *Node) *Node {
	v := scope.GetVariable(name)
	if v == nil {
		panic(fmt.Errorf("cnn: store has no variable %s in %s", name, scope.Scope()))
	}
	return ConvertDType(v.NodeValue(x.Graph()), x.DType())
}

func addBias(scope *model.Scope, x *Node) *Node {
	return Add(x, ExpandLeftToRank(variable(scope, "biases", x), x.Rank()))
}

// relu is max(x, 0) with a gradient of 0 where x is 0, as in PyTorch and
// TensorFlow; GoMLX's Max would give 1 there. The Abs changes no value: it keeps
// XLA on a CPU from a form of this that its compiler unrolls for 0.3 s. x − x is 0, but
// NaN where x is NaN or −∞: an overflow must not look like an inactive unit. So whatever
// overflows makes the scores infinite or NaN, and there it is looked for.
func relu(x *Node) *Node {
	return Where(GreaterThan(x, ZerosLike(x)), Abs(x), StopGradient(Sub(x, x)))
}

// maxPool is 2×2 max-pooling, [n, h, w, c] to [n, h/2, w/2, c]. Where several of a
// window's values are the largest, as in a picture's black margin, the first row by row
// gets the gradient, as in PyTorch. It is written as maxima of the windows' four pixels
// because the gradient of that is a mask, forty times faster under XLA on a CPU than the
// SelectAndScatter that MaxPool's gradient needs. A NaN becomes +∞, since XLA's maximum
// on a CPU may lose a NaN.
func maxPool(x *Node) *Node {
	inf := BroadcastToDims(Infinity(x.Graph(), x.DType(), 1), x.Shape().Dimensions...)
	p := windows(Where(LessThan(x, inf), x, inf))
	return Max(Max(p[0], p[1]), Max(p[2], p[3]))
}

// windows returns, for each pixel of a 2×2 window row by row, that of all windows,
// [n, h/2, w/2, c].
func windows(x *Node) (pixels []*Node) {
	for i := range 4 {
		pixels = append(pixels, Slice(x, AxisRange(), AxisRange(i/2).Stride(2), AxisRange(i%2).Stride(2)))
	}
	return pixels
}
