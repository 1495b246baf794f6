package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// ScoreCAM is the Score-CAM map of one convolutional layer,
//
//	L = ReLU(Σ_k w_k A_k),   w = softmax_k(y(x ∘ H_k)),
//
// equations 4 to 6 of Wang et al. 2020 (arXiv:1910.01279). H_k is channel k of the
// activations enlarged to the image and brought to 0 to 1, see [Pass.Masks], so that
// y(x ∘ H_k) is the score of the image where the channel is active. The score of a
// baseline image, which the paper subtracts, cancels in the softmax.
type ScoreCAM struct {
	Channels int // masked, those with the largest variance over an image's places; 0 is all
}

// Equation returns the maps, [batch, height, width], never negative. act is shaped
// [batch, height, width, channels] and scores, of the masked images, [batch, channels].
func (ScoreCAM) Equation(act, scores *Node) *Node {
	return Positive(WeightedSum(act, Softmax(scores, -1)))
}

// Spec implements [Method].
func (m ScoreCAM) Spec() Spec {
	return Spec{
		Name: "scorecam",
		Unit: "activation",
		Map:  func(p *Pass) *Node { return m.of(p, p.Value(p.Perturbed)) },
		Perturbations: &Perturbations{
			Count: func(p *Pass) int { return p.Masked(m.Channels) },
			Scores: func(p *Pass, which *Node) *Node {
				return OfEach(p.Mask(p.Masks(which, m.Channels)), p.Network)
			},
		},
	}.with(m.channels())
}

// WithChannels implements what [WithChannels] says.
func (m ScoreCAM) WithChannels(n int) Method { m.Channels = n; return m }

func (m ScoreCAM) channels() parameter { return parameter{m.Channels, 0, "channels"} }

// of is the equation of the masked channels' scores, [batch, n].
func (m ScoreCAM) of(p *Pass, scores *Node) *Node {
	p.Need(scores) // a softmax makes 0 of −∞
	flat := Equal(ReduceMax(p.Act, 1, 2), ReduceMin(p.Act, 1, 2))
	p.Mark(ConstantChannel, ReduceLogicalOr(flat, 1))
	act := p.Act
	if n := p.Masked(m.Channels); n < p.Channels() {
		act = Einsum("bhwk,bnk->bhwn", act, p.liveliest(Iota(act.Graph(), numbers(n), 0)))
	}
	return m.Equation(act, scores)
}
