package train

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/internal/exec"
	"github.com/camlab-go/camlab/internal/nn"
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

// A stepper makes one training step, with the learning rate and the number of the step, from
// 1: it takes the whole data set and the picks of a batch, and updates the network's
// variables, unless the loss or a gradient is not finite.
type stepper func(pixels, labels *tensors.Tensor, p picks, rate float64, number int64) (stepped, error)

// stepped is what a step says of the network before its update.
type stepped struct {
	loss     float64
	gradient float64 // the Euclidean norm of all gradients
}

func (s stepped) finite() bool { return isAmount(s.gradient) && s.loss-s.loss == 0 }

var steps = map[StepKind]func(b compute.Backend, net *network.Network, c Config, classes int) (stepper, error){Plain: plainStep, Winograd: gradientsStep}

// plainStep is the step as one graph, its gradients by automatic differentiation: the
// reference for every faster one.
func plainStep(b compute.Backend, net *network.Network, c Config, classes int) (stepper, error) {
	place, err := placing(b, c.Devices)
	if err != nil {
		return nil, err
	}
	graph, err := exec.NewProgram(b, place.devices, net.Store, arePicks, func(scope *model.Scope, in []*Node) []*Node {
		pixels, labels, picks, now := in[0], in[1], in[2], in[3]
		g := picks.Graph()
		net.Store.SetTraining(g, true)
		commit := committer(net, g)
		x, target := c.batch(pixels, labels, picks, classes)
		loss := score.TargetLoss(ConvertDType(net.Forward(scope, x), dtypes.Float32), target)
		grads := scope.BuildTrainableVariablesGradientsGraph(loss)
		byPath := make(map[string]*Node)
		for v := range net.Store.IterVariables() { // in the order of the gradients
			if v.Trainable && v.InUseByGraph(g) {
				byPath[v.Path()], grads = grads[0], grads[1:]
			}
		}
		return []*Node{loss, commit(loss, byPath, now, c.update())}
	})
	if err != nil {
		return nil, fmt.Errorf("train: step: %w", err)
	}
	return func(pixels, labels *tensors.Tensor, p picks, rate float64, number int64) (stepped, error) {
		in, err := place.inputs(pixels, labels, c.Augment.tensor(p), nowTensor(rate, number))
		if err != nil {
			return stepped{}, err
		}
		defer free(in[2:])
		return result(execute(graph, in...))
	}, nil
}

// gradientsStep is the step with the network's own gradients.
func gradientsStep(b compute.Backend, net *network.Network, c Config, classes int) (stepper, error) {
	place, err := placing(b, c.Devices)
	if err != nil {
		return nil, err
	}
	var paths []string // of the variables, in the order of the gradients
	gradients, err := exec.NewProgram(b, place.devices, net.Store, arePicks, func(scope *model.Scope, in []*Node) []*Node {
		net.Store.SetTraining(in[0].Graph(), true)
		x, target := c.batch(in[0], in[1], in[2], classes)
		loss, byPath := net.Gradients(scope, x, target, in[3])
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
	sum, err := exec.NewProgram(b, place.devices, net.Store, noInput, func(_ *model.Scope, in []*Node) []*Node {
		now, in := in[0], in[1:]
		each := 1 + len(paths)
		sum := in[:each]
		for chunk := range slices.Chunk(in[each:], each) {
			next := make([]*Node, each)
			for i := range sum {
				next[i] = Add(sum[i], chunk[i])
			}
			sum = next
		}
		byPath := make(map[string]*Node)
		for i, path := range paths {
			byPath[path] = sum[1+i]
		}
		commit := committer(net, now.Graph())
		setAverages(net, byPath)
		return []*Node{sum[0], commit(sum[0], byPath, now, c.update())}
	})
	if err != nil {
		return nil, fmt.Errorf("train: step: %w", err)
	}
	return func(pixels, labels *tensors.Tensor, p picks, rate float64, number int64) (stepped, error) {
		width := c.Augment.width()
		n := len(p) / width
		size := place.chunk(b, net, n)
		now, err := place.devices.Copies(nowTensor(rate, number))
		if err != nil {
			return stepped{}, fmt.Errorf("train: step: %w", err)
		}
		all := []exec.Value{now}
		defer func() { free(all) }()
		for chunk := range slices.Chunk(p, width*size) {
			in, err := place.inputs(pixels, labels, c.Augment.tensor(chunk), tensors.FromScalar(float32(len(chunk)/width)/float32(n)))
			if err != nil {
				return stepped{}, err
			}
			grads, err := execute(gradients, in...)
			free(in[2:])
			if err != nil {
				return stepped{}, err
			}
			all = append(all, grads...)
		}
		return result(execute(sum, all...))
	}, nil
}

// batch builds the images of a step, and what their scores are held to, [n, classes]: 1 for the
// label, or with the label smoothing s of Szegedy et al. 2015 (arXiv:1512.00567, section 7)
// 1 − s + s/classes for it and s/classes for the others.
func (c Config) batch(pixels, labels, picks *Node, classes int) (x, target *Node) {
	x, label, other, lambda := c.Augment.pick(pixels, labels, picks)
	of := func(label *Node) *Node { return OneHot(ConvertDType(label, dtypes.Int32), classes, dtypes.Float32) }
	target = of(label)
	if other != nil {
		l := InsertAxes(lambda, -1)
		target = Add(Mul(target, l), Mul(of(other), OneMinus(l)))
	}
	if s := c.LabelSmoothing; s > 0 {
		target = AddScalar(MulScalar(target, 1-s), s/float64(classes))
	}
	return x, target
}

// nowTensor is what a step's graph is told of the moment: the learning rate and the number of
// the step.
func nowTensor(rate float64, number int64) *tensors.Tensor {
	return tensors.FromValue([]float32{float32(rate), float32(number)})
}

// result reads what a step's graph returned.
func result(out []exec.Value, err error) (stepped, error) {
	if err != nil {
		return stepped{}, err
	}
	defer free(out)
	number := func(v exec.Value) float64 { return float64(tensors.ToScalar[float32](v.First())) }
	return stepped{loss: number(out[0]), gradient: math.Sqrt(number(out[1]))}, nil
}

// committer returns a function that updates the variables of the network by gradients and
// returns the sum of the gradients' squares. Where that or the loss is not finite it
// leaves all variables as they were when committer was called, so that the fault can be looked
// for in the network that has it.
func committer(net *network.Network, g *Graph) func(loss *Node, gradients map[string]*Node, now *Node, u update) *Node {
	before := make(map[*model.Variable]*Node)
	keep := func(v *model.Variable) {
		if before[v] == nil {
			before[v] = v.NodeValue(g)
		}
	}
	for v := range net.Variables() { // others than weights may change before the update
		if !v.Trainable {
			keep(v)
		}
	}
	return func(loss *Node, gradients map[string]*Node, now *Node, u update) *Node {
		squares := ScalarZero(g, dtypes.Float32)
		for _, path := range slices.Sorted(maps.Keys(gradients)) {
			squares = Add(squares, ReduceAllSum(Square(ConvertDType(gradients[path], dtypes.Float32))))
			keep(net.Store.GetVariable(path))
		}
		for v := range net.Store.IterVariables() {
			if isKept(v) {
				keep(v)
			}
		}
		at := instantOf(now)
		for v := range net.Variables() {
			if grad := gradients[v.Path()]; grad != nil {
				u.build(net.Store, v, grad, at)
			}
			u.buildAverage(net.Store, v, at)
		}
		finite := nn.Settled(LogicalAnd(IsFinite(loss), IsFinite(squares)))
		for v := range net.Store.IterVariables() {
			if old := before[v]; old != nil && v.ChangedInGraph(g) {
				v.SetNodeValue(Where(finite, v.NodeValue(g), old))
			}
		}
		return squares
	}
}

// setAverages takes what a network's own gradients say of variables that are not trained, such
// as the averages of batch normalization, out of the map, sets the variables to it, and holds
// what is left to be the gradients of all weights.
func setAverages(net *network.Network, byPath map[string]*Node) {
	named := strings.Join(slices.Sorted(maps.Keys(byPath)), ", ")
	weights := 0
	for v := range net.Variables() {
		value := byPath[v.Path()]
		switch {
		case v.Trainable && value == nil:
			panic(fmt.Errorf("the network's Gradients has none for %s, want one for each of its weights", v.Path()))
		case v.Trainable:
			weights++
		case value != nil:
			v.SetNodeValue(value)
			delete(byPath, v.Path())
		}
	}
	if weights != len(byPath) {
		panic(fmt.Errorf("the network's Gradients has %d: %s; want one for each of its %d weights", len(byPath), named, weights))
	}
}

// execute runs a part of a step.
func execute(graph *exec.Program, in ...exec.Value) ([]exec.Value, error) {
	out, err := graph.Run(in...)
	if err != nil {
		return nil, fmt.Errorf("train: step: %w", err)
	}
	return out, nil
}

// free frees values now rather than when the garbage collector, which does not see
// their size, comes to it.
func free(all []exec.Value) {
	for _, v := range all {
		if err := v.Free(); err != nil {
			panic(err)
		}
	}
}
