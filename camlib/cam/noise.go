package cam

import (
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// constant returns values that draw gives, the same in every run and for every
// image, of like's graph and type.
func constant(like *Node, seed uint64, draw func(rng *rand.Rand) float64, dims ...int) *Node {
	rng := rand.New(rand.NewPCG(seed, 0x63616d)) // the second word spells "cam"
	v := make([]float32, shapes.Make(dtypes.Float32, dims...).Size())
	for i := range v {
		v[i] = float32(draw(rng))
	}
	return ConvertDType(Const(like.Graph(), tensors.FromFlatDataAndDimensions(v, dims...)), like.DType())
}

// normal is noise of mean 0 and standard deviation sd.
func normal(like *Node, seed uint64, sd float64, dims ...int) *Node {
	return MulScalar(constant(like, seed, (*rand.Rand).NormFloat64, dims...), sd)
}

// noisy returns n copies of each image with noise, [batch, n, height, width, channels].
func (p *Pass) noisy(n int, seed uint64, sd float64) *Node {
	d := p.Images.Shape().Dimensions
	noise := normal(p.Images, seed, sd, 1, n, d[1], d[2], d[3])
	return Add(InsertAxes(p.Images, 1), noise)
}
