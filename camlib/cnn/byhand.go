package cnn

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/compiled"
)

// byHandStep is the step with the gradients of all layers by hand. On processors it takes
// a batch in chunks, so that what lies between the layers stays in their cache.
func byHandStep(backend compute.Backend, m *Model, learningRate float64) (stepper, error) {
	gradients, err := byHandGradients(backend, m)
	if err != nil {
		return nil, err
	}
	sum, err := model.NewExec(backend, m.store, func(scope *model.Scope, in []*Node) *Node {
		each := 1 + 2*len(layers)
		sum := in[:each]
		for chunk := range slices.Chunk(in[each:], each) {
			next := make([]*Node, each)
			for i := range sum {
				next[i] = Add(sum[i], chunk[i])
			}
			sum = next
		}
		ifFinite(scope, sum[0], func() { update(scope, learningRate, sum[1:]) })
		return sum[0]
	})
	if err != nil {
		return nil, fmt.Errorf("cnn: training step: %w", err)
	}
	return func(pixels, labels *tensors.Tensor, p picks) (float64, error) {
		n := len(p) / 4
		size := n
		if onCPU(backend) {
			size = chunkSize(n)
		}
		var all []*tensors.Tensor
		defer func() { free(all) }()
		for chunk := range slices.Chunk(p, 4*size) {
			chosen, share := chunk.tensor(), tensors.FromScalar(float32(len(chunk)/4)/float32(n))
			grads, err := execute(gradients, pixels, labels, chosen, share)
			free([]*tensors.Tensor{chosen, share})
			if err != nil {
				return 0, err
			}
			all = append(all, grads...)
		}
		out, err := execute(sum, all...)
		if err != nil {
			return 0, err
		}
		defer free(out)
		return float64(tensors.ToScalar[float32](out[0])), nil
	}, nil
}

// byHandGradients prepares [byHand].
func byHandGradients(backend compute.Backend, m *Model) (*model.Exec, error) {
	exec, err := model.NewExec(backend, m.store, func(scope *model.Scope, in []*Node) []*Node {
		return byHand(scope, in[0], in[1], in[2], in[3])
	})
	if err != nil {
		return nil, fmt.Errorf("cnn: training step: %w", err)
	}
	return exec, nil
}

// chunkSize is how many images of n are a chunk: all chunks are alike where
// that is possible, because each size is compiled for.
func chunkSize(n int) int {
	least := max(1, (n+compiled.Batch-1)/compiled.Batch)
	for count := least; count < 2*least; count++ {
		if n%count == 0 {
			return n / count
		}
	}
	return (n + least - 1) / least
}

// byHand returns what a chunk adds to the cost of its batch, of which it is the given
// share, and to the gradients: cost, then weights and biases of each layer from the last,
// dense, to the first.
func byHand(scope *model.Scope, pixels, labels, picks, share *Node) []*Node {
	x, label := pick(pixels, labels, picks)
	y1, back1 := layerByHand(scope.At("conv1"), x)
	y2, back2 := layerByHand(scope.At("conv2"), y1)
	pool := maxPool(y2)
	y3, back3 := layerByHand(scope.At("conv3"), pool)
	y4, back4 := layerByHand(scope.At("conv4"), y3)
	y5, back5 := layerByHand(scope.At("conv5"), y4)
	pooled := ReduceMean(y5, 1, 2)
	head := scope.At("dense")
	cost := Mul(Cost(dense(head, pooled), label), share)
	grads := Gradient(cost, variable(head, "weights", pooled), variable(head, "biases", pooled), pooled)

	d := y5.Shape().Dimensions
	dy5 := BroadcastToDims(InsertAxes(DivScalar(grads[2], float64(d[1]*d[2])), 1, 1), d...)
	g5, dy4 := back5(dy5)
	g4, dy3 := back4(dy4)
	g3, dpool := back3(dy3)
	g2, dy1 := back2(poolGradient(y2, pool, dpool))
	g1, _ := back1(dy1)
	return slices.Concat([]*Node{cost}, grads[:2], g5, g4, g3, g2, g1)
}

// layerByHand returns the output y of a layer and the way back: for the gradient dy with
// respect to y, those with respect to the weights and biases, and to the layer's input x.
func layerByHand(scope *model.Scope, x *Node) (y *Node, back func(dy *Node) (weights []*Node, dx *Node)) {
	w := variable(scope, "weights", x)
	output := func(z *Node) *Node { return relu(addBias(scope, z)) }
	if !isXLACPU(x.Graph().Backend()) || !byTiles(x, w) {
		y = output(plainConvolution(x, w))
		return y, func(dy *Node) ([]*Node, *Node) {
			dz := reluGradient(y, dy)
			// Backends compute the convolution with the turned kernel faster than what automatic differentiation writes.
			return []*Node{kernelGradient(x, w, dz), ReduceSum(dz, 0, 1, 2)}, plainConvolution(dz, turned(w))
		}
	}
	v, u := winogradInput(x), winogradKernel(w)
	if manyOutputs(w) {
		d := x.Shape().Dimensions
		y = output(winogradConvolve(v, u, d[0], d[1], d[2]))
	} else {
		y = output(plainConvolution(x, w))
	}
	return y, func(dy *Node) ([]*Node, *Node) {
		dw, db, dx := winogradGradient(y, dy, v, u)
		return []*Node{dw, db}, dx
	}
}
