package cnn

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/backends"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/gomlx/gomlx/pkg/ml/context"
)

// stages are the training step with the two large layers, conv4 and conv5, as
// Winograd convolutions and the gradients of all layers by hand. They are five
// executables: as one, XLA would fuse each layer's output transform into the next
// layer's input transform and compute it over and over.
//
//	U  kernels of conv4 and conv5 → u4, u5, transformed once for all chunks
//	A  x → y1, y2, pool, y3, y4    forward to conv4
//	B  y4 → y5, cost, head's gradients
//	C  gradients of conv5
//	D  gradients of conv4
//	E  gradients of conv3, conv2 and conv1
//
// y1 to y5 are the layers' outputs after ReLU, y4 and y5 as planes.
type stages struct{ u, a, b, c, d, e *context.Exec }

// The sizes of a grid of planes and of transformed inputs.
const planeCount, inputCount = 4 * 4, 6 * 6

// winogradStep is the step of the stages.
func winogradStep(backend backends.Backend, m *Model, learningRate float64) (stepper, error) {
	s, err := newStages(backend, m)
	if err != nil {
		return nil, err
	}
	return chunkedStep(backend, m, learningRate, func() (gradientsOf, []*tensors.Tensor, error) {
		u, err := execute(s.u)
		return func(pixels, labels, picks, share *tensors.Tensor) ([]*tensors.Tensor, error) {
			return s.gradients(u[:inputCount], u[inputCount:], pixels, labels, picks, share)
		}, u, err
	})
}

func newStages(backend backends.Backend, m *Model) (*stages, error) {
	const p, v = planeCount, inputCount
	var err error
	stage := func(build func(ctx *context.Context, in []*Node) []*Node) *context.Exec {
		exec, stageErr := context.NewExec(backend, m.ctx, build)
		if stageErr != nil {
			err = fmt.Errorf("cnn: training step: %w", stageErr)
		}
		return exec
	}
	var s stages

	exec, err := context.NewExec(backend, m.ctx, func(ctx *context.Context, g *Graph) []*Node {
		kernel := func(layer string) []*Node {
			return winogradKernel(ctx.In(layer).InspectVariableInScope("weights").ValueGraph(g)).list()
		}
		return join(kernel("conv4"), kernel("conv5"))
	})
	if err != nil {
		return nil, fmt.Errorf("cnn: training step: %w", err)
	}
	s.u = exec
	// u4[v], pixels, labels, picks → x, label, y1, y2, pool, y3, y4[p], v4[v]
	s.a = stage(func(ctx *context.Context, in []*Node) []*Node {
		u4, in := asGrid(in, 6), in[v:]
		x, label := pick(in[0], in[1], in[2])
		y1 := conv(ctx.In("conv1"), x)
		y2 := conv(ctx.In("conv2"), y1)
		pool := maxPool(y2)
		y3 := conv(ctx.In("conv3"), pool)
		y4, v4 := winogradLayer(ctx.In("conv4"), planes(y3), u4)
		return join([]*Node{x, label, y1, y2, pool, y3}, y4.list(), v4.list())
	})
	// u5[v], label, the chunk's share of the batch, y4[p] → cost, dW, db of the head, dF, y5[p], v5[v]
	s.b = stage(func(ctx *context.Context, in []*Node) []*Node {
		u5, in := asGrid(in, 6), in[v:]
		label, share, y4 := in[0], in[1], asGrid(in[2:], 4)
		y5, v5 := winogradLayer(ctx.In("conv5"), y4, u5)
		pooled := pooledPlanes(y5)
		ctx = ctx.In("dense")
		cost := Mul(Cost(dense(ctx, pooled), label), share)
		grads := Gradient(cost, variable(ctx, "weights", pooled), variable(ctx, "biases", pooled), pooled)
		return join([]*Node{cost}, grads, y5.list(), v5.list())
	})
	// u5[v], dF, y5[p], v5[v], y4[p] → dW, db of conv5, dz4[p]
	s.c = stage(func(ctx *context.Context, in []*Node) []*Node {
		u5, in := asGrid(in, 6), in[v:]
		y5, v5, y4 := asGrid(in[1:], 4), asGrid(in[1+p:], 6), asGrid(in[1+p+v:], 4)
		dims := y5[0][0].Shape().Dimensions
		pixels := dims[1] * dims[2] * p
		dy5 := BroadcastToDims(InsertAxes(DivScalar(in[0], float64(pixels)), 1, 1), dims...)
		dz5 := y5.each(func(y *Node) *Node { return reluGradient(y, dy5) })
		dw, db, dy4 := winogradGradient(dz5, v5, u5)
		return join([]*Node{dw, db}, y4.with(dy4, reluGradient).list())
	})
	// u4[v], dz4[p], v4[v] → dW, db of conv4, dy3[p]
	s.d = stage(func(ctx *context.Context, in []*Node) []*Node {
		u4, in := asGrid(in, 6), in[v:]
		dw, db, dy3 := winogradGradient(asGrid(in, 4), asGrid(in[p:], 6), u4)
		return join([]*Node{dw, db}, dy3.list())
	})
	// x, y1, y2, pool, y3, dy3[p] → dW, db of conv3, conv2 and conv1
	s.e = stage(func(ctx *context.Context, in []*Node) []*Node {
		x, y1, y2, pool, y3, dy3 := in[0], in[1], in[2], in[3], in[4], asGrid(in[5:], 4)
		dz3 := planes(y3).with(dy3, reluGradient)
		dw3, db3, _ := winogradKernelGradient(dz3, winogradInput(planes(pool)))
		_, dpool := convGradient(ctx.In("conv3"), pool, unplanes(dz3))
		g2, dy1 := convGradient(ctx.In("conv2"), y1, poolGradient(y2, pool, dpool))
		g1, _ := convGradient(ctx.In("conv1"), x, reluGradient(y1, dy1))
		return join([]*Node{dw3, db3}, g2, g1)
	})
	return &s, err
}

// gradients is [gradientsOf], with transformed kernels.
func (s *stages) gradients(u4, u5 []*tensors.Tensor, pixels, labels, chosen, share *tensors.Tensor) (grads []*tensors.Tensor, err error) {
	const planes = planeCount
	var all []*tensors.Tensor
	defer func() {
		free(slices.DeleteFunc(all, func(t *tensors.Tensor) bool { return slices.Contains(grads, t) }))
	}()
	run := func(exec *context.Exec, in ...[]*tensors.Tensor) []*tensors.Tensor {
		if err != nil {
			return nil
		}
		var out []*tensors.Tensor
		out, err = execute(exec, in...)
		all = append(all, out...)
		return out
	}
	one := func(t *tensors.Tensor) []*tensors.Tensor { return []*tensors.Tensor{t} }

	ra := run(s.a, u4, []*tensors.Tensor{pixels, labels, chosen})
	if err != nil {
		return nil, err
	}
	x, label, y123, y4, v4 := ra[0:1], ra[1:2], ra[2:6], ra[6:6+planes], ra[6+planes:]
	rb := run(s.b, u5, label, one(share), y4)
	if err != nil {
		return nil, err
	}
	dF, y5v5 := rb[3:4], rb[4:]
	rc := run(s.c, u5, dF, y5v5, y4)
	if err != nil {
		return nil, err
	}
	rd := run(s.d, u4, rc[2:], v4)
	if err != nil {
		return nil, err
	}
	re := run(s.e, x, y123, rd[2:])
	if err != nil {
		return nil, err
	}
	return join(rb[:3], rc[:2], rd[:2], re), nil
}

// winogradLayer is [conv] on planes with a transformed kernel; v are the transformed
// inputs.
func winogradLayer(ctx *context.Context, x, u grid) (y, v grid) {
	y, v = winogradConvolve(x, u)
	return y.each(func(x *Node) *Node { return relu(addBias(ctx, x)) }), v
}

// pooledPlanes is the global average of planes, [n, channels].
func pooledPlanes(p grid) *Node {
	var sum *Node
	pixels := 0
	for _, x := range p.list() {
		pixels += x.Shape().Dim(1) * x.Shape().Dim(2)
		x = ReduceSum(x, 1, 2)
		if sum != nil {
			x = Add(sum, x)
		}
		sum = x
	}
	return DivScalar(sum, float64(pixels))
}
