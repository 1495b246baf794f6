package metric

import (
	"math"

	"github.com/camlab-go/camlab/internal/failure"
)

// Completeness returns by how much maps miss what they should add up to,
//
//	|S − y| / max(|S|, |y|),   S − y the residual, y the score,
//
// where S is what the map and the bias make of the score: mean(m) + b for CAM, Σ m + b
// for HiResCAM. residual and score have one value per image. The result is 0 to 2; lower is
// better. Rounding leaves about 1e-6, and more where the score itself is near 0;
// two zeros are complete. It fails with [ErrValues], also when residual is nil
// because the method promises nothing.
func Completeness(residual, score []float32) ([]float64, error) {
	if residual == nil {
		return nil, fail(ErrValues, "completeness: no residuals, want those of a method whose maps add up to the score")
	}
	if len(residual) != len(score) {
		return nil, fail(ErrValues, "completeness: %d residuals and %d scores, want one of each per image", len(residual), len(score))
	}
	for _, v := range [][]float32{residual, score} {
		if bad := failure.NotFinite(v); bad >= 0 {
			return nil, fail(ErrValues, "completeness: image %d: value %v, want finite ones", bad, v[bad])
		}
	}
	out := make([]float64, len(residual))
	for i := range out {
		r, y := float64(residual[i]), float64(score[i])
		if size := max(math.Abs(y), math.Abs(y+r)); size > 0 {
			out[i] = math.Abs(r) / size
		}
	}
	return out, nil
}
