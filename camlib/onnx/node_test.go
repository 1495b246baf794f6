package onnx

import (
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/onnxtest"
)

// nodeCase is a test of the onnx package: a model of one node, inputs and outputs.
type nodeCase struct {
	model           []byte
	inputs, outputs map[int]*array
}

func nodeCases(tb testing.TB) map[string]*nodeCase {
	cases := make(map[string]*nodeCase)
	for file, data := range onnxtest.Archive(tb, "nodes.tar.gz") {
		name := path.Dir(file)
		if cases[name] == nil {
			cases[name] = &nodeCase{inputs: map[int]*array{}, outputs: map[int]*array{}}
		}
		var i int
		switch base := path.Base(file); base {
		case "model.onnx":
			cases[name].model = data
		default:
			t, err := parseTensor(field{wire: 2, b: data})
			if err != nil {
				tb.Fatal(err)
			}
			a, err := newArray(t)
			if err != nil {
				a = nil // of a type that is not known; the case is in unsupported
			}
			into := cases[name].inputs
			kind, number, _ := strings.Cut(strings.TrimSuffix(base, ".pb"), "_")
			if kind == "output" {
				into = cases[name].outputs
			}
			if _, err := fmt.Sscanf(number, "%d", &i); err != nil {
				tb.Fatal(err)
			}
			into[i] = a
		}
	}
	return cases
}

// way is how a case's inputs come: known when the graph is built, or as nodes, of images
// with their channels last.
type way int

const (
	known way = iota
	nodes
	imagesLast
)

// run computes a case's outputs. skipped says that the way is no other than one before.
func (c *nodeCase) run(how way) (out []*array, skipped bool, err error) {
	m, err := Decode(c.model, "")
	if err != nil {
		return nil, false, err
	}
	back, err := folding()
	if err != nil {
		return nil, false, err
	}
	var args []any
	differs := how == known
	g := NewGraph(back, "case")
	defer g.Finalize()
	var results []*Node
	var values []*value
	err = catch(func() {
		b := m.newBuilder(g, model.NewStore().RootScope(), dtypes.Float32)
		for i, info := range m.graph.inputs {
			a := c.inputs[i]
			if a == nil {
				panic(stop{fmt.Errorf("input %d of no type that is known", i)})
			}
			v := constantValue(a)
			if how != known && a.dtype == dtypes.Float32 && a.size() > 0 && !shapeArgument(m.graph.nodes[0].op, i) {
				differs = true
				t := a.tensor()
				if how == imagesLast && len(a.dims) == 4 {
					v = channelsLast(Parameter(g, info.name, shapes.Make(dtypes.Float32, lastDims(a.dims)...)))
					t = toLastTensor(a)
				} else {
					v = logical(Parameter(g, info.name, shapes.Make(dtypes.Float32, a.dims...)))
				}
				args = append(args, t)
			}
			b.values[info.name] = v
		}
		b.run(m.graph.nodes)
		for _, o := range m.graph.outputs {
			v := b.value(o.name)
			values = append(values, v)
			if v.constant == nil {
				results = append(results, Identity(b.logicalNode(v))) // an output that is an input is none for GoMLX's pure-Go backend
			}
		}
	})
	if err != nil || !differs {
		return nil, !differs, err
	}
	var computed []*tensors.Tensor
	if len(results) > 0 {
		err = catch(func() {
			if err := g.Compile(results...); err != nil {
				panic(err)
			}
			computed = g.Run(args...)
		})
		if err != nil {
			return nil, false, err
		}
	}
	for _, v := range values {
		if v.constant != nil {
			out = append(out, v.constant)
			continue
		}
		a, err := fromTensor(computed[0])
		if err != nil {
			return nil, false, err
		}
		out, computed = append(out, a), computed[1:]
	}
	return out, false, nil
}

// shapeArgument reports whether an input has to be known: factors and bounds.
func shapeArgument(op string, i int) bool {
	return slices.Contains([]string{"Range", "ScatterND"}, op) || i > 0 && slices.Contains([]string{"Resize", "Upsample", "Clip", "Pad", "OneHot"}, op)
}

func toLastTensor(a *array) *tensors.Tensor {
	d, f := a.dims, a.floats()
	out := make([]float32, len(f))
	for n := range d[0] {
		for c := range d[1] {
			for p := range d[2] * d[3] {
				out[(n*d[2]*d[3]+p)*d[1]+c] = f[(n*d[1]+c)*d[2]*d[3]+p]
			}
		}
	}
	return tensors.FromFlatDataAndDimensions(out, lastDims(d)...)
}

// sameArray says how two arrays differ; nil is that they do not, but for rounding.
func sameArray(got, want *array) error {
	if want.dtype == dtypes.InvalidDType {
		return errors.New("of no type that is known")
	}
	if !slices.Equal(got.dims, want.dims) {
		return fmt.Errorf("shape %v, want %v", got.dims, want.dims)
	}
	g, w := got.floats(), want.floats()
	half := want.kind == 10 || want.kind == 16
	for i := range w {
		a, b := float64(g[i]), float64(w[i])
		tolerance := 1e-4 + 1e-3*math.Abs(b)
		if half {
			tolerance = 1e-2 + 1e-2*math.Abs(b)
		}
		if a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= tolerance {
			continue
		}
		return fmt.Errorf("value %d is %v, want %v", i, a, b)
	}
	return nil
}

func TestNodes(t *testing.T) {
	cases := nodeCases(t)
	ran := 0
	var left []string
	for _, name := range sortedKeys(cases) {
		c := cases[name]
		if why, ok := unsupported(name); ok {
			if out, _, err := c.run(known); err == nil && len(out) > 0 && sameArray(out[0], c.outputs[0]) == nil {
				t.Errorf("%s passes, want it off the list of those that do not: %s", name, why)
			}
			left = append(left, name)
			continue
		}
		for how := known; how <= imagesLast; how++ {
			out, skipped, err := c.run(how)
			if skipped {
				continue
			}
			if err != nil {
				t.Errorf("%s, way %d: %v", name, how, err)
				break
			}
			for i, want := range c.outputs {
				if i >= len(out) {
					t.Errorf("%s, way %d: no output %d", name, how, i)
				} else if err := sameArray(out[i], want); err != nil {
					t.Errorf("%s, way %d: output %d: %v", name, how, i, err)
				}
			}
		}
		ran++
	}
	t.Logf("%d cases of the onnx package; not supported are %d: %s", ran, len(left), strings.Join(left, " "))
	if ran < 700 {
		t.Errorf("%d cases, want the archive's", ran)
	}
}

// unsupported says why a case of the onnx package does not pass; a name stands for all that
// begin with it.
func unsupported(name string) (why string, ok bool) {
	for _, u := range [][2]string{
		{"test_dequantizelinear_blocked", "scales of blocks"}, {"test_quantizelinear_blocked", "scales of blocks"},
		{"test_einsum_batch_diagonal", "a diagonal"},
		{"test_gathernd_example_int32_batch_dim1", "batch_dims"},
		{"test_if_opt", "a sequence"}, {"test_if_seq", "a sequence"},
		{"test_maxpool_with_argmax", "the indices of the largest"},
		{"test_mod_float_edge_cases_fmod_0", "the remainder of an infinite divisor"},
		{"test_not_2d", "opset 1"}, {"test_not_4d", "opset 1"},
		{"test_reduce_log_sum_exp_empty_set", "of nothing"}, {"test_reduce_max_empty_set_bool", "of nothing"},
		{"test_resize_downsample_scales_cubic_antialias", "antialias"}, {"test_resize_downsample_scales_linear_antialias", "antialias"},
		{"test_resize_downsample_sizes_cubic_antialias", "antialias"}, {"test_resize_downsample_sizes_linear_antialias", "antialias"},
		{"test_resize_tf_crop_and_resize", "a region of interest"},
		{"test_scatternd_", "a reduction"},
	} {
		if strings.HasPrefix(name, u[0]) {
			return u[1], true
		}
	}
	return "", false
}
