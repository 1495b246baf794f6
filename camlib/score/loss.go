package score

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// Loss builds the mean cross entropy, a scalar,
//
//	−1/n Σ_i log softmax(scores_i)[label_i],
//
// of scores before softmax, [n, classes], and labels, [n], integers. No logarithm of a
// rounded probability is taken.
func Loss(scores, label *graph.Node) *graph.Node {
	return graph.Neg(graph.ReduceAllMean(LogLikelihood(scores, label)))
}

// LogLikelihood builds log softmax(scores_i)[label_i], [n].
func LogLikelihood(scores, label *graph.Node) *graph.Node {
	t := graph.OneHot(graph.ConvertDType(label, dtypes.Int32), scores.Shape().Dim(-1), scores.DType())
	return graph.ReduceSum(graph.Mul(t, graph.LogSoftmax(scores, -1)), -1)
}

// TargetLoss builds the mean cross entropy, a scalar,
//
//	−1/n Σ_i Σ_c target_ic log softmax(scores_i)_c,
//
// of scores before softmax and targets, [n, classes] both. A target that is 1 for one class
// and 0 for the others gives [Loss].
func TargetLoss(scores, target *graph.Node) *graph.Node {
	target = graph.ConvertDType(target, scores.DType())
	return graph.Neg(graph.ReduceAllMean(graph.ReduceSum(graph.Mul(target, graph.LogSoftmax(scores, -1)), -1)))
}
