package cam

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// ScoreCAM returns the Score-CAM map of one convolutional layer,
//
//	L = ReLU(Σ_k w_k A_k),   w = softmax_k(y(x ∘ H_k)),
//
// equations 4 to 6 of Wang et al. 2020 (arXiv:1910.01279). H_k is channel k of the
// activations enlarged to the image (bilinearly, [HalfPixel]) and brought to 0 to
// 1, so that y(x ∘ H_k) is the score of the image where the channel is active. The
// score of a baseline image, which the paper subtracts, cancels in the softmax.
//
// act is shaped [batch, height, width, channels] and scores, of the masked images,
// [batch, channels]. The result is shaped [batch, height, width], never negative.
func ScoreCAM(act, scores *Node) *Node {
	return positive(weighted(act, Softmax(scores, -1)))
}

// masks brings maps [batch, n, h, w] to an image's size and to 0 to 1. A constant
// map, which says nothing of where, becomes 0.
func masks(m *Node, height, width int) *Node {
	return minMax(Upsample(m, height, width, HalfPixel))
}

// minMax brings each map [..., h, w] to 0 to 1, a constant one to 0.
func minMax(m *Node) *Node {
	low, high := ReduceAndKeep(m, ReduceMin, -2, -1), ReduceAndKeep(m, ReduceMax, -2, -1)
	flat := Equal(low, high)
	extent := Where(flat, OnesLike(low), Sub(high, low))
	return Div(Sub(m, low), extent)
}

var scoreCAM = Method{
	Name: "scorecam",
	Unit: "activation",
	Map:  func(p *Pass) *Node { return p.scoreCAM(p.Value(p.Tried)) },
	Trials: &Trials{
		Count: (*Pass).masked,
		Scores: func(p *Pass, which *Node) *Node {
			return ofEach(p.mask(p.masks(which)), p.Network)
		},
	},
}

// masked is how many channels are masked.
func (p *Pass) masked() int {
	if p.keep > 0 {
		return min(p.keep, p.Channels())
	}
	return p.Channels()
}

// scoreCAM is [ScoreCAM] of the masked channels' scores, [batch, n].
func (p *Pass) scoreCAM(scores *Node) *Node {
	p.need(scores) // a softmax makes 0 of −∞
	flat := Equal(ReduceMax(p.Act, 1, 2), ReduceMin(p.Act, 1, 2))
	p.mark(ConstantChannel, ReduceLogicalOr(flat, 1))
	act := p.Act
	if n := p.masked(); n < p.Channels() {
		act = Einsum("bhwk,bnk->bhwn", act, p.liveliest(Iota(act.Graph(), numbers(n), 0)))
	}
	return ScoreCAM(act, scores)
}

// masks returns the masks, [batch, n, height, width], of channels by their number,
// int32 [n], among those that are masked.
func (p *Pass) masks(which *Node) *Node {
	var m *Node
	if p.masked() < p.Channels() {
		m = Einsum("bhwk,bnk->bnhw", p.Act, p.liveliest(which))
	} else {
		m = Einsum("bhwk,nk->bnhw", p.Act, OneHot(which, p.Channels(), p.Act.DType()))
	}
	return masks(m, p.Images.Shape().Dim(1), p.Images.Shape().Dim(2))
}

// mask returns the images under masks [batch, n, height, width].
func (p *Pass) mask(masks *Node) *Node {
	return Mul(InsertAxes(p.Images, 1), InsertAxes(masks, -1))
}

// liveliest returns, one-hot [batch, n, channels], the channels of the given ranks,
// int32 [n], by variance over an image's places, as Faster Score-CAM picks them.
func (p *Pass) liveliest(rank *Node) *Node {
	mean := ReduceAndKeep(p.Act, ReduceMean, 1, 2)
	variance := ReduceMean(Square(Sub(p.Act, mean)), 1, 2) // [batch, channels]
	p.need(variance)
	mine, other := InsertAxes(variance, -1), InsertAxes(variance, 1)
	g, k := p.Act.Graph(), p.Channels()
	earlier := GreaterThan(Iota(g, numbers(k, k), 0), Iota(g, numbers(k, k), 1)) // of equals, the first
	before := LogicalOr(GreaterThan(other, mine), LogicalAnd(Equal(other, mine), BroadcastToDims(InsertAxes(earlier, 0), variance.Shape().Dim(0), k, k)))
	ranks := ReduceSum(ConvertDType(before, dtypes.Int32), -1) // [batch, channels]
	return ConvertDType(Equal(InsertAxes(ranks, 1), InsertAxes(rank, 0, -1)), p.Act.DType())
}
