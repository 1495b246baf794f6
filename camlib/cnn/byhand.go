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
	y1, back1 := layerByHand(ctx.In("conv1"), ConvertDType(x, dtype))
	y2, back2 := layerByHand(ctx.In("conv2"), y1)
	pool := maxPool(y2)
	y3, back3 := layerByHand(ctx.In("conv3"), pool)
	y4, back4 := layerByHand(ctx.In("conv4"), y3)
	y5, back5 := layerByHand(ctx.In("conv5"), y4)
	pooled := ReduceMean(ConvertDType(y5, dtypes.Float32), 1, 2)
	head := ctx.In("dense")
	cost := Mul(Cost(dense(head, pooled), label), share)
	grads := Gradient(cost, variable(head, "weights", pooled), variable(head, "biases", pooled), pooled)

	d := y5.Shape().Dimensions
	dy5 := BroadcastToDims(InsertAxes(DivScalar(grads[2], float64(d[1]*d[2])), 1, 1), d...)
	g5, dy4 := back5(ConvertDType(dy5, dtype))
	g4, dy3 := back4(dy4)
	g3, dpool := back3(dy3)
	g2, dy1 := back2(poolGradient(y2, pool, dpool))
	g1, _ := back1(dy1)
	return join([]*Node{cost}, grads[:2], g5, g4, g3, g2, g1)
}

// backward returns, for the gradient dy with respect to a layer's output, those with
// respect to its weights and biases, float32, and its input.
type backward func(dy *Node) (weights []*Node, dx *Node)

// layerByHand is a layer's output and the way back.
func layerByHand(ctx *context.Context, x *Node) (y *Node, back backward) {
	w := variable(ctx, "weights", x)
	if isXLACPU(x.Graph().Backend()) && byTiles(x, w) {
		d := x.Shape().Dimensions
		v, u := winogradInput(x), winogradKernel(w)
		y = relu(addBias(ctx, winogradConvolve(v, u, d[0], d[1], d[2])))
		return y, func(dy *Node) ([]*Node, *Node) {
			dw, db, dx := winogradGradient(y, dy, v, u)
			return []*Node{dw, db}, dx
		}
	}
	y = relu(addBias(ctx, plainConvolution(x, w)))
	return y, func(dy *Node) ([]*Node, *Node) {
		dz := reluGradient(y, dy)
		float := func(x *Node) *Node { return ConvertDType(x, dtypes.Float32) }
		// Backends compute the convolution with the turned kernel faster than what automatic differentiation writes.
		return []*Node{float(kernelGradient(x, w, dz)), ReduceSum(float(dz), 0, 1, 2)}, plainConvolution(dz, turned(w))
	}
}
