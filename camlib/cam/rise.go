package cam

import (
	"fmt"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// How RISE draws its masks, as in the paper but for their number, of which it takes
// 4,000 for images of 224 pixels a side.
const (
	riseMasks = 256
	riseCells = 7
	riseKeep  = 0.5 // p
)

// RISE is
//
//	L = Σ_i y(x ∘ M_i) M_i / Σ_i M_i − 1/n Σ_i y(x ∘ M_i),
//
// Petsiuk et al. 2018 (arXiv:1806.07421): the score that is to be expected when a pixel
// is kept, here less the score of any mask, so that 0 is a pixel that does not matter.
// The masks M_i are grids of 7×7 cells, each kept with probability ½, enlarged
// bilinearly and shifted at random; they are the same for all images. The paper divides
// by n/2, which keeps more of the chance in the masks; a pixel that all masks hide, as one
// of few may, is 0. It explains the probability, for which ask with [Target.Probability].
// The map is one of pixels, signed, in units of the score.
type RISE struct {
	Masks int // n; 0 is 256
}

// Spec implements [Method].
func (m RISE) Spec() Spec {
	masks := parameter{m.Masks, riseMasks, "masks"}
	return Spec{
		Name: "rise",
		Unit: "score", Signed: true, Pixels: true,
		Map: func(p *Pass) *Node {
			m := p.riseMasks(masks.n())
			y := p.Value(p.Perturbed)
			mean := InsertAxes(ReduceMean(y, -1), -1, -1)
			sum, share := Einsum("bn,nhw->bhw", y, m), ReduceAndKeep(m, ReduceSum, 0)
			hidden := BroadcastToDims(Equal(share, ZerosLike(share)), sum.Shape().Dimensions...)
			return Sub(Where(hidden, Add(mean, sum), Div(sum, share)), mean) // sum is 0 there, or NaN
		},
		Perturbations: &Perturbations{
			Count: func(p *Pass) int { return masks.n() },
			Scores: func(p *Pass, which *Node) *Node {
				return OfEach(p.Mask(InsertAxes(pick(p.riseMasks(masks.n()), which), 0)), p.Network)
			},
		},
	}.with(masks)
}

// WithSamples implements what [WithSamples] says.
func (m RISE) WithSamples(n int) Method { m.Masks = n; return m }

// riseMasks returns n masks, [n, height, width].
func (p *Pass) riseMasks(n int) *Node {
	const seed = 5
	height, width := p.Images.Shape().Dim(1), p.Images.Shape().Dim(2)
	rng := rand.New(rand.NewPCG(seed, 0))
	ch, cw := (height+riseCells-1)/riseCells, (width+riseCells-1)/riseCells
	// along is how a mask takes its rows, or columns, from those of the grid: a part of the
	// grid enlarged by one cell more, from a random place on.
	along := func(size, cell int) []float32 {
		shift := rng.IntN(cell)
		first, share, err := halfPixel.Taps(riseCells, (riseCells+1)*cell)
		if err != nil {
			panic(fmt.Errorf("cam: rise: %w", err))
		}
		m := make([]float32, size*riseCells)
		for i := range size {
			x, part := first[i+shift], share[i+shift]
			m[i*riseCells+x] += float32(1 - part)
			m[i*riseCells+min(x+1, riseCells-1)] += float32(part)
		}
		return m
	}
	var rows, columns, cells []float32
	for range n {
		rows, columns = append(rows, along(height, ch)...), append(columns, along(width, cw)...)
		for range riseCells * riseCells {
			kept := float32(0)
			if rng.Float64() < riseKeep {
				kept = 1
			}
			cells = append(cells, kept)
		}
	}
	node := func(v []float32, dims ...int) *Node {
		return Const(p.Images.Graph(), tensors.FromFlatDataAndDimensions(v, dims...))
	}
	m := Einsum("nhr,nrc->nhc", node(rows, n, height, riseCells), node(cells, n, riseCells, riseCells))
	return Einsum("nhc,nwc->nhw", m, node(columns, n, width, riseCells))
}
