package cnn

import (
	"fmt"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/gomlx/gomlx/pkg/ml/context"
)

// byHandStep returns the step with the gradients of all layers by hand, in one
// executable, and with the convolutions and all that lies between them in dtype.
// Weights, pooled features, head, cost and Adam stay in float32, as in mixed precision
// (Micikevicius et al. 2018, arXiv:1710.03740); in bfloat16 the cost needs no scaling,
// because that has float32's exponents.
func byHandStep(dtype dtypes.DType) newStep {
	return func(backend backends.Backend, m *Model, learningRate float64) (stepper, error) {
		exec, err := context.NewExec(backend, m.ctx, func(ctx *context.Context, in []*Node) []*Node {
			return byHand(ctx, dtype, in[0], in[1], in[2], in[3])
		})
		if err != nil {
			return nil, fmt.Errorf("cnn: training step: %w", err)
		}
		gradients := func(pixels, labels, picks, share *tensors.Tensor) ([]*tensors.Tensor, error) {
			return execute(exec, []*tensors.Tensor{pixels, labels, picks, share})
		}
		return chunkedStep(backend, m, learningRate, func() (gradientsOf, []*tensors.Tensor, error) { return gradients, nil, nil })
	}
}

// byHand is [gradientsOf] as a graph.
func byHand(ctx *context.Context, dtype dtypes.DType, pixels, labels, picks, share *Node) []*Node {
	x, label := pick(pixels, labels, picks)
	x = ConvertDType(x, dtype)
	layer := func(name string, x *Node) *Node {
		ctx := ctx.In(name)
		return relu(addBias(ctx, plainConvolution(x, variable(ctx, "weights", x))))
	}
	y1 := layer("conv1", x)
	y2 := layer("conv2", y1)
	pool := maxPool(y2)
	y3 := layer("conv3", pool)
	y4 := layer("conv4", y3)
	y5 := layer("conv5", y4)
	pooled := ReduceMean(ConvertDType(y5, dtypes.Float32), 1, 2)
	head := ctx.In("dense")
	cost := Mul(Cost(dense(head, pooled), label), share)
	grads := Gradient(cost, variable(head, "weights", pooled), variable(head, "biases", pooled), pooled)

	d := y5.Shape().Dimensions
	dy5 := BroadcastToDims(InsertAxes(DivScalar(grads[2], float64(d[1]*d[2])), 1, 1), d...)
	g5, dy4 := convGradient(ctx.In("conv5"), y4, reluGradient(y5, ConvertDType(dy5, dtype)))
	g4, dy3 := convGradient(ctx.In("conv4"), y3, reluGradient(y4, dy4))
	g3, dpool := convGradient(ctx.In("conv3"), pool, reluGradient(y3, dy3))
	g2, dy1 := convGradient(ctx.In("conv2"), y1, poolGradient(y2, pool, dpool))
	g1, _ := convGradient(ctx.In("conv1"), x, reluGradient(y1, dy1))
	return join([]*Node{cost}, grads[:2], g5, g4, g3, g2, g1)
}
