package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// isSteps is N of the paper.
const isSteps = 10

// ISCAM is IS-CAM (integrated Score-CAM),
//
//	L = ReLU(Σ_k w_k A_k),   w = softmax_k(1/N Σ_i y(i/N x ∘ H_k)),   i = 1 … N,
//
// Naidu et al. 2020 (arXiv:2010.03023): the score of each mask H_k of [ScoreCAM] is
// integrated from black to the masked image. torch-cam 0.5 adds the factors i/N up,
// which makes images five times too bright.
type ISCAM struct {
	Channels int // masked, as ScoreCAM has them; 0 is all
	Steps    int // N; 0 is 10
}

// Spec implements [Method].
func (m ISCAM) Spec() Spec {
	masks, steps := ScoreCAM{m.Channels}, parameter{m.Steps, isSteps, "steps"}
	n := steps.n()
	return Spec{
		Name: "iscam",
		Unit: "activation",
		Map:  func(p *Pass) *Node { return masks.of(p, p.meanOfEach(n)) },
		Perturbations: &Perturbations{
			Count: func(p *Pass) int { return p.Masked(m.Channels) * n },
			Scores: func(p *Pass, which *Node) *Node {
				channel, step := divide(which, n)
				factor := DivScalar(AddScalar(ConvertDType(step, p.Act.DType()), 1), float64(n))
				return OfEach(p.Mask(Mul(p.Masks(channel, m.Channels), InsertAxes(factor, 0, -1, -1))), p.Network)
			},
		},
	}.with(masks.channels(), steps)
}

// WithChannels implements what [WithChannels] says.
func (m ISCAM) WithChannels(n int) Method { m.Channels = n; return m }

// WithSamples implements what [WithSamples] says.
func (m ISCAM) WithSamples(n int) Method { m.Steps = n; return m }
