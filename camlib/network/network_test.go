package network_test

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/nlpodyssey/safetensors"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// chain is a network whose layers add 1, double, and add 10, and whose head is the sum of
// an image's values times w, [3, 2], of each class.
func chain() *network.Network {
	store := model.NewStore()
	store.VariableWithValue("head/w", [][]float32{{1, 2}, {3, 4}, {5, 6}})
	store.VariableWithValue("head/b", []float32{7, 8})
	layer := func(name string, f func(x *Node) *Node) network.Layer {
		return network.Layer{Name: name, Build: func(_ *model.Scope, x *Node) *Node { return f(x) }}
	}
	return &network.Network{
		Name: "chain", Store: store, Classes: []string{"cat", "dog"},
		Input: network.Input{Size: images.Size{Height: 1, Width: 2, Channels: 3}, Text: "nothing"},
		Layers: []network.Layer{
			layer("one", func(x *Node) *Node { return AddScalar(x, 1) }),
			layer("two", func(x *Node) *Node { return MulScalar(x, 2) }),
			layer("ten", func(x *Node) *Node { return AddScalar(x, 10) }),
		},
		Head: func(scope *model.Scope, act *Node) *Node {
			head := scope.At("head")
			w, b := head.GetVariable("w").NodeValue(act.Graph()), head.GetVariable("b").NodeValue(act.Graph())
			y := MatMul(ReduceSum(act, 1, 2), w)
			return Add(y, BroadcastToDims(InsertAxes(b, 0), y.Shape().Dimensions...))
		},
		Tensors: []network.Tensor{{Name: "fc.weight", Variable: "head/w", Axes: []int{1, 0}}, {Name: "fc.bias", Variable: "head/b"}},
	}
}

// TestAt is that features and the rest of a network split at any layer are the network.
func TestAt(t *testing.T) {
	x := [][][][]float32{{{{1, 0, 0}, {0, 0, 2}}}}
	for layer, want := range map[string]float32{"one": 2, "two": 4, "ten": 14} { // of the first value
		n, err := chain().At(layer)
		if err != nil {
			t.Fatal(err)
		}
		if n.ExplainedLayer() != layer {
			t.Errorf("explained %q, want %q", n.ExplainedLayer(), layer)
		}
		out, err := model.CallOnceN(backendtest.Go(t), n.Store, func(scope *model.Scope, x *Node) (act, split, whole *Node) {
			act, beside := n.Features(scope, x)
			return act, n.Scores(scope, act, beside), n.Forward(scope, x)
		}, x)
		if err != nil {
			t.Fatal(err)
		}
		act, split, whole := tensors.MustCopyFlatData[float32](out[0]), tensors.MustCopyFlatData[float32](out[1]), tensors.MustCopyFlatData[float32](out[2])
		// Activations after all layers sum to 26, 24 and 28 along the channels.
		if scores := []float32{26 + 3*24 + 5*28 + 7, 2*26 + 4*24 + 6*28 + 8}; act[0] != want || !slices.Equal(split, scores) || !slices.Equal(whole, scores) {
			t.Errorf("at %s: activation %v, scores %v and %v, want %v and %v", layer, act[0], split, whole, want, scores)
		}
	}
	n := chain()
	if n.ExplainedLayer() != "ten" {
		t.Errorf("explained %q by itself, want the last layer", n.ExplainedLayer())
	}
	if _, err := n.At("three"); !errors.Is(err, network.ErrLayer) || err.Error() != `network: layer "three", want one of one, two, ten` {
		t.Errorf("layer that there is not: error %v", err)
	}
}

func TestCheck(t *testing.T) {
	if err := chain().Check(); err != nil {
		t.Errorf("a whole network: %v", err)
	}
	change := func(f func(n *network.Network)) *network.Network {
		n := chain()
		f(n)
		return n
	}
	for _, c := range []struct {
		n    *network.Network
		want string
	}{
		{nil, "network: none, want one"},
		{change(func(n *network.Network) { n.Store = nil }), "network: chain: no store"},
		{change(func(n *network.Network) { n.Layers = nil }), "network: chain: no layers"},
		{change(func(n *network.Network) { n.Head = nil }), "network: chain: no head"},
		{change(func(n *network.Network) {
			n.HeadBeside = func(_ *model.Scope, act *Node, _ []*Node) *Node { return act }
		}), "network: chain: Head and HeadBeside, want one of them"},
		{change(func(n *network.Network) {
			n.Layers[1].BuildBeside = func(_ *model.Scope, x *Node, _ []*Node) (*Node, []*Node) { return x, nil }
		}), `network: chain: layer "two": Build and BuildBeside, want one of them`},
		{change(func(n *network.Network) {
			n.Attention.Build = func(*model.Scope, *Node) (*Node, []*Node) { return nil, nil }
		}), "network: chain: attention without the grid of its tokens, want its height and width, and how many stand beside it"},
		{change(func(n *network.Network) { n.Layers[1].Build = nil }), "network: chain: layer 1: no name or no function Build"},
		{change(func(n *network.Network) { n.Layers[2].Name = "one" }), `network: chain: two layers of the name "one"`},
		{change(func(n *network.Network) {
			n.Store.RootScope().VariableWithShape("later", shapes.Make(dtypes.Float32, 3))
		}), "network: chain: /later has no value, want a loaded or trained network"},
	} {
		if err := c.n.Check(); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// TestFiles is that weights are laid out in a file as Tensors says, and come back.
func TestFiles(t *testing.T) {
	n, path := chain(), filepath.Join(t.TempDir(), "model.safetensors")
	if err := n.Save(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// fc.weight is [2, 3], the transpose: 1 3 5, 2 4 6.
	if !strings.Contains(string(data), "\x00\x00\x80\x3f\x00\x00\x40\x40\x00\x00\xa0\x40\x00\x00\x00\x40") {
		t.Error("weights not in the file's order")
	}
	m := chain()
	for v := range m.Store.IterVariables() {
		if err := v.SetValue(tensors.FromShape(v.Shape())); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Load(filepath.Dir(path)); err != nil { // the folder's ModelFile
		t.Fatal(err)
	}
	w, err := m.Values("head/w")
	if err != nil || !slices.Equal(w, []float32{1, 2, 3, 4, 5, 6}) {
		t.Errorf("weights %v (%v), want those that were saved", w, err)
	}
	again, err := m.Encode()
	if err != nil || !slices.Equal(again, data) {
		t.Errorf("encoded again they differ (%v)", err)
	}
}

// TestForeignFiles is that weights come from files of other types of floats, with the names
// that PyTorch's wrappers make, and that the value or name that does not fit is said.
func TestForeignFiles(t *testing.T) {
	bf16 := func(v float32) []byte { return binary.LittleEndian.AppendUint16(nil, uint16(math.Float32bits(v)>>16)) }
	f16 := func(v float32) []byte { return binary.LittleEndian.AppendUint16(nil, uint16(float16.FromFloat32(v))) }
	f32 := func(v float32) []byte { return binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)) }
	f64 := func(v float32) []byte {
		return binary.LittleEndian.AppendUint64(nil, math.Float64bits(float64(v)*max(1, float64(v)/1e38))) // 2e38 becomes 4e38
	}
	i32 := func(v float32) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }
	for _, c := range []struct {
		prefix string
		dtype  safetensors.DType
		bytes  func(float32) []byte
		bias   float32
		want   string // the error
	}{
		{"", safetensors.F16, f16, 8, ""},
		{"module.", safetensors.BF16, bf16, 8, ""},
		{"_orig_mod.", safetensors.F64, f64, 8, ""},
		{"_orig_mod.module.", safetensors.F32, f32, 8, ""},
		{"module._orig_mod.", safetensors.F16, f16, 8, ""},
		{"", safetensors.F16, f16, float32(math.Inf(1)), `tensor "fc.bias": value 1 is +Inf, want finite numbers`},
		{"module.", safetensors.F64, f64, 2e38, `tensor "module.fc.bias": value 1 is 3.99`},
		{"", safetensors.I32, i32, 8, `another architecture: tensor "fc.weight": type I32, want F16, BF16, F32 or F64`},
		{"model.", safetensors.F32, f32, 8, `another architecture: tensor "model.fc.bias", want only those of chain: fc.weight, fc.bias`},
	} {
		view := func(shape []uint64, values ...float32) safetensors.TensorView {
			var data []byte
			for _, v := range values {
				data = append(data, c.bytes(v)...)
			}
			tensor, err := safetensors.NewTensorView(c.dtype, shape, data)
			if err != nil {
				t.Fatal(err)
			}
			return tensor
		}
		data, err := safetensors.Serialize(map[string]safetensors.TensorView{
			c.prefix + "fc.weight": view([]uint64{2, 3}, 0.5, 3, 5, 2, 4, 6), c.prefix + "fc.bias": view([]uint64{2}, 7, c.bias),
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		n := chain()
		err = n.Decode(data)
		if c.want != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.HasPrefix(c.want, "another") != errors.Is(err, network.ErrArchitecture) {
				t.Errorf("%s%s: error %v, want %s", c.prefix, c.dtype, err, c.want)
			}
		}
		w, _ := n.Values("head/w")
		b, err := n.Values("head/b")
		first := map[bool]float32{true: 0.5, false: 1}[c.want == ""]
		if err != nil || !slices.Equal(w, []float32{first, 2, 3, 4, 5, 6}) || !slices.Equal(b, []float32{7, 8}) {
			t.Errorf("%s%s: weights %v, %v (%v)", c.prefix, c.dtype, w, b, err)
		}
	}
	// A network whose own names begin so keeps them.
	own := chain()
	own.Tensors[0].Name, own.Tensors[1].Name = "module.w", "module.b"
	data, err := own.Encode()
	if err == nil {
		err = own.Decode(data)
	}
	if err != nil {
		t.Error(err)
	}
}

// TestHalfFiles is that a file of 16-bit weights is read as their nearest values, and that
// weights beyond the type's range are said.
func TestHalfFiles(t *testing.T) {
	for dtype, want := range map[dtypes.DType]struct {
		bias float32 // of 70001
		err  string
	}{
		dtypes.Float32:  {70001, ""},
		dtypes.BFloat16: {70144, ""}, // 8 bits: multiples of 512
		dtypes.Float16:  {0, `network: encode: tensor "fc.bias": value 1 is 70001, beyond the range of Float16: want a wider type`},
	} {
		n := chain()
		if err := n.Store.GetVariable("/head/b").SetValue(tensors.FromValue([]float32{7, 70001})); err != nil {
			t.Fatal(err)
		}
		data, err := n.EncodeAs(dtype)
		if want.err != "" {
			if err == nil || err.Error() != want.err {
				t.Errorf("error %v, want %s", err, want.err)
			}
			continue
		}
		m := chain()
		if err == nil {
			err = m.Decode(data)
		}
		w, _ := m.Values("head/w")
		b, _ := m.Values("head/b")
		if err != nil || !slices.Equal(w, []float32{1, 2, 3, 4, 5, 6}) || !slices.Equal(b, []float32{7, want.bias}) {
			t.Errorf("%s: weights %v, %v (%v)", dtype, w, b, err)
		}
	}
}

func TestFileErrors(t *testing.T) {
	data, err := chain().Encode()
	if err != nil {
		t.Fatal(err)
	}
	renamed, wide, more := chain(), chain(), chain()
	renamed.Tensors[0].Name = "fc.w"
	wide.Store.VariableWithValue("wide", make([]float32, 9))
	wide.Tensors[1].Variable = "wide"
	more.Tensors = append(more.Tensors, network.Tensor{Name: "more", Variable: "head/b"})
	for _, c := range []struct {
		n    *network.Network
		data []byte
		want string
	}{
		{chain(), data[:20], "not a safetensors file: "},
		{renamed, data, `another architecture: tensor "fc.weight", want only those of chain: fc.w, fc.bias`},
		{more, data, `another architecture: no tensor "more", want those of chain`},
		{wide, data, `another architecture: tensor "fc.bias": shape [2], want [9]`},
	} {
		if err := c.n.Decode(c.data); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	broken := chain()
	if err := broken.Store.GetVariable("/head/b").SetValue(tensors.FromValue([]float32{0, float32(math.NaN())})); err != nil {
		t.Fatal(err)
	}
	if _, err := broken.Encode(); err == nil || err.Error() != `network: encode: tensor "fc.bias": value 1 is NaN, want finite numbers` {
		t.Errorf("NaN: error %v", err)
	}
	if err := chain().Load(t.TempDir()); !errors.Is(err, os.ErrNotExist) || !strings.HasSuffix(err.Error(), "want a checkpoint folder or a .safetensors file") {
		t.Errorf("no file: error %v", err)
	}
}

// TestClone is that a clone's weights are its own.
func TestClone(t *testing.T) {
	n := chain()
	c, err := n.Clone()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Store.GetVariable("/head/b").SetValue(tensors.FromValue([]float32{0, 0})); err != nil {
		t.Fatal(err)
	}
	if b, err := n.Values("head/b"); err != nil || !slices.Equal(b, []float32{7, 8}) {
		t.Errorf("biases %v (%v) after the clone's were set, want those of before", b, err)
	}
}

func TestSummary(t *testing.T) {
	n := chain()
	n.Layers[1].Text = "doubles"
	got, err := n.Summary(backendtest.Go(t), images.Size{})
	want := "" +
		"layer   what      output    parameters\n" +
		"one               [1 2 3]   0\n" +
		"two     doubles   [1 2 3]   0\n" +
		"ten               [1 2 3]   0\n" +
		"head              [2]       8\n" +
		"all                         8\n"
	if err != nil || got != want {
		t.Errorf("(%v)\n%s\nwant\n%s", err, got, want)
	}
	n.Input = network.Input{}
	if _, err := n.Summary(backendtest.Go(t), images.Size{}); err == nil || !strings.Contains(err.Error(), "want a size") {
		t.Errorf("no size: error %v", err)
	}
}

func TestString(t *testing.T) {
	n := chain()
	if got, want := n.String(), "chain, 8 weights, 2 classes: cat, dog"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if n.Class(1) != "dog" || n.Class(2) != "2" {
		t.Errorf("classes %q and %q, want dog and 2", n.Class(1), n.Class(2))
	}
	if got := (*network.Network)(nil).String(); got != "no network" {
		t.Errorf("%q of no network", got)
	}
}
