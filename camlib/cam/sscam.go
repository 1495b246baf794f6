package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// How SS-CAM smooths. The paper averages over 35 noises, of a deviation for masks
// that are not brought to 0 to 1; here they are.
const (
	ssSamples = 8
	ssNoise   = 0.1
)

// SS-CAM (smoothed Score-CAM),
//
//	L = ReLU(Σ_k w_k A_k),   w = softmax_k(1/n Σ_i y(x ∘ (H_k + ε_i))),
//
// SS-CAM(1) of Wang et al. 2020 (arXiv:2006.14255): the score of each mask H_k of
// [ScoreCAM] is averaged over noise ε on the mask.
var ssCAM = Method{
	Name: "sscam",
	Unit: "activation",
	Map: func(p *Pass) *Node {
		return p.scoreCAM(p.meanOfEach(p.count(ssSamples)))
	},
	Trials: &Trials{
		Count: func(p *Pass) int { return p.masked() * p.count(ssSamples) },
		Scores: func(p *Pass, which *Node) *Node {
			d, n := p.Images.Shape().Dimensions, p.count(ssSamples)
			channel, sample := divide(which, n)
			noise := pick(normal(p.Images, 1, ssNoise, n, d[1], d[2]), sample)
			return ofEach(p.mask(Add(p.masks(channel), InsertAxes(noise, 0))), p.Network)
		},
	},
}

// meanOfEach is the mean value of n trials in a row, [batch, trials/n].
func (p *Pass) meanOfEach(n int) *Node {
	y := p.Value(p.Tried)
	return ReduceMean(Reshape(y, y.Shape().Dim(0), -1, n), -1)
}
