// Package exec compiles graphs once, runs them, and leaves no tensors behind.
package exec

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Batch is how many images a run takes where nothing else is asked for: the activations
// of the article's network for them fit a processor's cache, and more are slower.
const Batch = 32

// ChunkSize is how many images of n are a chunk of at most so many: all chunks are alike where
// that is possible, because each size is compiled for.
func ChunkSize(n, most int) int {
	least := max(1, (n+most-1)/most)
	for count := least; count < 2*least; count++ {
		if n%count == 0 {
			return n / count
		}
	}
	return (n + least - 1) / least
}

// Outputs are what a graph returns, by name. One that is nil is left out.
type Outputs map[string]*graph.Node

// Graph is a graph with named outputs. It is compiled for each shape of its inputs.
type Graph struct {
	program *Program

	mu    sync.Mutex
	names map[graph.GraphId][]string // the order of the outputs
}

// New returns a graph on a backend, with the variables of a store. There are as many
// compiled forms as shapes of inputs that it meets, without a limit.
func New(backend compute.Backend, store *model.Store, build func(scope *model.Scope, in []*graph.Node) Outputs) (*Graph, error) {
	return NewOn(nil, AllShared, backend, store, build)
}

// AllShared says of every input that devices have shares of its rows.
func AllShared(int) bool { return true }

// NewOn is New on several devices, which have shares of the rows of those inputs that shared
// says, and copies of the others.
func NewOn(devices *Devices, shared func(input int) bool, backend compute.Backend, store *model.Store, build func(scope *model.Scope, in []*graph.Node) Outputs) (*Graph, error) {
	g := &Graph{names: make(map[graph.GraphId][]string)}
	var err error
	g.program, err = NewProgram(backend, devices, store, shared, func(scope *model.Scope, in []*graph.Node) []*graph.Node {
		out := build(scope, in)
		for v := range store.IterVariables() {
			if !v.HasValue() { // GoMLX would draw one, another in every process
				panic(fmt.Errorf("variable %s has no value, want a network that was trained or whose weights were loaded", v.Path()))
			}
		}
		maps.DeleteFunc(out, func(_ string, node *graph.Node) bool { return node == nil })
		names := slices.Sorted(maps.Keys(out))
		nodes := make([]*graph.Node, len(names))
		for i, name := range names {
			nodes[i] = out[name]
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.names[in[0].Graph().GraphId()] = names
		return nodes
	})
	return g, err
}

// Call runs the graph and frees the inputs. A panic of the functions that build it is
// returned as an error.
func (g *Graph) Call(inputs ...*tensors.Tensor) (Values, error) {
	in := make([]Value, len(inputs))
	for i, t := range inputs {
		var err error
		if in[i], err = g.program.place(i, t); err != nil {
			return nil, err
		}
	}
	out, built, err := g.program.run(in)
	for _, v := range in {
		err = errors.Join(err, v.Free())
	}
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	values := make(Values)
	for i, name := range g.names[built.GraphId()] {
		values[name] = out[i].First()
		err = errors.Join(err, out[i].FreeOthers())
	}
	return values, err
}

// Finalize frees the compiled forms.
func (g *Graph) Finalize() { g.program.Finalize() }

// Values are what a graph gave, by name.
type Values map[string]*tensors.Tensor

// Dims returns the dimensions of a value.
func (v Values) Dims(name string) []int { return v[name].Shape().Dimensions }

// Read moves the values of some names into slices, which are pointers to slices of
// float32, int32, uint8 or bool, and frees all others. A slice whose name there is no
// value of becomes nil.
func (v Values) Read(into map[string]any) (err error) {
	for name, to := range into {
		t := v[name]
		delete(v, name)
		var e error
		switch to := to.(type) {
		case *[]float32:
			*to, e = take[float32](t)
		case *[]int32:
			*to, e = take[int32](t)
		case *[]uint8:
			*to, e = take[uint8](t)
		case *[]bool:
			*to, e = take[bool](t)
		default:
			e = fmt.Errorf("exec: %s: a slice of type %T, want float32, int32, uint8 or bool", name, to)
		}
		err = errors.Join(err, e)
	}
	for _, t := range v {
		err = errors.Join(err, t.FinalizeAll())
	}
	return err
}

func take[T float32 | int32 | uint8 | bool](t *tensors.Tensor) ([]T, error) {
	if t == nil {
		return nil, nil
	}
	v, err := tensors.CopyFlatData[T](t)
	return v, errors.Join(err, t.FinalizeAll())
}
