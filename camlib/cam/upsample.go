package cam

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/camlib/images"
)

// Upsample resizes maps m shaped [..., h, w] to [..., height, width],
//
//	R_height m R_widthᵀ,
//
// where row i of a matrix R holds what output i takes from each input,
// [images.Resize.Taps]. The values keep their unit. Outside a graph
// [images.Map.Resize] does the same.
func Upsample(m *Node, height, width int, how images.Resize) *Node {
	if m.Rank() < 2 {
		panic(fmt.Errorf("cam: Upsample: maps shaped %s, want [..., height, width]", m.Shape()))
	}
	dims := m.Shape().Clone().Dimensions
	last := len(dims) - 2
	h, w := dims[last], dims[last+1]
	rows := resizeMatrix(m, h, height, how)
	columns := resizeMatrix(m, w, width, how)
	m = Reshape(m, -1, h, w)
	m = Einsum("bhw,Hh->bHw", m, rows)
	m = Einsum("bHw,Ww->bHW", m, columns)
	dims[last], dims[last+1] = height, width
	return Reshape(m, dims...)
}

// halfPixel is how the methods enlarge.
const halfPixel = images.HalfPixel

// resizeMatrix returns R, [to, from], in like's graph and type.
func resizeMatrix(like *Node, from, to int, how images.Resize) *Node {
	first, share, err := how.Taps(from, to)
	if err != nil {
		panic(fmt.Errorf("cam: Upsample: %w", err))
	}
	r := make([][]float64, to)
	for i, x := range first {
		r[i] = make([]float64, from)
		r[i][x] += 1 - share[i]
		r[i][min(x+1, from-1)] += share[i]
	}
	return ConstAs(like, r)
}
