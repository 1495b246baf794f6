package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// AblationCAM is the Ablation-CAM map of one convolutional layer,
//
//	L = ReLU(Σ_k w_k A_k),   w_k = (y − y_k) / y,
//
// equations 3 and 4 of Ramaswamy and Desai 2020 (WACV): y_k is the score with
// channel k of the activations set to 0, so that w_k is the part of the score
// that the channel carries. Where the score is negative the quotient turns the
// signs round, as the paper's does; the method notes that as [NegativeScore].
type AblationCAM struct{}

// Equation returns the maps, [batch, height, width], never negative. act is shaped
// [batch, height, width, channels], score, y, [batch], and ablated, y_k, [batch,
// channels].
func (AblationCAM) Equation(act, score, ablated *Node) *Node {
	y := InsertAxes(score, -1)
	return Positive(WeightedSum(act, Div(Sub(y, ablated), y)))
}

// Spec implements [Method].
func (m AblationCAM) Spec() Spec {
	of := func(p *Pass, scores *Node) *Node {
		p.Mark(NegativeScore, LessThan(p.Score(), ZerosLike(p.Score())))
		return m.Equation(p.Act, p.Score(), p.Value(scores))
	}
	return Spec{
		Name: "ablationcam",
		Unit: "activation", Local: true,
		Map: func(p *Pass) *Node { return of(p, p.Perturbed) },
		// Without channel k, score c is y_c − w_kc F_k.
		Linear: func(p *Pass) *Node {
			lost := Einsum("bk,kc->bkc", ReduceMean(p.Act, 1, 2), p.head().weights)
			return of(p, Sub(InsertAxes(p.Scores, 1), lost))
		},
		Perturbations: &Perturbations{
			Count: (*Pass).Channels,
			Scores: func(p *Pass, which *Node) *Node {
				keep := OneMinus(OneHot(which, p.Channels(), p.Act.DType())) // [n, channels]
				return OfEach(Einsum("bhwk,nk->bnhwk", p.Act, keep), p.Head)
			},
		},
	}
}
