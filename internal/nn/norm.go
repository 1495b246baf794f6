package nn

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/internal/backend"
)

// epsilon is added to variances, as PyTorch's BatchNorm2d does.
const epsilon = 1e-5

// Moments are the mean and the variance, [channels] each, of activations.
type Moments struct{ Mean, Variance *Node }

// MomentsOf returns the moments of x, [n, h, w, c], over all but the channels, the variance by
// division by n·h·w.
func MomentsOf(x *Node) Moments {
	mean := meanOfChannels(x)
	return Moments{mean, meanOfChannels(Square(Sub(x, ExpandLeftToRank(mean, x.Rank()))))}
}

// meanOfChannels is the mean of x, [n, h, w, c], over all but the channels. XLA on a CPU sums
// by one core; a product with ones takes all.
func meanOfChannels(x *Node) *Node {
	d := x.Shape().Dimensions
	n := d[0] * d[1] * d[2]
	if kindOf(x) != backend.XLACPU {
		return ReduceMean(x, 0, 1, 2)
	}
	ones := BroadcastToDims(Scalar(x.Graph(), x.DType(), 1/float64(n)), 1, n)
	return Reshape(MatMul(ones, Reshape(x, n, d[3])), d[3])
}

// inverseDeviation is 1/√(variance + ε).
func (m Moments) inverseDeviation() *Node { return Reciprocal(Sqrt(AddScalar(m.Variance, epsilon))) }

// Normalize is batch normalization without scale and bias (Ioffe & Szegedy 2015,
// arXiv:1502.03167, algorithm 1), (x − mean)/√(variance + ε), of x [n, h, w, c] with moments [c].
func Normalize(x *Node, m Moments) *Node {
	return Mul(Sub(x, ExpandLeftToRank(m.Mean, x.Rank())), ExpandLeftToRank(m.inverseDeviation(), x.Rank()))
}

// ConvNormReLU returns y = ReLU(normalized(p(x ∗ w)) · scale + bias), where p is 2×2
// max-pooling if pool, or else nothing, and normalized is [Normalize] by the moments of all
// images and pixels, which are returned too; and the way back, by hand as that of [ConvReLU].
// It gives no gradient with respect to scale.
func ConvNormReLU(x, w, scale, bias *Node, pool bool) (y *Node, m Moments, back Backward) {
	z, v, u := convolve(x, w)
	p := z
	if pool {
		p = MaxPool2x2(z)
	}
	row := func(v *Node) *Node { return ExpandLeftToRank(v, p.Rank()) }
	m = MomentsOf(p)
	hat := Normalize(p, m)
	y = ReLU(AddBias(Mul(hat, row(scale)), bias))
	return y, m, func(dy *Node) (dw, db, dx *Node) {
		du := reluGradient(y, dy)
		mean, cross := meanOfChannels(du), meanOfChannels(Mul(du, hat))
		dz := Mul(row(Mul(scale, m.inverseDeviation())), Sub(Sub(du, row(mean)), Mul(hat, row(cross))))
		d := p.Shape().Dimensions
		db = MulScalar(mean, float64(d[0]*d[1]*d[2]))
		if pool {
			dz = MaxPool2x2Gradient(z, p, dz)
		}
		if v == nil {
			return kernelGradient(x, w, dz), db, plainConvolution(dz, turned(w))
		}
		dw, _, dx = winogradGradient(nil, dz, v, u)
		return dw, db, dx
	}
}
