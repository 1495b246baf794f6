package exec

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Program is a graph on devices, with the variables of a store. It is compiled for each shape
// of its inputs, without a limit. What it returns, and the variables, every device has whole.
type Program struct {
	backend compute.Backend
	devices *Devices
	store   *model.Store
	shared  func(input int) bool
	build   func(scope *model.Scope, in []*graph.Node) []*graph.Node

	execs Cache[form, *model.Exec]
}

// form is what a program is compiled for beside the shapes of its inputs.
type form struct{ inputs, fill int }

// NewProgram returns a program. shared says of which of its inputs, with as many rows each, the
// devices have shares; they have copies of the others.
func NewProgram(b compute.Backend, d *Devices, store *model.Store, shared func(input int) bool, build func(scope *model.Scope, in []*graph.Node) []*graph.Node) (*Program, error) {
	if store == nil {
		return nil, errors.New("exec: no store, want one, which may be empty")
	}
	return &Program{backend: b, devices: d, store: store, shared: shared, build: build}, nil
}

// exec returns the program in a form. What fills up the last share is cut off in the graph, so
// that nothing is ever computed of it: which numbers a device has does not change any.
func (p *Program) exec(f form) (*model.Exec, error) {
	return p.execs.Get(f, func() (*model.Exec, error) {
		e, err := model.NewExec(p.backend, p.store, func(scope *model.Scope, in []*graph.Node) []*graph.Node {
			in = slices.Clone(in)
			for i, x := range in {
				if f.fill > 0 && p.shared(i) {
					in[i] = graph.Slice(x, graph.AxisRange(0, x.Shape().Dim(0)-f.fill))
				}
			}
			return p.build(scope, in)
		})
		if err != nil {
			return nil, err
		}
		e.SetMaxCache(-1)
		if d := p.devices; d != nil {
			e.AutoSharding(d.mesh).WithOutputShardingSpecs(d.whole)
			specs := make([]*distributed.ShardingSpec, f.inputs)
			for i := range specs {
				if specs[i] = d.whole; p.shared(i) {
					specs[i] = d.rows
				}
			}
			e.WithInputShardingSpecs(specs...)
		}
		return e, nil
	})
}

// running is held by a run on several devices: two at once could wait for each other, each
// for a device that the other one has.
var running sync.Mutex

// Run runs the program, which keeps its inputs. A panic of a network is returned as an error.
func (p *Program) Run(in ...Value) ([]Value, error) {
	out, _, err := p.run(in)
	return out, err
}

func (p *Program) run(in []Value) (out []Value, built *graph.Graph, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("network: %v", r)
		}
	}()
	var f form
	if p.devices != nil {
		running.Lock()
		defer running.Unlock()
		if err := p.devices.place(p.store); err != nil {
			return nil, nil, err
		}
		f.inputs = len(in)
		for _, v := range in {
			f.fill = max(f.fill, v.fill)
		}
	}
	e, err := p.exec(f)
	if err != nil {
		return nil, nil, err
	}
	var args []any
	for k := range p.devices.Count() {
		for _, v := range in {
			args = append(args, v.on[k])
		}
	}
	all, built, err := e.CallWithGraph(args...)
	if err != nil {
		return nil, nil, cause(err)
	}
	out = make([]Value, len(all)/p.devices.Count())
	for i, t := range all {
		v := &out[i%len(out)]
		v.on = append(v.on, t)
	}
	return out, built, nil
}

// Finalize frees the compiled forms.
func (p *Program) Finalize() {
	p.execs.Each(func(e *model.Exec) { e.Finalize() })
}

// place gives the devices an input, which becomes the value's.
func (p *Program) place(input int, t *tensors.Tensor) (Value, error) {
	if p.shared(input) {
		return p.devices.Shares(t)
	}
	return p.devices.Copies(t)
}

// place has all variables on these devices. Of those that were on others GoMLX v0.28.1 would go on
// with as many copies as there are; and it does not build a graph with one that is told nothing
// where that is the state of its random numbers.
func (d *Devices) place(store *model.Store) error {
	for v := range store.IterVariables() {
		was := v.ShardingSpec()
		if was != nil && was.Mesh == d.mesh {
			continue
		}
		if was != nil && v.HasValue() {
			old, err := v.DistributedValue()
			if err != nil {
				return err
			}
			value, err := v.Value()
			if err == nil {
				err = errors.Join(v.SetValuePreservingOld(value), old.FinalizeAll())
			}
			if err != nil {
				return err
			}
		}
		if err := v.SetShardingSpec(d.whole); err != nil {
			return err
		}
	}
	return nil
}

// cause is what a graph was not built or compiled for, without what GoMLX v0.28.1 puts
// before it, which names functions of its own.
func cause(err error) error {
	for _, prefix := range []string{"failed during graph construction/compilation: ", "compilation failed for Exec ", "graphFn for "} {
		if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(err.Error(), prefix) {
			err = inner
		}
	}
	return err
}
