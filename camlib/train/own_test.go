package train

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/layers/norm"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
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
				return activation.Relu(norm.BatchNorm(scope, x, -1).UseBackendInference(false).Done()) // pure Go has no other
			}},
			{Name: "body", Build: func(scope *model.Scope, x *Node) *Node {
				scope = scope.At("body")
				return activation.Relu(layers.Convolution(scope, x).Channels(6).KernelSize(3).PadSame().Strides(2).Done())
			}},
		},
		Head: func(scope *model.Scope, act *Node) *Node {
			scope = scope.At("head")
			x := layers.DropoutStatic(scope, Reshape(act, act.Shape().Dim(0), -1), 0.25)
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

// ownConfig trains own on patterns. Its steps are few and of two sizes.
func ownConfig() Config {
	return Config{Epochs: 3, BatchSize: 8, Augment: FlipCrop, Seed: 5, LearningRate: 0.01}
}

// TestOwnNetwork: a network of a user's is trained by the plain step, learns, and is the
// same however often it is trained; its files have all that it needs.
func TestOwnNetwork(t *testing.T) {
	b, ds := backendtest.Go(t), patterns(t, 40)
	config := Config{Epochs: 8, BatchSize: 8, Augment: None, LearningRate: 0.01, Seed: 2, Dir: t.TempDir()}
	net := own()
	h, err := Train(t.Context(), b, net, ds, ds, config)
	if err != nil {
		t.Fatal(err)
	}
	last := h.Epochs[len(h.Epochs)-1]
	if last.Test.Accuracy < 0.9 || h.Config.Step != Plain || h.Architecture != "own" {
		t.Errorf("accuracy %.3f by step %q of %q, want 0.9 by plain", last.Test.Accuracy, h.Config.Step, h.Architecture)
	}
	all := variables(t, net)
	for name := range all {
		if strings.Contains(name, "dam") || strings.Contains(name, "step") || strings.Contains(name, "learning") {
			t.Errorf("the optimizer's variable %s is left", name)
		}
	}
	config.Dir = ""
	again := own()
	if _, err := Train(t.Context(), b, again, ds, ds, config); err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(all, variables(t, again), func(a, b []byte) bool { return string(a) == string(b) }) {
		t.Error("the same training of a new network ended with other variables")
	}

	loaded := own()
	if _, err := loaded.Summary(b, ds.Size()); err != nil { // makes its variables
		t.Fatal(err)
	}
	if err := loaded.Load(config.Dir + "/" + network.ModelFile); err == nil {
		t.Error("no folder: no error")
	}
	dir := t.TempDir()
	if err := net.Save(dir + "/" + network.ModelFile); err != nil {
		t.Fatal(err)
	}
	if err := loaded.Load(dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range all {
		if got := variables(t, loaded)[name]; string(got) != string(want) && !strings.HasSuffix(name, model.RNGStateVariableName) {
			t.Errorf("%s changed on the way through the file", name)
		}
	}
	if got := evaluate(t, b, loaded, ds).Loss; got != last.Test.Loss {
		t.Errorf("loss %v after loading, want %v", got, last.Test.Loss)
	}
}

// TestPrepareGivesValues to every variable, though none has one yet and none is random in
// training.
func TestPrepareGivesValues(t *testing.T) {
	net := &network.Network{
		Name: "dense", Store: model.NewStore(),
		Layers: []network.Layer{{Name: "image", Build: func(_ *model.Scope, x *Node) *Node { return x }}},
		Head: func(scope *model.Scope, act *Node) *Node {
			return layers.Dense(scope.At("head"), ReduceMean(act, 1, 2), true, 4)
		},
	}
	if err := prepare(backendtest.Go(t), net, patterns(t, 4), 1); err != nil {
		t.Fatal(err)
	}
	n := 0
	for v := range net.Store.IterVariables() {
		n++
		if !v.HasValue() {
			t.Errorf("%s has no value", v.Path())
		}
	}
	if n != 2 {
		t.Errorf("%d variables, want weights and biases", n)
	}
}

// TestPrepareKeepsRandomNumbers: the state of a user's random numbers, of which the training
// draws none, stays in the store as it is.
func TestPrepareKeepsRandomNumbers(t *testing.T) {
	net := tiny(1)
	if err := net.Store.SetRNGStateFromSeed(7); err != nil {
		t.Fatal(err)
	}
	before := variables(t, net)
	if err := prepare(backendtest.Go(t), net, few(t, 10), 1); err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(variables(t, net), before, slices.Equal) {
		t.Error("the store has changed")
	}
}

// TestSeedsOfOwnNetwork: the seed decides the weights and the dropout, and a training that
// uses no random numbers leaves none in the store.
func TestSeedsOfOwnNetwork(t *testing.T) {
	b, ds := backendtest.Go(t), patterns(t, 8)
	first := func(seed int64) []byte {
		net := own()
		if err := prepare(b, net, ds, seed); err != nil {
			t.Fatal(err)
		}
		return encode(t, net)
	}
	one, again, two := first(1), first(1), first(2)
	if string(one) != string(again) || string(one) == string(two) {
		t.Error("want the seed to decide the first weights")
	}
	weighted := own() // which draws random numbers for dropout alone
	var states []string
	for range 2 {
		if err := prepare(b, weighted, ds, 1); err != nil {
			t.Fatal(err)
		}
		states = append(states, string(variables(t, weighted)["/"+model.RNGStateVariableName]))
		if err := weighted.Store.DeleteVariable("/" + model.RNGStateVariableName); err != nil {
			t.Fatal(err)
		}
	}
	if err := prepare(b, weighted, ds, 1); err != nil {
		t.Fatal(err)
	}
	states = append(states, string(variables(t, weighted)["/"+model.RNGStateVariableName]))
	if states[0] != states[1] || states[1] != states[2] || states[0] == "" {
		t.Errorf("states %q of the random numbers, want one for a seed", states)
	}

	net := own()
	net.Head = func(scope *model.Scope, act *Node) *Node {
		return layers.Dense(scope.At("head"), ReduceMean(act, 1, 2), true, 4)
	}
	if err := prepare(b, net, ds, 1); err != nil {
		t.Fatal(err)
	}
	if v := net.Store.GetVariable("/" + model.RNGStateVariableName); v != nil {
		t.Error("random numbers' state is left, though the network draws none")
	}
}
