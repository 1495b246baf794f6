package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// What FinerCAM compares with, as its paper has it.
const (
	finerClasses = 3   // T
	finerGamma   = 0.6 // γ
)

// FinerCAM is [GradCAM] of the score less its rivals',
//
//	y − γ/T Σ_t y_dt,
//
// Zhang et al. 2025 (arXiv:2501.11309), γ = 0.6: what sets the class apart from the
// T = 3 classes whose scores are nearest to its own. Before the ReLU, for a linear
// head, it is (CAM_c − γ mean_t CAM_dt)/Z.
type FinerCAM struct{}

// Spec implements [Method].
func (FinerCAM) Spec() Spec {
	return Spec{
		Name: "finercam",
		Unit: "score", Local: true,
		Map:    func(p *Pass) *Node { q := p.finer(); return GradCAM{}.Equation(q.Act, q.Grad()) },
		Linear: func(p *Pass) *Node { return Positive(p.finer().meanCAM()) },
	}
}

// finer is the pass with the nearest classes' mean taken off what is explained.
func (p *Pass) finer() *Pass {
	if p.form.quantity == function {
		panic(fail(ErrTarget, "finercam: a function of the scores has no nearest classes, want a class"))
	}
	own := NotEqual(p.choice, ZerosLike(p.choice)) // also a contrast's rival
	if p.form.quantity == centered {
		own = GreaterThan(Abs(p.choice), ConstAs(p.choice, 1.5/float64(p.Classes()))) // the mean is spread over all
	}
	far := Infinity(p.Scores.Graph(), p.Scores.DType(), -1)
	mine := ReduceAndKeep(Where(own, p.Scores, ZerosLike(p.Scores)), ReduceSum, -1)
	closeness := Where(own, far, Neg(Abs(Sub(p.Scores, mine))))
	t := min(finerClasses, p.Classes()-1)
	nearest := ZerosLike(p.Scores)
	for _, class := range highest(closeness, t) {
		nearest = Add(nearest, OneHot(class, p.Classes(), p.Scores.DType()))
	}
	nearest = MulScalar(nearest, finerGamma/float64(max(t, 1)))
	if p.form.negated {
		nearest = Neg(nearest)
	}
	q := *p
	q.combine(Sub(p.choice, nearest))
	return &q
}
