package onnx

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/exec"
)

// intsAttribute is an AttributeProto of integers.
func intsAttribute(name string, values ...int) []byte {
	fields := [][]byte{str(1, name), num(20, 7)}
	for _, v := range values {
		fields = append(fields, num(8, uint64(v)))
	}
	return msg(5, fields...)
}

func intAttribute(name string, v int) []byte {
	return msg(5, str(1, name), num(3, uint64(v)), num(20, 2))
}

// integers is an initializer of integers.
func integers(name string, values ...int) []byte {
	fields := [][]byte{num(1, uint64(len(values))), num(2, 7), str(8, name)}
	for _, v := range values {
		fields = append(fields, num(7, uint64(v)))
	}
	return msg(5, fields...)
}

func pictures(n int) images.Batch {
	x := images.NewBatch(n, images.Size{Height: 8, Width: 8, Channels: 3})
	for i := range x.Pixels {
		x.Pixels[i] = float32(i*7%13) / 13 * float32(1+i/x.Size().Values()) / float32(n)
	}
	return x
}

func scoresOf(tb testing.TB, b compute.Backend, net *network.Network, x images.Batch) []float32 {
	tb.Helper()
	g, err := exec.New(b, net.Store, func(scope *model.Scope, in []*Node) exec.Outputs {
		return exec.Outputs{"scores": net.Forward(scope, in[0])}
	})
	if err != nil {
		tb.Fatal(err)
	}
	defer g.Finalize()
	out, err := g.Call(tensors.FromFlatDataAndDimensions(x.Pixels, x.N, x.Height, x.Width, x.Channels))
	if err != nil {
		tb.Fatal(err)
	}
	var s []float32
	if err := out.Read(map[string]any{"scores": &s}); err != nil {
		tb.Fatal(err)
	}
	return s
}

// expected are the scores of [classifier]: Σ_c w_kc mean x_c, w_kc being 1 + (3k + c)/8.
func expected(x images.Batch) (all []float32) {
	size := x.Size().Values()
	for i := range x.N {
		var mean [3]float64
		for k, v := range x.Pixels[i*size : (i+1)*size] {
			mean[k%3] += float64(v) / 64
		}
		for k := range 2 {
			s := 0.0
			for c := range 3 {
				s += (1 + float64(3*k+c)/8) * mean[c]
			}
			all = append(all, float32(s))
		}
	}
	return all
}

func TestBatchIsFreedOrNot(t *testing.T) {
	b := backendtest.Go(t)
	for _, row := range []struct {
		what  string
		graph [][]byte
		alone bool
		why   string
	}{
		{"flattened", [][]byte{flattened}, false, ""},
		{"one row in the file", [][]byte{integers("shape", 1, 2), operation("Reshape", []string{"pooled", "shape"}, "scores")}, false, ""},
		{"one row and the rest", [][]byte{integers("shape", 1, -1), operation("Reshape", []string{"pooled", "shape"}, "scores")}, false, ""},
		{"the batch taken off", [][]byte{
			integers("zero", 0), integers("shape", 2),
			operation("Squeeze", []string{"pooled", "zero"}, "off"), operation("Reshape", []string{"off", "shape"}, "flat"), operation("Unsqueeze", []string{"flat", "zero"}, "scores"),
		}, true, "want one of 1"},
		{"the images mixed", [][]byte{ // for one image twice its scores less themselves
			operation("Flatten", []string{"pooled"}, "flat"), integers("zero", 0), operation("ReduceMean", []string{"flat", "zero"}, "mean"),
			operation("Add", []string{"flat", "flat"}, "twice"), operation("Sub", []string{"twice", "mean"}, "scores"),
		}, true, "differ from those of each"},
		{"read with other strides", [][]byte{ // as PyTorch's exporter writes as_strided
			integers("rest", -1), integers("places", 0, 1), integers("square", 1, 2),
			operation("Reshape", []string{"pooled", "rest"}, "line"), operation("Reshape", []string{"places", "square"}, "strides"),
			operation("Gather", []string{"line", "strides"}, "scores"),
		}, false, ""},
		{"resized to the file's batch", [][]byte{
			integers("sizes", 1, 2, 2, 3), operation("Resize", []string{"pooled", "", "", "sizes"}, "large"), operation("GlobalAveragePool", []string{"large"}, "small"),
			operation("Flatten", []string{"small"}, "scores"),
		}, false, ""},
	} {
		m, err := Decode(classifier(kernel(kernelValues()), row.graph...), "")
		if err != nil {
			t.Fatal(err)
		}
		im, err := m.Network(b, Options{})
		if err != nil {
			t.Errorf("%s: %v", row.what, err)
			continue
		}
		x := pictures(3)
		backendtest.Near(t, row.what+", one image", scoresOf(t, b, im.Network, x.Part(1, 2)), expected(x.Part(1, 2)), 1e-5) // before it is tried
		if err := im.Alone(); (err != nil) != row.alone || err != nil && !strings.Contains(err.Error(), row.why) {
			t.Errorf("%s: %v; want one at a time %v, %q", row.what, err, row.alone, row.why)
		}
		backendtest.Near(t, row.what, scoresOf(t, b, im.Network, x), expected(x), 1e-5)
	}
}

func TestPreprocessing(t *testing.T) {
	b := backendtest.Go(t)
	m, err := Decode(classifier(kernel(kernelValues()), flattened), "")
	if err != nil {
		t.Fatal(err)
	}
	im, err := m.Network(b, Options{Mean: []float32{10, 20, 30}, Std: []float32{2, 4, 8}, Scale: 255, BGR: true, Classes: []string{"ant", "bee"}})
	if err != nil {
		t.Fatal(err)
	}
	x := pictures(2)
	changed := images.NewBatch(2, x.Size())
	for i, v := range x.Pixels {
		c := 2 - i%3 // blue first
		changed.Pixels[i-i%3+c] = (v*255 - []float32{10, 20, 30}[c]) / []float32{2, 4, 8}[c]
	}
	backendtest.Near(t, "scores", scoresOf(t, b, im.Network, x), expected(changed), 1e-5)
	if im.Class(1) != "bee" {
		t.Errorf("class %q, want bee", im.Class(1))
	}
	for want, o := range map[string]Options{
		"3 names of classes, want 2":                             {Classes: []string{"a", "b", "c"}},
		"mean of 2 values, want one for each of 3 channels":      {Mean: []float32{1, 2}},
		"no deviation of 0":                                      {Std: []float32{1, 0, 1}},
		"raw and a mean":                                         {Raw: true, Scale: 255},
		"height of 9, want the 8 that the file has fixed":        {Size: images.Size{Height: 9, Width: 8, Channels: 3}},
		`output "logits", want one of scores`:                    {Output: "logits"},
		`layer "conv", want a number from 0 to 0 or one of feat`: {Layer: "conv"},
	} {
		if _, err := m.Network(b, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", o, err, want)
		}
	}
	if _, err := m.Network(b, Options{Layer: "conv"}); !errors.Is(err, network.ErrLayer) {
		t.Errorf("error %v, want network.ErrLayer", err)
	}
	if _, err := m.Network(nil, Options{}); err == nil || !strings.Contains(err.Error(), "no backend") {
		t.Errorf("error %v, want no backend", err)
	}
}

// Heads: the scores are what goes into the last activation function; one score is a class;
// of several heads one is chosen.
func TestHeads(t *testing.T) {
	b := backendtest.Go(t)
	graph := func(outputs ...string) []byte {
		g := [][]byte{info(11, "image", 0, 3, 8, 8), kernel(kernelValues())}
		for _, o := range outputs {
			g = append(g, info(12, o))
		}
		return modelOf(append(g,
			operation("Conv", []string{"image", "kernel"}, "features"), operation("GlobalAveragePool", []string{"features"}, "pooled"), flattened,
			operation("Softmax", []string{"scores"}, "chances"), operation("Sigmoid", []string{"scores"}, "labels"),
			integers("one", 1), operation("ReduceSum", []string{"scores", "one"}, "kept"), operation("Flatten", []string{"kept"}, "age"), operation("ReduceSum", []string{"scores", "one"}, "number", intAttribute("keepdims", 0)),
		)...)
	}
	x := pictures(2)
	want := expected(x)
	sum := []float32{want[0] + want[1], want[2] + want[3]}
	for _, row := range []struct {
		outputs []string
		choose  string
		want    []float32
		note    string
	}{
		{[]string{"chances"}, "", want, `ends in Softmax: the scores are what goes into it, "scores"`},
		{[]string{"labels"}, "", want, "ends in Sigmoid"},
		{[]string{"age", "chances"}, "", sum, `has the outputs age, chances: the scores are of "age"`},
		{[]string{"age", "chances"}, "chances", want, "has the outputs"},
		{[]string{"number"}, "", sum, "one score"},
		{[]string{"pooled"}, "", want, ""},
	} {
		m, err := Decode(graph(row.outputs...), "")
		if err != nil {
			t.Fatal(err)
		}
		im, err := m.Network(b, Options{Output: row.choose})
		if err != nil {
			t.Errorf("%v: %v", row.outputs, err)
			continue
		}
		if notes := strings.Join(im.Notes, "; "); !strings.Contains(notes, row.note) || im.Alone() != nil {
			t.Errorf("%v: notes %q, want %q", row.outputs, notes, row.note)
		}
		backendtest.Near(t, strings.Join(row.outputs, ","), scoresOf(t, b, im.Network, x), row.want, 1e-5)
	}
	m, err := Decode(graph("features"), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Network(b, Options{}); err == nil || !strings.Contains(err.Error(), `output "features" of shape [1 2 8 8], want scores of classes`) {
		t.Errorf("an output of places: error %v", err)
	}
}

// An NHWC file, whose transposes move nothing, and weights of 16 bits.
func TestChannelsLastAndHalfWeights(t *testing.T) {
	var half []byte
	for i := range 6 { // 1 + i/8: exponent 15, i·128 in ten bits of fraction
		half = append(half, byte(i<<7), byte(15<<2|i>>1))
	}
	m, err := Decode(modelOf(
		info(11, "image", 0, 0, 0, 3), info(12, "scores"),
		msg(5, num(1, 2), num(1, 3), num(1, 1), num(1, 1), num(2, 10), str(8, "kernel"), msg(9, half)),
		operation("Transpose", []string{"image"}, "first", intsAttribute("perm", 0, 3, 1, 2)),
		operation("Conv", []string{"first", "kernel"}, "features"),
		operation("Transpose", []string{"features"}, "back", intsAttribute("perm", 0, 2, 3, 1)),
		integers("places", 1, 2), operation("ReduceMean", []string{"back", "places"}, "scores", intAttribute("keepdims", 0)),
	), "")
	if err != nil {
		t.Fatal(err)
	}
	if in := m.Inputs()[0]; in.Layout != "NHWC" {
		t.Errorf("layout %q", in.Layout)
	}
	b := backendtest.Go(t)
	im, err := m.Network(b, Options{Size: images.Size{Height: 8, Width: 8}})
	if err != nil {
		t.Fatal(err)
	}
	x := pictures(2)
	backendtest.Near(t, "scores", scoresOf(t, b, im.Network, x), expected(x), 1e-5)
	if w, err := im.Values("kernel"); err != nil || math.Abs(float64(w[0]-1)) > 0 || len(w) != 6 {
		t.Errorf("kernel %v: %v", w, err)
	}
	if im.Layer.Shape != [3]int{8, 8, 2} {
		t.Errorf("layer %+v", im.Layer)
	}
}

// Weights that the graph fills with one number are weights as others.
func TestFilledWeights(t *testing.T) {
	value := func(v float32) []byte {
		return msg(5, str(1, "value"), msg(5, num(1, 1), num(2, 1), msg(9, binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))), num(20, 4))
	}
	m, err := Decode(modelOf(
		info(11, "image", 0, 3, 8, 8), info(12, "scores"),
		integers("shape1", 1024, 3, 1, 1), operation("ConstantOfShape", []string{"shape1"}, "kernel1", value(0.25)),
		integers("shape2", 1000, 1024, 1, 1), operation("ConstantOfShape", []string{"shape2"}, "kernel2", value(0.5)),
		operation("Conv", []string{"image", "kernel1"}, "features"), operation("GlobalAveragePool", []string{"features"}, "pooled"),
		operation("Conv", []string{"pooled", "kernel2"}, "rows"), operation("Flatten", []string{"rows"}, "scores"),
	), "")
	if err != nil {
		t.Fatal(err)
	}
	b := backendtest.Any(t)
	im, err := m.Network(b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	x := pictures(5)
	var want []float32
	for i := range x.N {
		sum := 0.0
		for _, v := range x.Pixels[i*x.Size().Values() : (i+1)*x.Size().Values()] {
			sum += float64(v) / 64
		}
		want = append(want, slices.Repeat([]float32{float32(sum * 0.25 * 1024 * 0.5)}, 1000)...)
	}
	backendtest.Near(t, "scores", scoresOf(t, b, im.Network, x), want, 1e-4)
	if w, err := im.Values("kernel1"); err != nil || len(w) != 3*1024 || slices.Min(w) != 0.25 || slices.Max(w) != 0.25 {
		t.Errorf("kernel1: %d values: %v", len(w), err)
	}
}

// Two convolutions may have one kernel.
func TestSharedKernel(t *testing.T) {
	m, err := Decode(modelOf(
		info(11, "image", 1, 3, 8, 8), info(12, "scores"), kernel(kernelValues()),
		operation("Conv", []string{"image", "kernel"}, "left"), operation("Neg", []string{"image"}, "negative"), operation("Conv", []string{"negative", "kernel"}, "right"),
		operation("Sub", []string{"left", "right"}, "features"), operation("GlobalAveragePool", []string{"features"}, "pooled"), flattened,
	), "")
	if err != nil {
		t.Fatal(err)
	}
	if layers, err := m.Layers(images.Size{}, ""); err != nil || len(layers) == 0 {
		t.Errorf("%d layers: %v", len(layers), err)
	}
	b := backendtest.Go(t)
	im, err := m.Network(b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	x := pictures(3)
	want := expected(x)
	for i := range want {
		want[i] *= 2
	}
	backendtest.Near(t, "scores", scoresOf(t, b, im.Network, x), want, 1e-5)
	if err := im.Alone(); err != nil {
		t.Error(err)
	}
}

// Tokens of which every other one in each direction goes on, as in LeViT, lie in a smaller
// grid, which the reshapes around that tell.
func TestGridsOfFewerTokens(t *testing.T) {
	m, err := Decode(classifier(kernel(kernelValues()),
		integers("line", 1, 2, 64), operation("Reshape", []string{"features", "line"}, "rows"), operation("Transpose", []string{"rows"}, "tokens", intsAttribute("perm", 0, 2, 1)),
		integers("grid", 1, 8, 8, 2), operation("Reshape", []string{"tokens", "grid"}, "laid"),
		integers("zero", 0, 0), integers("end", 8, 8), integers("axes", 1, 2), integers("two", 2, 2), operation("Slice", []string{"laid", "zero", "end", "axes", "two"}, "some"),
		integers("few", 1, 16, 2), operation("Reshape", []string{"some", "few"}, "fewer"), operation("Mul", []string{"fewer", "fewer"}, "squares"),
		integers("places", 1), operation("ReduceMean", []string{"squares", "places"}, "scores", intAttribute("keepdims", 0)),
	), "")
	if err != nil {
		t.Fatal(err)
	}
	im, err := m.Network(backendtest.Go(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := [3]int{4, 4, 2}; im.Layer.Tensor != "squares" || im.Layer.Shape != want || im.Layer.Tokens != 0 || im.Alone() != nil {
		t.Errorf("default layer %+v, want squares of shape %v; %v", im.Layer, want, im.Alone())
	}
}
