package onnx

import (
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/exec"
	"github.com/camlab-go/camlab/internal/nn"
)

// Sample prepares what is common in networks from files, a block each as ResNet,
// EfficientNet and ConvNeXt have them, on a batch of noise, and returns the function that runs
// it once: a stopwatch beside it tells how fast a backend is with its settings. It has been
// compiled and run when Sample returns.
func Sample(backend compute.Backend) (func() error, error) {
	const channels, wide, wider = 128, 384, 512
	dims := [][]int{
		{8, 28, 28, channels}, {3, 3, channels, channels},
		{1, 1, channels, wide}, {5, 5, 1, wide}, {1, 1, wide, channels},
		{7, 7, 1, channels}, {1, 1, channels, wider}, {1, 1, wider, channels},
	}
	values := make([][]float32, len(dims))
	rng := rand.New(rand.NewPCG(1, 0))
	for i, d := range dims {
		for range d[0] * d[1] * d[2] * d[3] {
			values[i] = append(values[i], 0.05*float32(rng.NormFloat64()))
		}
	}
	sample, err := exec.New(backend, model.NewStore(), func(_ *model.Scope, in []*Node) exec.Outputs {
		return exec.Outputs{"features": ReduceMean(blocks(in[0], in[1:]), 1, 2)}
	})
	if err != nil {
		return nil, err
	}
	run := func() error {
		var in []*tensors.Tensor // which a call takes
		for i, d := range dims {
			in = append(in, tensors.FromFlatDataAndDimensions(values[i], d...))
		}
		out, err := sample.Call(in...)
		if err != nil {
			return err
		}
		var features []float32
		return out.Read(map[string]any{"features": &features})
	}
	return run, run()
}

// blocks is [Sample]'s network with these kernels.
func blocks(x *Node, kernels []*Node) *Node {
	convolve := func(x *Node) *Node {
		k := kernels[0]
		kernels = kernels[1:]
		side := k.Shape().Dim(0) / 2
		w := nn.Window{Strides: [2]int{1, 1}, Dilations: [2]int{1, 1}, Pads: [2][2]int{{side, side}, {side, side}}}
		return w.Convolve(x, k, x.Shape().Dim(3)/k.Shape().Dim(2))
	}
	mean := func(x *Node, axes ...int) *Node { return ReduceAndKeep(x, ReduceMean, axes...) }
	silu := func(x *Node) *Node { return Mul(x, Sigmoid(x)) }

	x = Add(x, nn.ReLU(convolve(x)))

	y := silu(convolve(silu(convolve(x))))
	x = Add(x, convolve(Mul(y, Sigmoid(mean(y, 1, 2)))))

	y = convolve(x)
	y = Sub(y, mean(y, 3))
	y = convolve(Div(y, Sqrt(AddScalar(mean(Mul(y, y), 3), 1e-6))))
	gelu := Mul(y, AddScalar(Erf(MulScalar(y, math.Sqrt2/2)), 1))
	return Add(x, convolve(gelu))
}
