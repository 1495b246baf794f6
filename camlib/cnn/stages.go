package cnn

import (
	"fmt"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/gomlx/gomlx/pkg/ml/context"
)

// winogradStep is the training step with the two large layers, conv4 and
// conv5, as Winograd convolutions and the gradients of all layers by hand. It
// runs as five executables: as one, XLA would fuse each layer's output
// transform into the next layer's input transform and compute it over and over.
//
//	A  x → y1, y2, pool, y3, y4    forward to conv4
//	B  y4 → y5, cost, head's gradients
//	C  gradients of conv5
//	D  gradients of conv4
//	E  gradients of conv3, conv2 and conv1; Adam
//
// y1 to y5 are the layers' outputs after ReLU, y4 and y5 as planes.
func winogradStep(backend backends.Backend, m *Model, learningRate float64) (stepper, error) {
	const p, v = 4 * 4, 6 * 6 // sizes of a grid of planes and of transformed inputs
	var err error
	stage := func(build func(ctx *context.Context, in []*Node) []*Node) *context.Exec {
		exec, stageErr := context.NewExec(backend, m.ctx, build)
		if stageErr != nil {
			err = fmt.Errorf("cnn: training step: %w", stageErr)
		}
		return exec
	}

	// pixels, labels, picks → x, label, y1, y2, pool, y3, y4[p], v4[v]
	a := stage(func(ctx *context.Context, in []*Node) []*Node {
		x, label := pick(in[0], in[1], in[2])
		y1 := conv(ctx.In("conv1"), x)
		y2 := conv(ctx.In("conv2"), y1)
		pool := maxPool(y2)
		y3 := conv(ctx.In("conv3"), pool)
		y4, v4 := winogradLayer(ctx.In("conv4"), planes(y3))
		return join([]*Node{x, label, y1, y2, pool, y3}, y4.list(), v4.list())
	})
	// label, y4[p] → cost, dW, db of the head, dF, y5[p], v5[v]
	b := stage(func(ctx *context.Context, in []*Node) []*Node {
		label, y4 := in[0], asGrid(in[1:], 4)
		y5, v5 := winogradLayer(ctx.In("conv5"), y4)
		pooled := pooledPlanes(y5)
		ctx = ctx.In("dense")
		cost := Cost(dense(ctx, pooled), label)
		grads := Gradient(cost, variable(ctx, "weights", pooled), variable(ctx, "biases", pooled), pooled)
		return join([]*Node{cost}, grads, y5.list(), v5.list())
	})
	// dF, y5[p], v5[v], y4[p] → dW, db of conv5, dz4[p]
	c := stage(func(ctx *context.Context, in []*Node) []*Node {
		y5, v5, y4 := asGrid(in[1:], 4), asGrid(in[1+p:], 6), asGrid(in[1+p+v:], 4)
		dims := y5[0][0].Shape().Dimensions
		pixels := dims[1] * dims[2] * p
		dy5 := BroadcastToDims(InsertAxes(DivScalar(in[0], float64(pixels)), 1, 1), dims...)
		dz5 := y5.each(func(y *Node) *Node { return reluGradient(y, dy5) })
		dw, db, dy4 := winogradGradient(dz5, v5, variable(ctx.In("conv5"), "weights", in[0]))
		return join([]*Node{dw, db}, y4.with(dy4, reluGradient).list())
	})
	// dz4[p], v4[v] → dW, db of conv4, dy3[p]
	d := stage(func(ctx *context.Context, in []*Node) []*Node {
		dw, db, dy3 := winogradGradient(asGrid(in, 4), asGrid(in[p:], 6), variable(ctx.In("conv4"), "weights", in[0]))
		return join([]*Node{dw, db}, dy3.list())
	})
	// x, y1, y2, pool, y3, dy3[p], dW and db of the head, conv5 and conv4 → nothing: the variables are updated
	e := stage(func(ctx *context.Context, in []*Node) []*Node {
		x, y1, y2, pool, y3 := in[0], in[1], in[2], in[3], in[4]
		dy3, rest := unplanes(asGrid(in[5:], 4)), in[5+p:]
		grads := map[string][]*Node{"dense": rest[0:2], "conv5": rest[2:4], "conv4": rest[4:6]}
		var dpool, dy1 *Node
		grads["conv3"], dpool = convGradient(ctx.In("conv3"), pool, reluGradient(y3, dy3))
		grads["conv2"], dy1 = convGradient(ctx.In("conv2"), y1, poolGradient(y2, pool, dpool))
		grads["conv1"], _ = convGradient(ctx.In("conv1"), x, reluGradient(y1, dy1))
		update(ctx, learningRate, grads)
		return []*Node{ScalarZero(x.Graph(), dtypes.Float32)} // a graph needs an output
	})
	if err != nil {
		return nil, err
	}

	return func(pixels, labels, picks *tensors.Tensor) (cost *tensors.Tensor, err error) {
		var all []*tensors.Tensor // freed at the end rather than by the garbage collector, which does not see their size
		defer func() {
			for _, t := range all {
				if t != cost {
					t.MustFinalizeAll()
				}
			}
		}()
		run := func(exec *context.Exec, in ...[]*tensors.Tensor) []*tensors.Tensor {
			if err != nil {
				return nil
			}
			var args []any
			for _, t := range join(in...) {
				args = append(args, t)
			}
			var out []*tensors.Tensor
			if out, err = exec.Exec(args...); err != nil {
				err = fmt.Errorf("cnn: training step: %w", err)
			}
			all = append(all, out...)
			return out
		}
		ra := run(a, []*tensors.Tensor{pixels, labels, picks})
		if err != nil {
			return nil, err
		}
		x, label, y123, y4, v4 := ra[0:1], ra[1:2], ra[2:6], ra[6:6+p], ra[6+p:]
		rb := run(b, label, y4)
		if err != nil {
			return nil, err
		}
		head, dF, y5v5 := rb[1:3], rb[3:4], rb[4:]
		rc := run(c, dF, y5v5, y4)
		if err != nil {
			return nil, err
		}
		rd := run(d, rc[2:], v4)
		if err != nil {
			return nil, err
		}
		if run(e, x, y123, rd[2:], head, rc[:2], rd[:2]); err != nil {
			return nil, err
		}
		return rb[0], nil
	}, nil
}

// winogradLayer is [conv] on planes; v are the transformed inputs.
func winogradLayer(ctx *context.Context, x grid) (y, v grid) {
	y, v = winogradConvolve(x, variable(ctx, "weights", x[0][0]))
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

// reluGradient is the gradient before a ReLU with output y, given that after it.
func reluGradient(y, dy *Node) *Node {
	return Where(GreaterThan(y, ZerosLike(y)), dy, ZerosLike(y))
}

// poolGradient is the gradient before the ReLU with output y, [n, h, w, c],
// which [maxPool] follows, given that after the pool.
func poolGradient(y, pool, dpool *Node) *Node {
	d := y.Shape().Dimensions
	up := func(x *Node) *Node {
		x = BroadcastToDims(InsertAxes(x, 2, 3), d[0], d[1]/2, 2, d[2]/2, 2, d[3])
		return Reshape(x, d...)
	}
	largest := LogicalAnd(Equal(y, up(pool)), GreaterThan(y, ZerosLike(y)))
	return Where(largest, up(dpool), ZerosLike(y))
}

// convGradient returns the gradients of a layer's weights and biases and of its
// input x, given dz, that of its convolution's output.
func convGradient(ctx *context.Context, x, dz *Node) (weights []*Node, dx *Node) {
	w := variable(ctx, "weights", x)
	y := directConvolution(x, w)
	g := Gradient(ReduceAllSum(Mul(y, dz)), w, x) // y itself is not computed: only its gradient is used
	return []*Node{g[0], ReduceSum(dz, 0, 1, 2)}, g[1]
}

// update makes Adam's update of all layers, given their gradients by scope.
func update(ctx *context.Context, learningRate float64, grads map[string][]*Node) {
	g := grads["dense"][0].Graph()
	byName := make(map[string]*Node)
	for scope, wb := range grads {
		byName[context.ScopeSeparator+scope+context.ScopeSeparator+"weights"] = wb[0]
		byName[context.ScopeSeparator+scope+context.ScopeSeparator+"biases"] = wb[1]
	}
	var ordered []*Node // as Adam goes through them
	for v := range ctx.IterVariables() {
		if grad, ok := byName[v.ScopeAndName()]; ok {
			v.ValueGraph(g) // makes it one of the graph's variables
			ordered = append(ordered, grad)
		}
	}
	adam(learningRate).(interface {
		UpdateGraphWithGradients(ctx *context.Context, grads []*Node, dtype dtypes.DType)
	}).UpdateGraphWithGradients(ctx, ordered, dtypes.Float32)
}

// join concatenates.
func join[T any](lists ...[]T) (all []T) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
