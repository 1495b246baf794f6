package cam

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/integrate/quad"
)

// How the methods that take the gradient at the pixels average: steps of the
// integral; noises, and their standard deviation for pixels from 0 to 1.
const (
	integralSteps    = 50 // as captum 0.9
	smoothGradCopies = 16
	smoothGradNoise  = 0.1
)

// Integrated gradients,
//
//	L = Σ_colours x ∘ ∫_0^1 ∂y/∂x(a x) da,
//
// equation 1 of Sundararajan et al. 2017 (arXiv:1703.01365) with black as the
// baseline, by Gauss-Legendre quadrature. The map is one of pixels, signed, and sums
// to the score less that of black, up to the quadrature's error.
var integratedGradients = Method{
	Name: "integratedgradients", Signed: true, Pixels: true,
	Unit:     "score",
	Variants: integralSteps,
	Map: func(p *Pass) *Node {
		n := p.count(integralSteps)
		at, weight := make([]float64, n), make([]float64, n)
		quad.Legendre{}.FixedLocations(at, weight, 0, 1)
		grads := p.ImageGrad(Mul(InsertAxes(p.Images, 1), InsertAxes(ConstAs(p.Images, at), 0, -1, -1, -1)))
		mean := ReduceSum(Mul(grads, InsertAxes(ConstAs(p.Images, weight), 0, -1, -1, -1)), 1)
		return ReduceSum(Mul(p.Images, mean), -1)
	},
	Total: func(p *Pass, m *Node) *Node {
		d := p.Images.Shape().Dimensions
		black := p.Value(InsertAxes(BroadcastToDims(p.Network(Zeros(m.Graph(), shapes.Make(p.Images.DType(), append([]int{1}, d[1:]...)...))), d[0], p.classes()), 1))
		return Add(ReduceSum(m, 1, 2), Squeeze(black, 1))
	},
}

// SmoothGrad,
//
//	L = Σ_colours |1/n Σ_i ∂y/∂x(x + ε_i)|,
//
// Smilkov et al. 2017 (arXiv:1706.03825): how much the score would change with each
// pixel, averaged over noise ε, which quiets what changes from one noise to the next.
// The absolute value is taken after the mean. The map is one of pixels and has no sign.
var smoothGrad = Method{
	Name: "smoothgrad", Pixels: true,
	Unit:     "score for all brightness",
	Variants: smoothGradCopies,
	Map: func(p *Pass) *Node {
		grads := p.ImageGrad(p.noisy(p.count(smoothGradCopies), 4, smoothGradNoise))
		return ReduceSum(Abs(ReduceMean(grads, 1)), -1)
	},
}
