// Package turns has what benchmarks share that take turns.
package turns

import "slices"

// Median returns the median of some values, 0 of none.
func Median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	if len(x) == 0 {
		return 0
	}
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}
