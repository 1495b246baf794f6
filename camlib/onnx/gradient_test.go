package onnx

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Gradients of the onnx package's cases are those of finite differences: of a sum of the
// outputs with random weights, along a random direction of the first input.
func TestGradientsOfNodes(t *testing.T) {
	checked := 0
	cases := nodeCases(t)
	for _, name := range sortedKeys(cases) {
		c := cases[name]
		if _, ok := unsupported(name); ok || c.inputs[0] == nil || c.outputs[0] == nil || hasKinks(name) ||
			c.inputs[0].dtype != dtypes.Float32 || c.outputs[0].dtype != dtypes.Float32 || c.inputs[0].size() == 0 {
			continue
		}
		ok, err := c.checkGradient()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if ok {
			checked++
		}
	}
	t.Logf("%d gradients", checked)
	if checked < 250 {
		t.Errorf("%d gradients, want those of the archive", checked)
	}
}

// hasKinks reports whether a case's values are at steps or corners of its operator, or far
// from what differences of float32 can tell.
func hasKinks(name string) bool {
	for _, part := range []string{"_floor", "_ceil", "_round", "_sign", "quantize", "range", "shape", "eyelike", "mod_", "cast", "isinf", "hardmax", "topk", "top_k", "empty", "argm", "onehot", "nan", "inf",
		"celu", "elu_example", "selu_example", "leakyrelu_example", "thresholdedrelu_example", "l1normalization", "l2normalization_axis_0", "reduce_min_default_axes_keepdims_example"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return name == "test_pow" // of 0, which has no step back
}

func (c *nodeCase) checkGradient() (checked bool, err error) {
	m, err := Decode(c.model, "")
	if err != nil || shapeArgument(m.graph.nodes[0].op, 0) {
		return false, err
	}
	back, err := folding()
	if err != nil {
		return false, err
	}
	g := NewGraph(back, "gradient")
	defer g.Finalize()
	known := false
	err = catch(func() {
		b := m.newBuilder(g, model.NewStore().RootScope(), dtypes.Float32)
		var x *Node
		for i, info := range m.graph.inputs {
			v := constantValue(c.inputs[i])
			if i == 0 {
				x = Parameter(g, "x", shapes.Make(dtypes.Float32, v.dims...))
				v = logical(x)
			}
			b.values[info.name] = v
		}
		b.run(m.graph.nodes)
		out := b.value(m.graph.outputs[0].name)
		if known = out.constant != nil; known {
			return
		}
		y := b.logicalNode(out)
		weights := random(y.Shape().Size(), 1)
		y = ReduceAllSum(Mul(y, Reshape(Const(g, weights), y.Shape().Dimensions...)))
		if err := g.Compile(y, Gradient(y, x)[0]); err != nil {
			panic(err)
		}
	})
	if err != nil || known {
		return false, err
	}
	x, v := c.inputs[0].floats(), random(c.inputs[0].size(), 2)
	at := func(h float64) (y float64, slope float64) {
		moved := slices.Clone(x)
		for i := range moved {
			moved[i] += float32(h * float64(v[i]))
		}
		out := g.Run(tensors.FromFlatDataAndDimensions(moved, c.inputs[0].dims...))
		grad := tensors.MustCopyFlatData[float32](out[1])
		for i := range grad {
			slope += float64(grad[i]) * float64(v[i])
		}
		return float64(tensors.MustCopyFlatData[float32](out[0])[0]), slope
	}
	err = catch(func() {
		_, slope := at(0)
		closest := math.Inf(1)
		var best float64
		for _, h := range []float64{1e-1, 1e-2, 1e-3} { // curves want a small step, rounding a large one
			up, _ := at(h)
			down, _ := at(-h)
			d := (up - down) / 2 / h
			if off := math.Abs(d-slope) / max(math.Abs(d), math.Abs(slope), 1e-2); off < closest {
				closest, best = off, d
			}
		}
		tolerance := 0.03
		if m.graph.nodes[0].op == "MaxPool" { // which takes others of close values
			tolerance = 0.1
		}
		if !(closest < tolerance) {
			panic(fmt.Errorf("slope %v, finite differences %v, relative difference %v", slope, best, closest))
		}
	})
	return err == nil, err
}

func random(n int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 7))
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(rng.NormFloat64())
	}
	return out
}
