package failure

import "math"

// NotFinite returns the position of the first value that is infinite or NaN, or
// -1.
func NotFinite[T float32 | float64](values []T) int {
	for i, v := range values {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return i
		}
	}
	return -1
}
