package cam

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// WeightedSum is Σ_k w_k A_k, [batch, height, width], of act, [batch, height, width,
// channels], with weights [batch, channels]. XLA runs it as one loop on the CPU, and the
// same as an einsum far slower.
func WeightedSum(act, weights *Node) *Node {
	return ReduceSum(Mul(act, InsertAxes(weights, 1, 1)), -1)
}

// Positive is max(m, 0), except that it keeps what is not finite, which must be seen.
func Positive(m *Node) *Node {
	return Where(LogicalAnd(LessThan(m, ZerosLike(m)), IsFinite(m)), ZerosLike(m), m)
}

// ZeroToOne brings each map [..., h, w] to 0 to 1, a constant one to 0.
func ZeroToOne(m *Node) *Node {
	low, high := ReduceAndKeep(m, ReduceMin, -2, -1), ReduceAndKeep(m, ReduceMax, -2, -1)
	flat := Equal(low, high)
	extent := Where(flat, OnesLike(low), Sub(high, low))
	return Div(Sub(m, low), extent)
}

// OfEach builds f on every image of x, [batch, n, ...], as on one batch, and
// returns what it makes of them, [batch, n, ...].
func OfEach(x *Node, f func(x *Node) *Node) *Node {
	d := x.Shape().Dimensions
	y := f(Reshape(x, append([]int{d[0] * d[1]}, d[2:]...)...))
	return Reshape(y, append([]int{d[0], d[1]}, y.Shape().Dimensions[1:]...)...)
}

// Mask returns the images under masks, [batch or 1, n, height, width], as [batch, n,
// height, width, channels].
func (p *Pass) Mask(masks *Node) *Node {
	return Mul(InsertAxes(p.Images, 1), InsertAxes(masks, -1))
}

// Masked is how many channels [Pass.Masks] masks where so many are asked for, 0 for all.
func (p *Pass) Masked(channels int) int {
	if channels > 0 {
		return min(channels, p.Channels())
	}
	return p.Channels()
}

// Masks returns channels of Act as masks, [batch, n, height, width]: enlarged to the
// images (bilinearly, [images.HalfPixel]) and brought to 0 to 1, a constant one, which
// says nothing of where, to 0. They are taken by their number, int32 [n], among all or,
// where channels is not 0, among so many with the largest variance over an image's
// places, as Faster Score-CAM picks them.
func (p *Pass) Masks(which *Node, channels int) *Node {
	var m *Node
	if p.Masked(channels) < p.Channels() {
		m = Einsum("bhwk,bnk->bnhw", p.Act, p.liveliest(which))
	} else {
		m = Einsum("bhwk,nk->bnhw", p.Act, OneHot(which, p.Channels(), p.Act.DType()))
	}
	return masks(m, p.Images.Shape().Dim(1), p.Images.Shape().Dim(2))
}

// masks brings maps [batch, n, h, w] to an image's size and to 0 to 1.
func masks(m *Node, height, width int) *Node { return ZeroToOne(Upsample(m, height, width, halfPixel)) }

// liveliest returns, one-hot [batch, n, channels], the channels of the given ranks,
// int32 [n], by variance over an image's places; of equals the first.
func (p *Pass) liveliest(rank *Node) *Node {
	mean := ReduceAndKeep(p.Act, ReduceMean, 1, 2)
	variance := ReduceMean(Square(Sub(p.Act, mean)), 1, 2) // [batch, channels]
	p.Need(variance)
	mine, other := InsertAxes(variance, -1), InsertAxes(variance, 1)
	g, k := p.Act.Graph(), p.Channels()
	earlier := GreaterThan(Iota(g, numbers(k, k), 0), Iota(g, numbers(k, k), 1))
	before := LogicalOr(GreaterThan(other, mine), LogicalAnd(Equal(other, mine), BroadcastToDims(InsertAxes(earlier, 0), variance.Shape().Dim(0), k, k)))
	ranks := ReduceSum(ConvertDType(before, dtypes.Int32), -1) // [batch, channels]
	return ConvertDType(Equal(InsertAxes(ranks, 1), InsertAxes(rank, 0, -1)), p.Act.DType())
}

// highest returns the places of the k highest values in each row, int32 [batch] each,
// the highest first, of equals the first.
func highest(values *Node, k int) (places []*Node) {
	for range k {
		best := ArgMax(values, -1, dtypes.Int32)
		places = append(places, best)
		taken := OneHot(best, values.Shape().Dim(-1), dtypes.Bool)
		values = Where(taken, Infinity(values.Graph(), values.DType(), -1), values)
	}
	return places
}

// quotient is a/b, and NaN where b has overflowed: a weight of 0 would hide that.
func quotient(a, b *Node) *Node { return Add(Div(a, b), Sub(b, b)) }

// divide returns the quotient and the rest of numbers of perturbations, int32, by n.
func divide(which *Node, n int) (quotient, rest *Node) {
	quotient = DivScalar(which, float64(n))
	return quotient, Sub(which, MulScalar(quotient, float64(n)))
}

// numbers is the shape of n numbers, of which Iota makes 0 to n−1.
func numbers(n ...int) shapes.Shape { return shapes.Make(dtypes.Int32, n...) }

// pick returns rows of values, [n, ...], by their numbers, int32 [m]: [m, ...].
func pick(values, which *Node) *Node {
	d := values.Shape().Dimensions
	flat := Reshape(values, d[0], -1)
	rows := MatMul(OneHot(which, d[0], values.DType()), flat)
	return Reshape(rows, append([]int{which.Shape().Dim(0)}, d[1:]...)...)
}

func checkActGrad(name string, act, grad *Node) {
	if act.Rank() != 4 || !act.Shape().Equal(grad.Shape()) {
		panic(fmt.Errorf("cam: %s: act shaped %s and grad %s, want both [batch, height, width, channels]",
			name, act.Shape(), grad.Shape()))
	}
}
