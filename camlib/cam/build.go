package cam

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/exec"
	"github.com/camlab-go/camlab/internal/overflow"
)

// task is what compiled graphs are kept by, apart from batch shapes.
type task struct {
	method  Method
	output  output
	top     int // of topClasses
	form    form
	general bool
}

type output int

const (
	oneClass     output = iota // maps [batch, height, width]
	allClasses                 // maps [batch, classes, height, width]
	topClasses                 // maps [batch, k, height, width]
	withAct                    // allClasses, with activations and head weights
	classRows                  // maps [rows, height, width], see rows.go
	perturbation               // scores of a method's perturbations
	activations                // of the explained layer
)

func (j job) task() task {
	return task{j.method, j.output, j.target.k, j.target.form, j.general}
}

// The inputs of a graph and what it returns.
type (
	inputs  = []*Node
	outputs = exec.Outputs
)

// graph returns the graph of a task, which compiles for each batch shape. shared says which
// inputs' rows the devices share.
func (e *Explainer) graph(t task, shared func(input int) bool, build func(n chain, in inputs) outputs) (*exec.Graph, error) {
	return e.graphs.Get(t, func() (*exec.Graph, error) {
		return exec.NewOn(e.devices, shared, e.backend, e.net.Store, func(scope *model.Scope, in []*Node) exec.Outputs {
			return build(e.chain(scope, nil), in)
		})
	})
}

// chain is the explainer's network in a graph.
func (e *Explainer) chain(scope *model.Scope, parts *overflow.Parts) chain {
	return chain{net: e.net, scope: scope, dtype: e.opts.Type, parts: parts}
}

// build is the graph of a job. Its inputs are those of [part.inputs] and, for a method
// with perturbations, their scores.
func build(j job, n chain, in inputs) outputs {
	p := newForward(n, in[0])
	if len(in) > 3 {
		p.Perturbed = Reshape(in[3], in[0].Shape().Dim(0), -1, p.Classes())
	}
	return j.outputs(p, in[1], in[2])
}

// outputs are what a graph returns of a pass, for classes and rivals as in [goals].
func (j job) outputs(p *Pass, classes, rivals *Node) outputs {
	p.form = j.target.form
	predicted := ArgMax(p.Scores, -1, dtypes.Int32)
	passes, chosen := j.passes(p, predicted, classes, rivals)
	equation := j.spec.Map
	if !j.general {
		equation = j.spec.Linear
	}
	var maps, score, marks, totals, needed []*Node
	for _, p := range passes {
		m := equation(p)
		if n := p.Act.Shape().Dim(0); m.Rank() != 3 || m.Shape().Dim(0) != n {
			panic(fmt.Errorf("cam: %s: Map returns %s, want [%d, height, width]", j.spec.Name, m.Shape(), n))
		}
		maps, score = append(maps, m), append(score, p.Score())
		if p.marks == nil {
			p.marks = ZerosLike(predicted)
		}
		marks = append(marks, p.marks)
		if j.spec.Total != nil {
			if total := j.spec.Total(p, m); total != nil {
				totals = append(totals, total)
			}
		}
		needed = append(needed, p.needed...)
	}
	finite := IsFinite(p.size()) // one value that is not makes the mean so
	for _, x := range needed {
		finite = LogicalAnd(finite, InsertAxes(overflow.Finite(x, x.Shape().Dim(0)), -1))
	}
	out := outputs{
		"maps": Stack(maps, 1), "scores": p.Scores, "predicted": predicted, "finite": finite, "misfit": p.linear.misfit(),
		"chosen": chosen, "score": Stack(score, 1), "marks": Stack(marks, 1),
	}
	if totals != nil {
		out["total"] = Stack(totals, 1)
	}
	if j.output == withAct {
		out["act"], out["weights"], out["bias"] = TransposeAllAxes(p.Act, 0, 3, 1, 2), p.linear.weights, p.linear.bias
	}
	return out
}

// passes returns a pass for each map of an image, and the classes that they are of,
// int32 [batch, maps of an image].
func (j job) passes(p *Pass, predicted, classes, rivals *Node) (passes []*Pass, chosen *Node) {
	if j.output == oneClass {
		chosen := Where(LessThan(classes, ZerosLike(classes)), predicted, classes)
		p.choose(chosen, rivals)
		return []*Pass{p}, InsertAxes(chosen, -1)
	}
	chosen = Iota(classes.Graph(), shapes.Make(dtypes.Int32, classes.Shape().Dim(0), p.Classes()), 1)
	if j.output == topClasses {
		if err := checkTop(j.target.k, p.Classes(), j.spec.Name); err != nil {
			panic(err)
		}
		chosen = Stack(highest(p.Scores, j.target.k), 1)
	}
	for c := range chosen.Shape().Dim(1) {
		q := p.ofClass(Squeeze(Slice(chosen, AxisRange(), AxisElem(c)), 1))
		if j.output != topClasses && j.target.form == (form{}) {
			q.only = &c
		}
		passes = append(passes, q)
	}
	return passes, chosen
}
