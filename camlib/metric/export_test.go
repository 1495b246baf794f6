package metric

import "github.com/camlab-go/camlab/camlib/images"

// FillOf returns the baseline images.
func FillOf(f Fill, x images.Batch) []float32 { return f.of(x) }

// Impute is impute without noise.
func Impute(x []float32, gone []bool, height, width, channels int) []float32 {
	out := make([]float32, len(x))
	impute(out, x, gone, make([]float32, len(x)), height, width, channels)
	return out
}

// Quantile is quantile.
var Quantile = quantile

// Settings returns an evaluator's options, where 0 has become the default.
func Settings(e *Evaluator) Options { return e.opts }
