package cam

import (
	. "github.com/gomlx/gomlx/pkg/core/graph"
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
	m = Upsample(m, height, width, HalfPixel)
	low, high := ReduceAndKeep(m, ReduceMin, -2, -1), ReduceAndKeep(m, ReduceMax, -2, -1)
	flat := Equal(low, high)
	extent := Where(flat, OnesLike(low), Sub(high, low))
	return Div(Sub(m, low), extent)
}

var scoreCAM = Method{
	Name: "scorecam",
	Map:  func(p *Pass) *Node { return ScoreCAM(p.Act, p.Value(p.Tried)) },
	Trials: &Trials{
		Count: (*Pass).Channels,
		Scores: func(p *Pass, which *Node) *Node {
			h := masks(p.channels(which), p.Images.Shape().Dim(1), p.Images.Shape().Dim(2))
			return ofEach(Mul(InsertAxes(p.Images, 1), InsertAxes(h, -1)), p.Network)
		},
	},
}
