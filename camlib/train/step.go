package train

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/internal/backend"
	"github.com/camlab-go/camlab/internal/exec"
)

// StepKind names a way to compute a training step. All give the same numbers up to
// float32 rounding.
type StepKind string

// The step kinds. Plain is one graph with gradients by automatic differentiation.
// Winograd has the network's own [network.Gradients], and on a CPU takes a batch in
// chunks, so that what lies between the layers stays in the processor's cache. For the
// article's network it is several times as fast as Plain: its name is that of the
// convolutions there.
const (
	Plain    StepKind = "plain"
	Winograd StepKind = "winograd"
)

// A stepper makes one training step: it takes the whole data set and the picks of a
// batch, updates the network's variables, and returns the loss before the update.
type stepper func(pixels, labels *tensors.Tensor, p picks) (loss float64, err error)

var steps = map[StepKind]func(compute.Backend, *network.Network, float64) (stepper, error){Plain: plainStep, Winograd: gradientsStep}

// adam is the optimizer of every step (Kingma & Ba 2014, arXiv:1412.6980).
func adam(learningRate float64) optimizer.Interface {
	return optimizer.Adam().LearningRate(learningRate).DType(dtypes.Float32).Done()
}

// plainStep is the step as one graph, its gradients by automatic differentiation: the
// reference for every faster one.
func plainStep(b compute.Backend, net *network.Network, learningRate float64) (stepper, error) {
	graph, err := model.NewExec(b, net.Store, func(scope *model.Scope, pixels, labels, picks *Node) *Node {
		g := picks.Graph()
		net.Store.SetTraining(g, true)
		keep := keeper(net, g)
		x, label := pick(pixels, labels, picks)
		loss := score.Loss(ConvertDType(net.Forward(scope, x), dtypes.Float32), label)
		keep(loss, func() { adam(learningRate).UpdateGraph(scope, g, loss) })
		return loss
	})
	if err != nil {
		return nil, fmt.Errorf("train: step: %w", err)
	}
	return func(pixels, labels *tensors.Tensor, p picks) (float64, error) {
		chosen := p.tensor()
		defer chosen.MustFinalizeAll()
		out, err := execute(graph, pixels, labels, chosen)
		if err != nil {
			return 0, err
		}
		defer free(out)
		return float64(tensors.ToScalar[float32](out[0])), nil
	}, nil
}

// gradientsStep is the step with the network's own gradients.
func gradientsStep(b compute.Backend, net *network.Network, learningRate float64) (stepper, error) {
	var paths []string // of the variables, in the order of the gradients
	gradients, err := model.NewExec(b, net.Store, func(scope *model.Scope, in []*Node) []*Node {
		net.Store.SetTraining(in[0].Graph(), true)
		x, label := pick(in[0], in[1], in[2])
		loss, byPath := net.Gradients(scope, x, label, in[3])
		paths = slices.Sorted(maps.Keys(byPath))
		out := []*Node{loss}
		for _, path := range paths {
			out = append(out, byPath[path])
		}
		return out
	})
	if err != nil {
		return nil, fmt.Errorf("train: step: %w", err)
	}
	sum, err := model.NewExec(b, net.Store, func(scope *model.Scope, in []*Node) *Node {
		each := 1 + len(paths)
		sum := in[:each]
		for chunk := range slices.Chunk(in[each:], each) {
			next := make([]*Node, each)
			for i := range sum {
				next[i] = Add(sum[i], chunk[i])
			}
			sum = next
		}
		grads := inOrder(net, paths, sum[1:])
		keeper(net, in[0].Graph())(sum[0], func() {
			adam(learningRate).(withGradients).UpdateGraphWithGradients(scope, grads, dtypes.Float32)
		})
		return sum[0]
	})
	if err != nil {
		return nil, fmt.Errorf("train: step: %w", err)
	}
	return func(pixels, labels *tensors.Tensor, p picks) (float64, error) {
		n := len(p) / 4
		size := n
		if backend.KindOf(b).OnCPU() {
			size = chunkSize(n)
		}
		var all []*tensors.Tensor
		defer func() { free(all) }()
		for chunk := range slices.Chunk(p, 4*size) {
			chosen, share := chunk.tensor(), tensors.FromScalar(float32(len(chunk)/4)/float32(n))
			grads, err := execute(gradients, pixels, labels, chosen, share)
			free([]*tensors.Tensor{chosen, share})
			if err != nil {
				return 0, err
			}
			all = append(all, grads...)
		}
		out, err := execute(sum, all...)
		if err != nil {
			return 0, err
		}
		defer free(out)
		return float64(tensors.ToScalar[float32](out[0])), nil
	}, nil
}

// chunkSize is how many images of n are a chunk: all chunks are alike where
// that is possible, because each size is compiled for.
func chunkSize(n int) int {
	least := max(1, (n+exec.Batch-1)/exec.Batch)
	for count := least; count < 2*least; count++ {
		if n%count == 0 {
			return n / count
		}
	}
	return (n + least - 1) / least
}

// keeper returns a function that makes an update, but leaves the variables of the network
// as they were when keeper was called where the loss is not finite, so that the fault can
// be looked for in the network that has it.
func keeper(net *network.Network, g *Graph) func(loss *Node, update func()) {
	before := make(map[*model.Variable]*Node)
	for v := range net.Variables() { // others than weights may change before the update
		if !v.Trainable {
			before[v] = v.NodeValue(g)
		}
	}
	return func(loss *Node, update func()) {
		for v := range net.Variables() {
			if v.Trainable && v.InUseByGraph(g) {
				before[v] = v.NodeValue(g)
			}
		}
		update()
		finite := IsFinite(loss)
		for v := range net.Variables() {
			if old := before[v]; old != nil && v.ChangedInGraph(g) {
				v.SetNodeValue(Where(finite, v.NodeValue(g), old))
			}
		}
	}
}

// withGradients is an optimizer that is given the gradients of all weights of the graph, in
// the store's order.
type withGradients interface {
	UpdateGraphWithGradients(scope *model.Scope, grads []*Node, dtype dtypes.DType)
}

// inOrder returns the gradients of the weights of some paths in the store's order, and
// makes the weights the graph's variables.
func inOrder(net *network.Network, paths []string, grads []*Node) (ordered []*Node) {
	for v := range net.Variables() {
		if !v.Trainable {
			continue
		}
		i := slices.Index(paths, v.Path())
		if i < 0 {
			panic(fmt.Errorf("the network's Gradients has none for %s, want one for each of its weights", v.Path()))
		}
		v.NodeValue(grads[i])
		ordered = append(ordered, grads[i])
	}
	if len(ordered) != len(paths) {
		panic(fmt.Errorf("the network's Gradients has %d: %s; want one for each of its %d weights", len(paths), strings.Join(paths, ", "), len(ordered)))
	}
	return ordered
}

// execute runs a part of a step.
func execute(graph *model.Exec, in ...*tensors.Tensor) ([]*tensors.Tensor, error) {
	out, err := exec.Run(graph, in...)
	if err != nil {
		return nil, fmt.Errorf("train: step: %w", err)
	}
	return out, nil
}

// free frees tensors now rather than when the garbage collector, which does not see
// their size, comes to it.
func free(all []*tensors.Tensor) {
	for _, t := range all {
		t.MustFinalizeAll()
	}
}
