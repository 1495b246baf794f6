// Package score says how good the scores of a network are: softmax and cross entropy, in
// Go and as graphs, and the [Evaluation] of a whole data set.
package score

import "math"

// Softmax returns the probabilities of the classes,
//
//	p_c = exp(score_c) / Σ_k exp(score_k),
//
// computed in float64 and without overflow.
func Softmax(scores []float32) []float64 {
	p := make([]float64, len(scores))
	if len(scores) == 0 {
		return p
	}
	lse := logSumExp(scores)
	for i, s := range scores {
		p[i] = math.Exp(float64(s) - lse)
	}
	return p
}

// CrossEntropy returns −log softmax(scores)[label], in nats.
func CrossEntropy(scores []float32, label int) float64 {
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
