package network

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/failure"
)

// Redraw says how parameters are drawn anew.
type Redraw int

// The ways to draw parameters anew.
const (
	Permute Redraw = iota // the parameters of each variable in another order
	Normal                // normal, with the mean and standard deviation of the variable
)

// Scopes returns the scopes of a network's parameters, its trainable float32 variables, in
// the order in which they were made: conv1, conv2, … A variable at the root is a scope of
// its own name.
func (n *Network) Scopes() []string {
	var names []string
	for v := range n.Store.IterVariables() {
		if name, ok := scopeOf(v); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// scopeOf returns the scope of a variable, if it is a parameter.
func scopeOf(v *model.Variable) (string, bool) {
	if v.DType() != dtypes.Float32 || !v.Trainable {
		return "", false
	}
	if scope := strings.Trim(v.Scope(), model.ScopeSeparator); scope != "" {
		return scope, true
	}
	return v.Name(), true
}

// Clone returns a copy of the network with a store of its own.
func (n *Network) Clone() (*Network, error) {
	store, err := n.Store.Clone()
	if err != nil {
		return nil, fmt.Errorf("network: clone: %w", err)
	}
	c := *n
	c.Store = store
	return &c, nil
}

// Randomized returns a copy of a network, in a store of its own, in which the parameters of
// some scopes, see [Network.Scopes], are drawn anew: the model-parameter randomization of
// Adebayo et al. 2018 (arXiv:1810.03292). All scopes from the last to one of them is the
// paper's cascading randomization, one scope alone its independent one. Each variable is
// drawn from the seed and its own name, so that the copies of a cascade agree where they
// have scopes in common. Its error matches [ErrLayer].
func Randomized(n *Network, how Redraw, seed uint64, scopes ...string) (*Network, error) {
	known := n.Scopes()
	for _, s := range scopes {
		if !slices.Contains(known, s) {
			return nil, failure.New(ErrLayer, "network: randomized: scope %q, want some of %s", s, strings.Join(known, ", "))
		}
	}
	if how != Permute && how != Normal {
		return nil, fmt.Errorf("network: randomized: redraw %d, want Permute or Normal", how)
	}
	c, err := n.Clone()
	if err != nil {
		return nil, err
	}
	for v := range c.Store.IterVariables() {
		name, ok := scopeOf(v)
		if !ok || !slices.Contains(scopes, name) {
			continue
		}
		if err := redraw(v, how, rand.New(rand.NewPCG(seed, hash(v.Path())))); err != nil {
			return nil, fmt.Errorf("network: randomized: %s: %w", v.Path(), err)
		}
	}
	return c, nil
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

// redraw gives a variable other values.
func redraw(v *model.Variable, how Redraw, random *rand.Rand) error {
	values, err := floats(v)
	if err != nil {
		return err
	}
	if how == Permute {
		random.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
	} else {
		mean, square := 0.0, 0.0
		for _, w := range values {
			mean += float64(w) / float64(len(values))
		}
		for _, w := range values {
			square += (float64(w) - mean) * (float64(w) - mean) / float64(len(values))
		}
		for i := range values {
			values[i] = float32(mean + random.NormFloat64()*math.Sqrt(square))
		}
	}
	return v.SetValue(tensors.FromFlatDataAndDimensions(values, v.Shape().Dimensions...))
}

// floats returns a copy of a variable's values, row by row.
func floats(v *model.Variable) ([]float32, error) {
	t, err := v.Value()
	if err != nil {
		return nil, err
	}
	return tensors.CopyFlatData[float32](t)
}
