package cnn

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Cost returns the article's cost, the mean cross entropy
//
//	-1/n Σ_i Σ_c t_ic log softmax(score_i)_c
//
// computed from scores (logits) shaped [n, classes], so that no logarithm of a
// rounded-off probability is taken. label is shaped [n], integers.
func Cost(score, label *Node) *Node {
	return Neg(ReduceAllMean(logLikelihood(score, label)))
}

// logLikelihood is Σ_c t_ic log softmax(score_i)_c, [n].
func logLikelihood(score, label *Node) *Node {
	return ReduceSum(Mul(oneHot(score, label), logSoftmax(score)), -1)
}

// ClippedCost returns the cost as the article writes it,
//
//	-mean(sum(t * log(clip(y, 1e-10, 1)))),   y = softmax(score),
//
// which equals [Cost] as long as no probability falls below 1e-10.
func ClippedCost(score, label *Node) *Node {
	p := Softmax(score, -1)
	y := Add(ClipScalar(p, 1e-10, 1), StopGradient(Sub(p, p))) // a clip loses a NaN under XLA on a CPU
	return Neg(ReduceAllMean(ReduceSum(Mul(oneHot(score, label), Log(y)), -1)))
}

func logSoftmax(score *Node) *Node {
	shifted := Sub(score, StopGradient(ReduceAndKeep(score, ReduceMax, -1)))
	return Sub(shifted, Log(ReduceAndKeep(Exp(shifted), ReduceSum, -1)))
}

func oneHot(score, label *Node) *Node {
	return OneHot(ConvertDType(label, dtypes.Int32), score.Shape().Dim(-1), score.DType())
}
