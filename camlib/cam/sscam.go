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

// SSCAM is SS-CAM (smoothed Score-CAM),
//
//	L = ReLU(Σ_k w_k A_k),   w = softmax_k(1/n Σ_i y(x ∘ (H_k + ε_i))),
//
// SS-CAM(1) of Wang et al. 2020 (arXiv:2006.14255): the score of each mask H_k of
// [ScoreCAM] is averaged over noise ε on the mask.
type SSCAM struct {
	Channels int // masked, as ScoreCAM has them; 0 is all
	Samples  int // n; 0 is 8
}

// Spec implements [Method].
func (m SSCAM) Spec() Spec {
	masks, samples := ScoreCAM{m.Channels}, parameter{m.Samples, ssSamples, "noises"}
	n := samples.n()
	return Spec{
		Name: "sscam",
		Unit: "activation",
		Map:  func(p *Pass) *Node { return masks.of(p, p.meanOfEach(n)) },
		Perturbations: &Perturbations{
			Count: func(p *Pass) int { return p.Masked(m.Channels) * n },
			Scores: func(p *Pass, which *Node) *Node {
				d := p.Images.Shape().Dimensions
				channel, sample := divide(which, n)
				noise := pick(normal(p.Images, 1, ssNoise, n, d[1], d[2]), sample)
				return OfEach(p.Mask(Add(p.Masks(channel, m.Channels), InsertAxes(noise, 0))), p.Network)
			},
		},
	}.with(masks.channels(), samples)
}

// WithChannels implements what [WithChannels] says.
func (m SSCAM) WithChannels(n int) Method { m.Channels = n; return m }

// WithSamples implements what [WithSamples] says.
func (m SSCAM) WithSamples(n int) Method { m.Samples = n; return m }

// meanOfEach is the mean value of n perturbations in a row, [batch, perturbations/n].
func (p *Pass) meanOfEach(n int) *Node {
	y := p.Value(p.Perturbed)
	return ReduceMean(Reshape(y, y.Shape().Dim(0), -1, n), -1)
}
