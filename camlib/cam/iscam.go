package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// isSteps is N of the paper.
const isSteps = 10

// IS-CAM (integrated Score-CAM),
//
//	L = ReLU(Σ_k w_k A_k),   w = softmax_k(1/N Σ_i y(i/N x ∘ H_k)),   i = 1 … N,
//
// Naidu et al. 2020 (arXiv:2010.03023): the score of each mask H_k of [ScoreCAM] is
// integrated from black to the masked image. torch-cam 0.5 adds the factors i/N up,
// which makes images five times too bright.
var isCAM = Method{
	Name: "iscam",
	Unit: "activation",
	Map: func(p *Pass) *Node {
		return p.scoreCAM(p.meanOfEach(p.count(isSteps)))
	},
	Trials: &Trials{
		Count: func(p *Pass) int { return p.masked() * p.count(isSteps) },
		Scores: func(p *Pass, which *Node) *Node {
			n := p.count(isSteps)
			channel, step := divide(which, n)
			factor := DivScalar(AddScalar(ConvertDType(step, p.Act.DType()), 1), float64(n))
			return ofEach(p.mask(Mul(p.masks(channel), InsertAxes(factor, 0, -1, -1))), p.Network)
		},
	},
}
