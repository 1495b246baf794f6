package onnx

import (
	"errors"
	"fmt"
	"sync"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/backend"
	"github.com/camlab-go/camlab/internal/failure"
)

// ErrOperator is what the errors of an operator that is not known match under [errors.Is].
var ErrOperator = errors.New("unsupported operator")

// builder builds nodes of a model into a graph of GoMLX.
type builder struct {
	m      *Model
	g      *Graph
	scope  *model.Scope
	dtype  dtypes.DType // in which floats are computed
	values map[string]*value
	nodes  map[*array]*value // of constants in this graph
	known  map[string]*array // what is known of tensors that are built elsewhere
	batch  *freeing
	plain  bool // compiled fast, for a graph that runs once

	planned int // the images of a graph that is not run
}

func (m *Model) newBuilder(g *Graph, scope *model.Scope, dtype dtypes.DType) *builder {
	return &builder{m: m, g: g, scope: scope, dtype: dtype, values: map[string]*value{}, nodes: map[*array]*value{}}
}

// operator builds a node's outputs.
type operator func(c *call) []*value

// call is a node that is being built.
type call struct {
	*builder
	n  *node
	in []*value // nil for those that are left out
}

// stop is the panic of an operator that cannot be built.
type stop struct{ error }

// run builds nodes. It panics with an error that names the node.
func (b *builder) run(nodes []*node) {
	for _, n := range nodes {
		if b.isKnown(n) {
			continue
		}
		for i, v := range b.build(n) {
			if i < len(n.outputs) && n.outputs[i] != "" {
				b.values[n.outputs[i]] = v
			}
		}
	}
}

// isKnown reports whether all outputs of a node are known without building it.
func (b *builder) isKnown(n *node) bool {
	for _, out := range n.outputs {
		if _, ok := b.known[out]; !ok && out != "" {
			return false
		}
	}
	return len(n.outputs) > 0
}

// value returns a tensor by its name.
func (b *builder) value(name string) *value {
	if v, ok := b.values[name]; ok {
		return v
	}
	var v *value
	if a, ok := b.m.graph.constants[name]; ok {
		v = constantValue(a)
		v.weight = b.m.weights[name]
	} else if a, ok := b.known[name]; ok {
		v = constantValue(a)
	} else {
		panic(stop{fmt.Errorf("tensor %q is not there yet", name)})
	}
	b.values[name] = v
	return v
}

func (b *builder) build(n *node) (out []*value) {
	defer func() {
		if r := recover(); r != nil {
			panic(stop{nodeError(n, r)})
		}
	}()
	c := &call{builder: b, n: n}
	for _, name := range n.inputs {
		if name == "" {
			c.in = append(c.in, nil)
			continue
		}
		c.in = append(c.in, b.value(name))
	}
	f, ok := operators[n.fullOp()]
	if !ok {
		panic(stop{failure.New(ErrOperator, "camlab does not know this operator; it knows those of image classifiers. Export with another opset (torch.onnx.export(…, opset_version=18)), simplify the file (onnxsim), or cut off what comes after the scores")})
	}
	if out = b.fold(c, f); out == nil {
		out = f(c)
	}
	for _, v := range out {
		if v != nil {
			b.checkSize(v)
			c.keepOuter(v)
		}
	}
	return out
}

// keepOuter says of a result that has the first axis of an input how the batch lies there.
func (c *call) keepOuter(v *value) {
	for _, in := range c.in {
		if in != nil && in.outer > 0 && v.outer == 0 && v.rank() > 0 && v.dims[0] == in.dims[0] && c.n.op != "Reshape" && c.n.op != "Transpose" {
			v.outer = in.outer
		}
	}
}

// nodeError is what went wrong with a node.
func nodeError(n *node, r any) error {
	var inner stop
	if err, ok := r.(stop); ok {
		inner = err
	} else {
		inner = stop{fmt.Errorf("%v", firstLine(r))}
	}
	var done *atNode
	if errors.As(inner.error, &done) {
		return inner.error
	}
	return &atNode{n, inner.error}
}

// atNode is an error at a node.
type atNode struct {
	n   *node
	err error
}

func (e *atNode) Error() string { return fmt.Sprintf("%s: %v", e.n.text(), e.err) }
func (e *atNode) Unwrap() error { return e.err }

// firstLine is a panic without the stack that GoMLX's errors print after it.
func firstLine(r any) string {
	if err, ok := r.(error); ok {
		return err.Error()
	}
	return fmt.Sprint(r)
}

// checkSize refuses tensors that no network has. Of a plan, which is not run, the bound is
// for each image: the head alone may be built for a thousand.
func (b *builder) checkSize(v *value) {
	n, most := 1, maxValues*max(1, b.planned)
	for _, d := range v.dims {
		if d > 0 && n > most/d {
			panic(stop{fmt.Errorf("a tensor of shape %v, want at most %d values", v.dims, most)})
		}
		n *= max(d, 1)
	}
}

// catch runs f and returns its panic as an error.
func catch(f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case stop:
			err = r.error
		case error:
			err = r
		default:
			err = fmt.Errorf("%v", r)
		}
	}()
	f()
	return nil
}

// The bounds of what is computed while a graph is built, rather than in the graph.
const (
	foldInput  = 1 << 18
	foldOutput = 1 << 20
	foldWeight = 16 // a vector so short may be sizes, steps or scales
)

// notFolded are operators that may be far more work than their inputs are long, and that
// nobody computes sizes with; and If, whose nodes fold one by one.
var notFolded = map[string]bool{"If": true, "Conv": true, "ConvTranspose": true, "MaxPool": true, "AveragePool": true, "LpPool": true, "LRN": true}

// folds reports whether a constant may be computed with while the graph is built.
func (v *value) folds() bool {
	return v.constant != nil && (v.weight == nil || v.rank() <= 1 && v.size() <= foldWeight)
}

// fold computes a node all of whose inputs are known, and returns nil for one that has
// others. It is computed in pure Go by a graph of its own.
func (b *builder) fold(c *call, f operator) []*value {
	total := 0
	for _, v := range c.in {
		if v != nil && !v.folds() {
			return nil
		}
		if v != nil {
			total += v.size()
		}
	}
	if total > foldInput || notFolded[c.n.op] || len(c.in) == 0 {
		return nil
	}
	back, err := folding()
	if err != nil {
		panic(stop{err})
	}
	g := NewGraph(back, "fold")
	defer g.Finalize()
	inner := *c
	inner.builder = b.m.newBuilder(g, model.NewStore().RootScope(), dtypes.Float32)
	inner.batch, inner.plain = b.batch, b.plain
	inner.in = nil
	for _, v := range c.in {
		if v != nil {
			v = constantValue(v.constant)
		}
		inner.in = append(inner.in, v)
	}
	out := f(&inner)
	var nodes []*Node
	var of []int
	for i, v := range out {
		if v == nil || v.constant != nil {
			continue
		}
		b.checkSize(v)
		if v.size() > foldOutput {
			return nil
		}
		nodes, of = append(nodes, inner.logicalNode(v)), append(of, i)
	}
	if len(nodes) == 0 {
		return out
	}
	if err := g.Compile(nodes...); err != nil {
		panic(stop{err})
	}
	for i, t := range g.Run() {
		a, err := take(t)
		if err != nil {
			panic(stop{fmt.Errorf("output %d: %w", of[i], err)})
		}
		out[of[i]] = constantValue(a)
	}
	return out
}

func take(t *tensors.Tensor) (*array, error) {
	a, err := fromTensor(t)
	return a, errors.Join(err, t.FinalizeAll())
}

// folding is the backend of folds.
var folding = sync.OnceValues(backend.Go)
