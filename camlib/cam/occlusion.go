package cam

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// gray is what hides a part of an image.
const gray = 0.5

// Occlusion is
//
//	L_p = mean over the windows W that cover pixel p of y(x) − y(x with W gray),
//
// Zeiler and Fergus 2014 (arXiv:1311.2901): how much the score falls when a window of
// the image is hidden. The window has a quarter of the image's sides and moves by half
// of its own. The map is one of pixels, signed, in units of the score.
type Occlusion struct{}

// Spec implements [Method].
func (Occlusion) Spec() Spec {
	return Spec{
		Name: "occlusion",
		Unit: "score", Signed: true, Pixels: true,
		Map: func(p *Pass) *Node {
			w := p.windows() // [n, height, width]
			fall := Sub(InsertAxes(p.Score(), -1), p.Value(p.Perturbed))
			return Div(Einsum("bn,nhw->bhw", fall, w), ReduceAndKeep(w, ReduceSum, 0))
		},
		Perturbations: &Perturbations{
			Count: func(p *Pass) int { return p.windows().Shape().Dim(0) },
			Scores: func(p *Pass, which *Node) *Node {
				hidden := InsertAxes(pick(p.windows(), which), 0, -1) // [1, n, height, width, 1]
				x := InsertAxes(p.Images, 1)
				return OfEach(Add(x, Mul(hidden, Sub(ConstAs(x, gray), x))), p.Network)
			},
		},
	}
}

// windows returns the windows, 1 inside and 0 outside, [n, height, width].
func (p *Pass) windows() *Node {
	starts := func(size int) (start []int, length int) {
		length = max(1, size/4)
		step := max(1, length/2)
		for s := 0; ; s += step {
			start = append(start, min(s, size-length))
			if s+length >= size {
				return start, length
			}
		}
	}
	height, width := p.Images.Shape().Dim(1), p.Images.Shape().Dim(2)
	rows, h := starts(height)
	columns, w := starts(width)
	inside := func(n, start, length int) []float32 {
		v := make([]float32, n)
		for i := range length {
			v[start+i] = 1
		}
		return v
	}
	var down, across [][]float32
	for _, row := range rows {
		for _, column := range columns {
			down, across = append(down, inside(height, row, h)), append(across, inside(width, column, w))
		}
	}
	g := p.Images.Graph()
	return Einsum("nh,nw->nhw", Const(g, down), Const(g, across))
}
