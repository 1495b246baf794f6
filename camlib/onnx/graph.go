package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
)

// graph is a model's graph, of which the functions are taken out: each call is the
// function's nodes instead.
type graph struct {
	nodes           []*node // each after those whose outputs it takes
	constants       map[string]*array
	inputs, outputs []valueInfo
	from            map[string]*node // the node that a tensor is an output of
}

// node is one operator at work.
type node struct {
	op, domain, name string
	namespace        string
	opset            int64
	inputs, outputs  []string // empty for those that are left out
	attributes       map[string]*attribute
	branches         map[string]*graph // of an If
	uses             []string          // the inputs, and what the branches take from outside
}

// text is a node in messages.
func (n *node) text() string {
	name := n.name
	if name == "" && len(n.outputs) > 0 {
		name = "of " + n.outputs[0]
	}
	return fmt.Sprintf("node %q (%s, opset %d)", name, n.fullOp(), n.opset)
}

func (n *node) fullOp() string {
	if n.domain != "" {
		return n.domain + "." + n.op
	}
	return n.op
}

// The bounds of what functions may come to.
const (
	maxNodes = 1 << 15
	maxCalls = 32
)

// flattener takes nodes out of a file into a graph.
type flattener struct {
	*graph
	functions map[[3]string]*functionProto
	count     *int // the nodes so far, of all graphs
	outer     *flattener
	calls     int
}

// names are those of tensors where nodes are, and what they are called in the graph.
type names struct {
	prefix string
	known  map[string]string
}

func (n names) of(name string) string {
	if name == "" {
		return ""
	}
	if to, ok := n.known[name]; ok {
		return to
	}
	return n.prefix + name
}

func newGraph(p *modelProto) (*graph, error) {
	f := &flattener{functions: map[[3]string]*functionProto{}, count: new(int)}
	for _, fn := range p.functions {
		f.functions[[3]string{fn.domain, fn.name, ""}] = fn
	}
	return f.graphOf(p.graph, names{}, p.opsets)
}

// graphOf is a graph of a file.
func (f *flattener) graphOf(p *graphProto, in names, opsets map[string]int64) (*graph, error) {
	f.graph = &graph{constants: map[string]*array{}, from: map[string]*node{}}
	for _, t := range p.initializers {
		a, err := newArray(t)
		if err != nil {
			return nil, err
		}
		f.constants[in.of(t.name)] = a
	}
	for _, v := range p.inputs {
		if _, ok := f.constants[in.of(v.name)]; !ok {
			f.inputs = append(f.inputs, v)
		}
	}
	if err := f.add(p.nodes, in, opsets, nil); err != nil {
		return nil, err
	}
	for _, v := range p.outputs {
		v.name = in.of(v.name)
		f.outputs = append(f.outputs, v)
	}
	if len(f.outputs) == 0 {
		return nil, errors.New("a graph without outputs, want one with scores")
	}
	return f.graph, f.sort()
}

// add adds nodes, and those of the functions that they call. bound are the attributes of
// the function that they are in.
func (f *flattener) add(nodes []*nodeProto, in names, opsets map[string]int64, bound map[string]*attribute) error {
	for _, p := range nodes {
		n := &node{op: p.op, domain: p.domain, name: p.name, namespace: p.namespace, opset: opsets[p.domain], attributes: map[string]*attribute{}}
		for _, a := range p.attributes {
			if a.ref != "" {
				b, ok := bound[a.ref]
				if !ok {
					continue
				}
				c := *b
				c.name = a.name
				a = &c
			}
			n.attributes[a.name] = a
		}
		for _, name := range p.inputs {
			n.inputs = append(n.inputs, in.of(name))
		}
		for _, name := range p.outputs {
			n.outputs = append(n.outputs, in.of(name))
		}
		if *f.count++; *f.count > maxNodes {
			return fmt.Errorf("more than %d nodes, want fewer", maxNodes)
		}
		if n.op == "Constant" && n.domain == "" && len(n.outputs) == 1 {
			a, err := constantOf(n)
			if err != nil {
				return fmt.Errorf("%s: %w", n.text(), err)
			}
			if f.constants[n.outputs[0]] != nil || f.from[n.outputs[0]] != nil {
				return fmt.Errorf("%s: two tensors of the name %q, want different names", n.text(), n.outputs[0])
			}
			f.constants[n.outputs[0]] = a
			continue
		}
		fn := f.functions[[3]string{p.domain, p.op, ""}]
		if fn != nil {
			if err := f.call(fn, n); err != nil {
				return err
			}
			continue
		}
		if err := f.branches(n, in, opsets, bound); err != nil {
			return err
		}
		n.uses = append(n.uses, n.inputs...)
		f.nodes = append(f.nodes, n)
		for _, out := range n.outputs {
			if out == "" {
				continue
			}
			if f.from[out] != nil || f.constants[out] != nil {
				return fmt.Errorf("%s: two tensors of the name %q, want different names", n.text(), out)
			}
			f.from[out] = n
		}
	}
	return nil
}

// constantOf is the tensor of a Constant (1, 9, 11, 12, 13).
func constantOf(n *node) (*array, error) {
	for name, a := range n.attributes {
		switch name {
		case "value":
			if a.t != nil {
				return newArray(a.t)
			}
		case "value_float":
			return &array{dtype: dtypes.Float32, dims: []int{}, f: []float32{a.f}}, nil
		case "value_floats":
			return &array{dtype: dtypes.Float32, dims: []int{len(a.floats)}, f: a.floats}, nil
		case "value_int":
			return &array{dtype: dtypes.Int64, dims: []int{}, i: []int64{a.i}}, nil
		case "value_ints":
			return &array{dtype: dtypes.Int64, dims: []int{len(a.ints)}, i: a.ints}, nil
		case "value_string", "value_strings":
			return &array{dims: []int{len(a.strings)}}, nil
		}
	}
	return nil, errors.New("no value of a type that is known, want a dense tensor")
}

// call adds the nodes of a function in place of the node that calls it.
func (f *flattener) call(fn *functionProto, n *node) error {
	if f.calls++; f.calls > maxCalls {
		return fmt.Errorf("%s: functions that call each other, %d deep, want at most %d", n.text(), f.calls, maxCalls)
	}
	defer func() { f.calls-- }()
	if len(n.inputs) > len(fn.inputs) || len(n.outputs) > len(fn.outputs) {
		return fmt.Errorf("%s: %d inputs and %d outputs, want at most the function's %d and %d",
			n.text(), len(n.inputs), len(n.outputs), len(fn.inputs), len(fn.outputs))
	}
	in := names{prefix: fmt.Sprintf("%s#%d/", cmp.Or(n.name, n.op), *f.count), known: map[string]string{}}
	for i, name := range fn.inputs {
		in.known[name] = ""
		if i < len(n.inputs) {
			in.known[name] = n.inputs[i]
		}
	}
	for i, name := range fn.outputs {
		if i < len(n.outputs) && n.outputs[i] != "" {
			if to, ok := in.known[name]; ok { // the function returns what it was given
				f.nodes = append(f.nodes, &node{op: "Identity", name: n.name, inputs: []string{to}, outputs: []string{n.outputs[i]}, uses: []string{to}, opset: maxOpset})
				f.from[n.outputs[i]] = f.nodes[len(f.nodes)-1]
				continue
			}
			in.known[name] = n.outputs[i]
		}
	}
	bound := make(map[string]*attribute)
	for _, a := range fn.defaults {
		bound[a.name] = a
	}
	for name, a := range n.attributes {
		bound[name] = a
	}
	return f.add(fn.nodes, in, fn.opsets, bound)
}

// branches reads the graphs of an If.
func (f *flattener) branches(n *node, in names, opsets map[string]int64, bound map[string]*attribute) error {
	for name, a := range n.attributes {
		if a.g == nil {
			continue
		}
		if n.op != "If" {
			continue // an operator that is not known says so when it is needed
		}
		inner := names{prefix: fmt.Sprintf("%s#%d/", name, *f.count), known: map[string]string{}}
		own := make(map[string]bool)
		for _, t := range a.g.initializers {
			own[t.name] = true
		}
		for _, p := range a.g.nodes {
			for _, out := range p.outputs {
				own[out] = true
			}
		}
		outside := func(name string) {
			if name != "" && !own[name] {
				inner.known[name] = in.of(name)
			}
		}
		for _, p := range a.g.nodes {
			for _, name := range p.inputs {
				outside(name)
			}
			for _, b := range p.attributes {
				if b.g != nil {
					return fmt.Errorf("%s: an If in an If, want one: export with fixed sizes", n.text())
				}
			}
		}
		for _, v := range a.g.outputs {
			outside(v.name)
		}
		sub := &flattener{functions: f.functions, count: f.count, outer: f, calls: f.calls}
		g, err := sub.graphOf(a.g, inner, opsets)
		if err != nil {
			return fmt.Errorf("%s: %w", n.text(), err)
		}
		if n.branches == nil {
			n.branches = map[string]*graph{}
		}
		n.branches[name] = g
		for _, to := range inner.known {
			n.uses = append(n.uses, to)
		}
	}
	slices.Sort(n.uses)
	return nil
}

// sort puts each node after those whose outputs it takes, and otherwise leaves the order.
func (f *flattener) sort() error {
	given := make(map[string]bool)
	for _, v := range f.inputs {
		given[v.name] = true
	}
	var sorted []*node
	state := make(map[*node]int) // 1 while its inputs are visited, 2 after it
	type step struct {
		n    *node
		next int
	}
	for _, first := range f.nodes {
		stack := []step{{n: first}}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if state[top.n] == 2 {
				stack = stack[:len(stack)-1]
				continue
			}
			state[top.n] = 1
			if top.next == len(top.n.uses) {
				state[top.n] = 2
				sorted = append(sorted, top.n)
				stack = stack[:len(stack)-1]
				continue
			}
			name := top.n.uses[top.next]
			top.next++
			from := f.from[name]
			switch {
			case name == "" || given[name] || f.constants[name] != nil:
			case from == nil && f.outer != nil: // of the graph around it
			case from == nil:
				return fmt.Errorf("%s: input %q: no such tensor", top.n.text(), name)
			case state[from] == 1:
				return fmt.Errorf("%s: depends on its own output %q, want a graph without a circle", top.n.text(), name)
			case state[from] == 0:
				stack = append(stack, step{n: from})
			}
		}
	}
	f.nodes = sorted
	for _, v := range f.outputs {
		if f.outer == nil && f.from[v.name] == nil && f.constants[v.name] == nil && !given[v.name] {
			return fmt.Errorf("output %q: no such tensor", v.name)
		}
	}
	return nil
}
