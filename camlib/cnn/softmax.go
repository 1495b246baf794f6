package cnn

import "math"

// Probabilities returns softmax(scores), in float64.
func Probabilities(scores []float32) []float64 {
	p := make([]float64, len(scores))
	lse := logSumExp(scores)
	for i, s := range scores {
		p[i] = math.Exp(float64(s) - lse)
	}
	return p
}

// crossEntropy is -log softmax(scores)[label].
func crossEntropy(scores []float32, label int) float64 {
	return logSumExp(scores) - float64(scores[label])
}

func logSumExp(scores []float32) float64 {
	largest := float64(scores[argmax(scores)])
	sum := 0.0
	for _, s := range scores {
		sum += math.Exp(float64(s) - largest)
	}
	return largest + math.Log(sum)
}

// argmax returns the position of the largest value, the first of equals.
func argmax(values []float32) int {
	best := 0
	for i, v := range values {
		if v > values[best] {
			best = i
		}
	}
	return best
}
