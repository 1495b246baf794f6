package cam

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/integrate/quad"
)

// integralSteps is the number of steps of the integral, as captum 0.9 has it.
const integralSteps = 50

// IntegratedGradients is
//
//	L = Σ_colors x ∘ ∫_0^1 ∂y/∂x(a x) da,
//
// equation 1 of Sundararajan et al. 2017 (arXiv:1703.01365) with black as the
// baseline, by Gauss-Legendre quadrature. The map is one of pixels, signed, and sums
// to the score less that of black, up to the quadrature's error.
type IntegratedGradients struct {
	Steps int // of the quadrature; 0 is 50
}

// Spec implements [Method].
func (m IntegratedGradients) Spec() Spec {
	steps := parameter{m.Steps, integralSteps, "steps"}
	return Spec{
		Name: "integratedgradients",
		Unit: "score", Signed: true, Pixels: true,
		Copies: steps.n(),
		Map: func(p *Pass) *Node {
			at, weight := make([]float64, steps.n()), make([]float64, steps.n())
			quad.Legendre{}.FixedLocations(at, weight, 0, 1)
			grads := p.ImageGrad(Mul(InsertAxes(p.Images, 1), InsertAxes(ConstAs(p.Images, at), 0, -1, -1, -1)))
			mean := ReduceSum(Mul(grads, InsertAxes(ConstAs(p.Images, weight), 0, -1, -1, -1)), 1)
			return ReduceSum(Mul(p.Images, mean), -1)
		},
		Total: func(p *Pass, m *Node) *Node {
			d := p.Images.Shape().Dimensions
			black := p.Network(Zeros(m.Graph(), shapes.Make(p.Images.DType(), append([]int{1}, d[1:]...)...)))
			value := p.Value(InsertAxes(BroadcastToDims(black, d[0], p.Classes()), 1))
			return Add(ReduceSum(m, 1, 2), Squeeze(value, 1))
		},
	}.with(steps)
}

// WithSamples implements what [WithSamples] says.
func (m IntegratedGradients) WithSamples(n int) Method { m.Steps = n; return m }
