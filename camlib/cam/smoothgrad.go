package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// How SmoothGrad averages: noises, and their standard deviation for pixels from 0 to 1.
const (
	smoothGradSamples = 16
	smoothGradNoise   = 0.1
)

// SmoothGrad is
//
//	L = Σ_colors |1/n Σ_i ∂y/∂x(x + ε_i)|,
//
// Smilkov et al. 2017 (arXiv:1706.03825): how much the score would change with each
// pixel, averaged over noise ε, which quiets what changes from one noise to the next.
// The absolute value is taken after the mean. The map is one of pixels and has no sign.
type SmoothGrad struct {
	Samples int // n; 0 is 16
}

// Spec implements [Method].
func (m SmoothGrad) Spec() Spec {
	samples := parameter{m.Samples, smoothGradSamples, "noises"}
	return Spec{
		Name: "smoothgrad",
		Unit: "score for all brightness", Pixels: true,
		Copies: samples.n(),
		Map: func(p *Pass) *Node {
			grads := p.ImageGrad(p.noisy(samples.n(), 4, smoothGradNoise))
			return ReduceSum(Abs(ReduceMean(grads, 1)), -1)
		},
	}.with(samples)
}

// WithSamples implements what [WithSamples] says.
func (m SmoothGrad) WithSamples(n int) Method { m.Samples = n; return m }
