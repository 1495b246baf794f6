package export_test

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/layers/norm"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/onnx"
	"github.com/camlab-go/camlab/camlib/onnx/export"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/nn"
	"github.com/camlab-go/camlab/internal/onnxtest"
)

// filled gives the variables of a network random values; variances are positive.
func filled(t *testing.T, net *network.Network) *network.Network {
	t.Helper()
	if _, err := net.Summary(backendtest.Go(t), images.Size{}); err != nil { // makes the variables
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for v := range net.Store.IterVariables() {
		values := make([]float32, v.Shape().Size())
		for i := range values {
			if values[i] = float32(rng.NormFloat64() * 0.3); strings.HasSuffix(v.Path(), "variance") {
				values[i] = 0.2 + float32(rng.Float64())
			}
		}
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(values, v.Shape().Dimensions...)); err != nil {
			t.Fatal(err)
		}
	}
	return net
}

// pixels are images for a network, of which it has not been exported for as many.
func pixels(net *network.Network) images.Batch {
	x := images.NewBatch(3, net.Input.Size)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range x.Pixels {
		x.Pixels[i] = rng.Float32()
	}
	return x
}

// again is the network that package onnx makes of a network's file.
func again(t *testing.T, net *network.Network) *network.Network {
	t.Helper()
	data, err := export.Encode(net)
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Decode(data, "")
	if err != nil {
		t.Fatal(err)
	}
	im, err := m.Network(backendtest.Go(t), onnx.Options{Classes: net.Classes})
	if err != nil {
		t.Fatal(err)
	}
	if err := im.Alone(); err != nil {
		t.Errorf("%s %v", net.Name, err)
	}
	return im.Network
}

// operators are those of a network's file.
func operators(t *testing.T, net *network.Network) (kinds []string) {
	t.Helper()
	all, err := export.Operators(net)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// same holds a network to what its file says: scores, and maps at every layer that has
// places, of which the file has to have the name.
func same(t *testing.T, net *network.Network, methods ...cam.Method) {
	t.Helper()
	sameAt(t, net, net.LayerNames(), methods...)
}

func sameAt(t *testing.T, net *network.Network, layers []string, methods ...cam.Method) {
	t.Helper()
	back, x := again(t, net), pixels(net)
	explain := func(n *network.Network, layer string, m cam.Method) *cam.Result {
		t.Helper()
		at, err := n.At(layer)
		if err != nil {
			t.Fatalf("%s: %v", net.Name, err)
		}
		e, err := cam.New(backendtest.Go(t), at, cam.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := e.Explain(t.Context(), m, x, cam.Classes(0, 1, 1))
		if err != nil {
			t.Fatalf("%s at %s: %v", net.Name, layer, err)
		}
		return r
	}
	for _, l := range layers {
		for _, m := range methods {
			if m == (cam.CAM{}) && l != net.ExplainedLayer() {
				continue
			}
			want, got := explain(net, l, m), explain(back, l, m)
			backendtest.Near(t, net.Name+" at "+l+": scores", got.Scores, want.Scores, 1e-5)
			backendtest.Near(t, net.Name+" at "+l+": "+m.Spec().Name, got.Maps, want.Maps, 1e-5)
			if slices.Max(want.Maps) == slices.Min(want.Maps) {
				t.Errorf("%s at %s: a flat map, want one that says something", net.Name, l)
			}
		}
	}
}

func TestArticle(t *testing.T) {
	net, err := article.Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	net.Input.Height, net.Input.Width = 16, 12 // which takes less time
	same(t, net, cam.CAM{}, cam.GradCAM{})
	data, err := export.Encode(net)
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Decode(data, "")
	if err != nil {
		t.Fatal(err)
	}
	if in, out := m.Inputs()[0], m.Outputs()[0]; in.String() != `"image", float [any, 3, 16, 12] NCHW` || out.String() != `"scores", float [any, 10]` {
		t.Errorf("takes %s and gives %s", in, out)
	}
	want := "Conv Relu Conv Relu MaxPool Conv Relu Conv Relu Conv Relu ReduceMean Gemm"
	if got := strings.Join(operators(t, net), " "); got != want {
		t.Errorf("operators %s, want %s", got, want)
	}
}

func chain(name string, size images.Size, head func(scope *model.Scope, act *Node) *Node, build ...func(scope *model.Scope, x *Node) *Node) *network.Network {
	n := &network.Network{Name: name, Store: model.NewStore(), Head: head, Input: network.Input{Size: size}}
	for i, b := range build {
		n.Layers = append(n.Layers, network.Layer{Name: string(rune('a' + i)), Build: func(scope *model.Scope, x *Node) *Node {
			return b(scope.At("%s", string(rune('a'+i))), x)
		}})
	}
	return n
}

func dense(scope *model.Scope, act *Node) *Node {
	return layers.Dense(scope.At("head"), ReduceMean(act, 1, 2), true, 3)
}

func conv(scope *model.Scope, x *Node, channels int) *Node {
	return layers.Convolution(scope, x).Channels(channels).KernelSize(3).PadSame().Done()
}

// normalized is a network with batch normalization, as an operator or written out.
func normalized(fast bool) *network.Network {
	normal := func(scope *model.Scope, x *Node) *Node {
		return activation.Relu(norm.BatchNorm(scope, x, -1).UseBackendInference(fast).Done())
	}
	return chain("normalized", images.Size{Height: 8, Width: 12, Channels: 3}, dense,
		func(scope *model.Scope, x *Node) *Node {
			return layers.DropoutStatic(scope, normal(scope, conv(scope, x, 4)), 0.5)
		},
		func(scope *model.Scope, x *Node) *Node {
			return normal(scope, conv(scope, nn.MaxPool2x2(x), 5))
		})
}

// TestBatchNormalization is GoMLX's in both of its forms, with dropout and pools.
func TestBatchNormalization(t *testing.T) {
	net, operator := filled(t, normalized(false)), normalized(true)
	operator.Store = net.Store
	for _, n := range []*network.Network{net, operator} {
		want := "Conv BatchNormalization Relu MaxPool Conv BatchNormalization Relu ReduceMean Gemm"
		if got := strings.Join(operators(t, n), " "); got != want {
			t.Errorf("operators %s, want %s", got, want)
		}
	}
	same(t, net, cam.GradCAM{}, cam.HiResCAM{}, cam.CAM{})
	// Pure Go does not compute the operator; its file says what the other's does.
	backendtest.Near(t, "operator", scores(t, again(t, operator)), scores(t, net), 1e-5)
}

// branches is a residual network whose branch is a layer, with a squeeze and excitation,
// strides, groups and pools.
func branches() *network.Network {
	net := chain("branches", images.Size{Height: 8, Width: 12, Channels: 3}, nil,
		func(scope *model.Scope, x *Node) *Node {
			return activation.Relu(layers.Convolution(scope, x).Channels(6).KernelSize(3).Strides(2).PadSame().Done())
		})
	net.Layers = append(net.Layers, network.Layer{Name: "branch", BuildBeside: func(scope *model.Scope, x *Node, _ []*Node) (*Node, []*Node) {
		scope = scope.At("branch")
		y := Convolve(x, scope.VariableWithShape("grouped", shapes.Make(dtypes.Float32, 3, 3, 3, 6)).NodeValue(x)).Strides(1).ChannelGroupCount(2).PadSame().Done()
		gate := Sigmoid(layers.Dense(scope.At("gate"), ReduceMean(y, 1, 2), true, 6))
		return Mul(y, Reshape(gate, -1, 1, 1, 6)), []*Node{x}
	}})
	net.HeadBeside = func(scope *model.Scope, act *Node, beside []*Node) *Node {
		x := activation.Relu(Add(act, beside[0]))
		x = Concatenate([]*Node{nn.MaxPool2x2(x), Slice(x, AxisRange(), AxisRange(0, 4).Stride(2), AxisRange(0, 6).Stride(2))}, -1)
		x = Reshape(x, x.Shape().Dim(0), -1)
		return layers.Dense(scope.At("head"), activation.Swish(layers.Dense(scope.At("hidden"), x, true, 7)), true, 3)
	}
	return net
}

// TestLayersOfOnePattern is that a layer stands in the file by itself, even where it and the
// next would be one operator.
func TestLayersOfOnePattern(t *testing.T) {
	// What only an activation function comes after is no layer to package onnx.
	sameAt(t, filled(t, chain("apart", images.Size{Height: 4, Width: 8, Channels: 3}, dense,
		func(scope *model.Scope, x *Node) *Node {
			return Convolve(x, scope.VariableWithShape("w", shapes.Make(dtypes.Float32, 3, 3, 3, 4)).NodeValue(x)).Strides(1).PadSame().Done()
		},
		func(scope *model.Scope, x *Node) *Node {
			return nn.AddBias(x, scope.VariableWithShape("b", shapes.Make(dtypes.Float32, 4)).NodeValue(x))
		},
		func(_ *model.Scope, x *Node) *Node { return nn.ReLU(x) },
		func(_ *model.Scope, x *Node) *Node { return MulScalar(x, 1) },
		func(_ *model.Scope, x *Node) *Node { return Tanh(x) })), []string{"a", "c", "e"}, cam.HiResCAM{})
}

// TestNames is that layers may be named as the input, the output and what the head makes.
func TestNames(t *testing.T) {
	act := func(_ *model.Scope, x *Node) *Node { return Tanh(x) }
	net := filled(t, chain("names", images.Size{Height: 4, Width: 8, Channels: 3}, dense, act, act, act))
	for i, name := range []string{export.Scores, export.Image, "head.Gemm"} {
		net.Layers[i].Name = name
	}
	back := again(t, net)
	backendtest.Near(t, "scores", scores(t, back), scores(t, net), 1e-5)
	if got := strings.Join(back.LayerNames(), " "); got != "head.Gemm" {
		t.Errorf("layers %s, want the last", got)
	}
}

func TestBranches(t *testing.T) { same(t, filled(t, branches()), cam.GradCAM{}, cam.HiResCAM{}) }

// TestOperations is that an operation is the same after the file.
func TestOperations(t *testing.T) {
	for _, net := range operations() {
		t.Run(net.Name, func(t *testing.T) {
			want, got := scores(t, net), scores(t, again(t, net))
			backendtest.Near(t, net.Name, got, want, 1e-5)
			if slices.Max(want) == slices.Min(want) {
				t.Errorf("all scores are %v, want ones that say something", want[0])
			}
		})
	}
}

func scores(t *testing.T, net *network.Network) []float32 {
	t.Helper()
	return scoresOf(t, net, pixels(net))
}

func scoresOf(t *testing.T, net *network.Network, x images.Batch) []float32 {
	t.Helper()
	out, err := model.CallOnce(backendtest.Go(t), net.Store, net.Forward, tensors.FromFlatDataAndDimensions(x.Pixels, x.N, x.Height, x.Width, x.Channels))
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float32](out)
}

// imported are what package onnx reads of PyTorch's files.
func imported(t *testing.T) (all []*network.Network) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(onnxtest.Networks(t), "*.onnx"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no networks: %v", err)
	}
	for _, file := range files {
		m, err := onnx.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		net, err := m.Network(backendtest.Go(t), onnx.Options{})
		if err != nil {
			t.Fatal(err)
		}
		net.Name = strings.TrimSuffix(filepath.Base(file), ".onnx")
		all = append(all, net.Network)
	}
	return all
}

// TestImported writes PyTorch's networks once more, and reads them again.
func TestImported(t *testing.T) {
	for _, net := range imported(t) {
		backendtest.Near(t, net.Name, scores(t, again(t, net)), scores(t, net), 1e-5)
	}
}

func TestErrors(t *testing.T) {
	size := images.Size{Height: 4, Width: 2, Channels: 3}
	flat := func(_ *model.Scope, x *Node) *Node { return Reshape(x, x.Shape().Dim(0), -1) }
	layer := func(f func(x *Node) *Node) *network.Network {
		return chain("net", size, flat, func(_ *model.Scope, x *Node) *Node { return f(x) })
	}
	batched := layer(func(x *Node) *Node { return Sub(x, Slice(x, AxisElem(0))) })
	batched.Together = func() error { return errors.New("the first image is taken off all") }
	if _, err := export.Encode(batched); err != nil {
		t.Errorf("of a network that takes one image: %v", err)
	}
	empty := chain("net", size, dense)
	empty.Layers = []network.Layer{{Name: "c1", Build: func(scope *model.Scope, x *Node) *Node { return conv(scope.At("c1"), x, 2) }}}
	for want, net := range map[string]*network.Network{
		"export: network: none, want one": nil,
		`export: net: layer "c1": variable /c1/conv/biases has no value, want a loaded or trained network`:              empty,
		"export: net: trained on images of no particular size, want Input.Size set in a copy of the network":            chain("net", images.Size{}, flat, flat),
		`export: net: layer "a": operation FFT, which camlab does not write as ONNX`:                                    layer(func(x *Node) *Node { return Real(FFT(ConvertDType(x, dtypes.Complex64))) }),
		`export: net: layer "a": Slice of (Float32)[1, 4, 2, 3]: a part of the batch, want Together set in the network`: layer(func(x *Node) *Node { return Sub(x, Slice(x, AxisElem(0))) }),
		`export: net: layer "a": Reshape: shape (Float32)[25] for 5 images and (Float32)[49] for 7: want a network that does the same whatever the batch, or its Together set`: layer(func(x *Node) *Node {
			return Add(x, ReduceAllMean(Exp(Reshape(Einsum("nhwc,mhwc->nm", x, x), -1))))
		}),
		`export: net: layer "a": Iota of (Float32)[5]: depends on the batch, want Together set in the network`: layer(func(x *Node) *Node {
			return Add(x, Reshape(Iota(x.Graph(), shapes.Make(dtypes.Float32, x.Shape().Dim(0)), 0), -1, 1, 1, 1))
		}),
		`export: net: layer "a": ConvGeneral`: layer(func(x *Node) *Node {
			return Gradient(ReduceAllSum(Convolve(x, Ones(x.Graph(), shapes.Make(dtypes.Float32, 2, 2, 3, 3))).Strides(2).NoPadding().Done()), x)[0]
		}),
		`export: net: scores shaped (Float32)[5, 4, 2, 3] for 5 images, want [5, classes]`: chain("net", size, func(_ *model.Scope, x *Node) *Node { return x }, func(_ *model.Scope, x *Node) *Node { return Neg(x) }),
	} {
		_, err := export.Encode(net)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	_, err := export.Encode(layer(func(x *Node) *Node { return Real(FFT(ConvertDType(x, dtypes.Complex64))) }))
	if !errors.Is(err, compute.ErrNotImplemented) {
		t.Errorf("error %v, want one that is ErrNotImplemented", err)
	}
}
