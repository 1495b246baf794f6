package cam

import (
	"cmp"
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

// count is how many copies of an image to average over: n unless the explainer's
// options say otherwise.
func (p *Pass) count(n int) int { return cmp.Or(p.samples, n) }

// noisy returns n copies of each image with noise, [batch, n, height, width, channels].
func (p *Pass) noisy(n int, seed uint64, sd float64) *Node {
	d := p.Images.Shape().Dimensions
	noise := normal(p.Images, seed, sd, 1, n, d[1], d[2], d[3])
	return Add(InsertAxes(p.Images, 1), noise)
}

// divide returns the quotient and the rest of trial numbers, int32, by n.
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
