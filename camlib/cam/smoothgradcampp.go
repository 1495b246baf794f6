package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// How Smooth Grad-CAM++ smooths: noises, and their standard deviation for pixels
// from 0 to 1.
const (
	smoothSamples = 8
	smoothNoise   = 0.1
)

// SmoothGradCAMPlusPlus is the Smooth Grad-CAM++ map of one convolutional layer,
//
//	L = ReLU(Σ_k w_k A_k),   w_k = Σ_ij α_ijk ReLU(D1_ijk),
//	α_ijk = D2 / (2 D2 + D3 Σ_ab A_abk),   Dp = 1/n Σ_i (g_i)^p,
//
// Omeiza et al. 2019 (arXiv:1908.01224): [GradCAMPlusPlus] with the gradient's powers
// averaged over n noisy copies of the image. The paper prints D1 for the numerator D2;
// with D2, no noise gives Grad-CAM++. Where α is 0/0 it is 0.
type SmoothGradCAMPlusPlus struct {
	Samples int // n; 0 is 8
}

// Equation returns the maps. act is shaped [batch, height, width, channels], grads, of
// the copies, [batch, n, height, width, channels].
func (SmoothGradCAMPlusPlus) Equation(act, grads *Node) *Node {
	d1 := ReduceMean(grads, 1)
	square := Square(grads)
	d2 := ReduceMean(square, 1)
	d3 := ReduceMean(Mul(square, grads), 1)
	sum := ReduceAndKeep(act, ReduceSum, 1, 2)
	denominator := Add(MulScalar(d2, 2), Mul(d3, sum))
	none := Equal(denominator, ZerosLike(denominator))
	alpha := Where(none, ZerosLike(d2), quotient(d2, Where(none, OnesLike(d2), denominator)))
	return Positive(WeightedSum(act, ReduceSum(Mul(alpha, Positive(d1)), 1, 2)))
}

// Spec implements [Method].
func (m SmoothGradCAMPlusPlus) Spec() Spec {
	samples := parameter{m.Samples, smoothSamples, "noises"}
	return Spec{
		Name:   "smoothgradcam++",
		Unit:   "activation",
		Copies: samples.n(),
		Map: func(p *Pass) *Node {
			acts := OfEach(p.noisy(samples.n(), 2, smoothNoise), p.Features)
			scores := OfEach(acts, p.Head)
			p.Need(scores)
			y := p.Value(scores)
			return m.Equation(p.Act, Gradient(ReduceAllSum(y), acts)[0])
		},
		// A linear head's gradient does not change with the image: Grad-CAM++. A
		// probability's does.
		Sums:   true,
		Linear: GradCAMPlusPlus{}.Spec().Linear,
	}.with(samples)
}

// WithSamples implements what [WithSamples] says.
func (m SmoothGradCAMPlusPlus) WithSamples(n int) Method { m.Samples = n; return m }
