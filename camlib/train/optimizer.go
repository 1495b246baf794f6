package train

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/nn"
	"github.com/camlab-go/camlab/internal/weights"
)

// Optimizer names how a step changes the weights.
type Optimizer string

// The optimizers, for a weight w with the gradient g at step t = 1, 2, … and the learning
// rate η, which a [Schedule] changes and [Config.Rates] multiplies by f for some weights:
//
//	Adam   m ← 0.9 m + 0.1 g,  v ← 0.999 v + 0.001 g²,
//	       w ← w − η f · (m/(1 − 0.9ᵗ)) / (√(v/(1 − 0.999ᵗ)) + 10⁻⁷)
//	AdamW  the same, and w ← w − η λ w
//	SGD    m ← μ m + g,  w ← w − η f · (g + μ m) − η λ w
//
// Adam is that of Kingma & Ba 2014 (arXiv:1412.6980), with the ε of Keras; the decay λ,
// [Config.WeightDecay], apart from the gradient is that of Loshchilov & Hutter 2017
// (arXiv:1711.05101); the momentum μ, [Config.Momentum], is Nesterov's in the form of
// Sutskever et al. 2013 that PyTorch has.
const (
	Adam  Optimizer = "adam"
	AdamW Optimizer = "adamw"
	SGD   Optimizer = "sgd"
)

// ParseOptimizer returns the optimizer of that name.
func ParseOptimizer(name string) (Optimizer, error) {
	switch o := Optimizer(name); o {
	case Adam, AdamW, SGD:
		return o, nil
	}
	return "", fmt.Errorf("train: optimizer %q, want %s, %s or %s", name, Adam, AdamW, SGD)
}

// The moments of a weight's gradients that an optimizer keeps, and the average of a
// variable: scopes in the network's store, below optimizer.Scope.
const (
	firstMoment  = "first"
	secondMoment = "second"
	average      = "average"
)

// moments are those that the optimizer keeps.
func (o Optimizer) moments() []string {
	if o == SGD {
		return []string{firstMoment}
	}
	return []string{firstMoment, secondMoment}
}

// kept is the path in the store of what is kept beside a variable.
func kept(what, path string) string {
	return model.JoinPath(model.RootScopePath, optimizer.Scope, what) + model.ScopeSeparator + strings.TrimPrefix(path, model.ScopeSeparator)
}

// isKept reports whether a variable is one of those.
func isKept(v *model.Variable) bool { return strings.HasPrefix(v.Path(), kept("", "")) }

// makeKept makes the variables of a training that are not the network's, of zeros; averages
// begin as what they are of.
func makeKept(store *model.Store, all []parameter) error {
	for _, p := range all {
		if p.of == "" || store.GetVariable(p.path()) != nil {
			continue
		}
		zeros, err := weights.Zeros(p.shape)
		if err != nil {
			return err
		}
		value, err := weights.Tensor(zeros, p.shape)
		if err != nil {
			return err
		}
		if p.kind == average {
			if value, err = store.GetVariable(p.of).Value(); err != nil {
				return err
			}
			if value, err = value.Clone(); err != nil {
				return err
			}
		}
		store.VariableWithValue(p.name, value).SetTrainable(false)
	}
	return nil
}

// clearOptimizer removes from a store the variables that a training or GoMLX's optimizers
// keep there.
func clearOptimizer(store *model.Store) error {
	for _, scope := range []string{optimizer.Scope, optimizer.AdamDefaultScope} {
		if err := store.DeleteVariablesInScope(scope); err != nil {
			return err
		}
	}
	return optimizer.DeleteGlobalStep(store)
}

// An update is how a step changes the variables, in numbers.
type update struct {
	optimizer             Optimizer
	momentum, weightDecay float64
	rates                 map[string]float64
	average               float64
}

func (c Config) update() update {
	return update{c.Optimizer, c.Momentum, c.WeightDecay, c.Rates, c.Average}
}

// factor is what the learning rate of a variable is multiplied by: the rate of the longest
// end of its path.
func (u update) factor(path string) float64 {
	longest, factor := "", 1.0
	for end, f := range u.rates {
		if len(end) > len(longest) && strings.HasSuffix(path, model.ScopeSeparator+end) {
			longest, factor = end, f
		}
	}
	return factor
}

// checkRates returns an error if the end of a path in rates is that of no weight.
func checkRates(rates map[string]float64, net *network.Network) error {
	for _, end := range slices.Sorted(maps.Keys(rates)) {
		var paths []string
		for v := range net.Variables() {
			if v.Trainable {
				paths = append(paths, v.Path())
			}
		}
		if !slices.ContainsFunc(paths, func(p string) bool { return strings.HasSuffix(p, model.ScopeSeparator+end) }) {
			return fmt.Errorf("train: rate of %q, which is the end of no weight of %s, want that of one of %s", end, net.Name, strings.Join(paths, ", "))
		}
	}
	return nil
}

// instant is when a step is: numbers that all weights share, float32 scalars.
type instant struct {
	rate, number  *Node // the learning rate, and the number of the step, from 1
	first, second *Node // 1/(1 − β₁ᵗ) and 1/(1 − β₂ᵗ), by which Adam's moments are unbiased
}

const beta1, beta2 = 0.9, 0.999

// instantOf is the instant that a [nowTensor] is of.
func instantOf(now *Node) instant {
	at := func(i int) *Node { return Reshape(Slice(now, AxisElem(i))) }
	unbiasing := func(beta float64) *Node {
		b := Scalar(now.Graph(), now.DType(), beta)
		return nn.Settled(Reciprocal(OneMinus(Pow(b, at(1))))) // its powers are long to compile
	}
	return instant{at(0), at(1), unbiasing(beta1), unbiasing(beta2)}
}

// build builds the update of a weight by its gradient.
func (u update) build(store *model.Store, v *model.Variable, grad *Node, now instant) {
	g := grad.Graph()
	grad = ConvertDType(grad, dtypes.Float32)
	moment := func(what string, next func(old *Node) *Node) *Node {
		m := store.GetVariable(kept(what, v.Path()))
		m.SetNodeValue(next(m.NodeValue(g)))
		return m.NodeValue(g)
	}
	w := ConvertDType(v.NodeValue(g), dtypes.Float32)
	factor := u.factor(v.Path())
	var change *Node
	if u.optimizer == SGD {
		m := moment(firstMoment, func(m *Node) *Node { return Add(MulScalar(m, u.momentum), grad) })
		change = Mul(MulScalar(now.rate, factor), Add(grad, MulScalar(m, u.momentum)))
	} else {
		const epsilon = 1e-7
		mean := func(old, next *Node, beta float64) *Node {
			b := Scalar(g, grad.DType(), beta)
			return Add(Mul(b, old), Mul(OneMinus(b), next))
		}
		first := moment(firstMoment, func(m *Node) *Node { return mean(m, grad, beta1) })
		second := moment(secondMoment, func(m *Node) *Node { return mean(m, Square(grad), beta2) })
		change = Div(Mul(MulScalar(now.rate, factor), Mul(first, now.first)), AddScalar(Sqrt(Mul(second, now.second)), epsilon))
	}
	if u.weightDecay > 0 {
		change = Add(change, Mul(now.rate, MulScalar(w, u.weightDecay)))
	}
	v.SetNodeValue(ConvertDType(Sub(w, change), v.DType()))
}

// buildAverage builds the average of a variable as the step leaves it,
//
//	a ← d a + (1 − d) v,   d = min(average, t/(t + 9)),
//
// so that the first steps, from weights that nobody trained, are soon forgotten.
func (u update) buildAverage(store *model.Store, v *model.Variable, now instant) {
	a := store.GetVariable(kept(average, v.Path()))
	if a == nil {
		return
	}
	g := now.number.Graph()
	d := MinScalar(Div(now.number, AddScalar(now.number, 9)), u.average)
	a.SetNodeValue(Add(Mul(d, a.NodeValue(g)), Mul(OneMinus(d), v.NodeValue(g))))
}
