package onnx

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/onnxtest"
)

// Messages are written by hand, so that what a file may say wrongly can be said.

func msg(num protowire.Number, fields ...[]byte) []byte {
	var all []byte
	for _, f := range fields {
		all = append(all, f...)
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), all)
}

func str(num protowire.Number, s string) []byte { return msg(num, []byte(s)) }

func num(n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v)
}

// info is a ValueInfoProto of floats.
func info(field protowire.Number, name string, dims ...int) []byte {
	var shape [][]byte
	for _, d := range dims {
		shape = append(shape, msg(1, num(1, uint64(d))))
	}
	return msg(field, str(1, name), msg(2, msg(1, num(1, 1), msg(2, shape...))))
}

// operation is a NodeProto.
func operation(op string, inputs []string, output string, attributes ...[]byte) []byte {
	var f [][]byte
	for _, in := range inputs {
		f = append(f, str(1, in))
	}
	f = append(f, str(2, output), str(3, "my_"+op), str(4, op))
	return msg(1, append(f, attributes...)...)
}

// modelOf is a ModelProto of opset 18 around a graph.
func modelOf(graph ...[]byte) []byte {
	return append(append(num(1, 8), msg(7, graph...)...), msg(8, num(2, 18))...)
}

// classifier is a model of one convolution, pooling, and what is added.
func classifier(kernel []byte, extra ...[]byte) []byte {
	graph := append([][]byte{
		info(11, "image", 1, 3, 8, 8), info(12, "scores", 1, 2), kernel,
		operation("Conv", []string{"image", "kernel"}, "features"),
		operation("GlobalAveragePool", []string{"features"}, "pooled"),
	}, extra...)
	return modelOf(graph...)
}

// kernel is a TensorProto [2, 3, 1, 1] with fields in place of its values.
func kernel(fields ...[]byte) []byte {
	all := [][]byte{num(1, 2), num(1, 3), num(1, 1), num(1, 1), num(2, 1), str(8, "kernel")}
	return msg(5, append(all, fields...)...)
}

func kernelValues() []byte {
	var b []byte
	for i := range 6 {
		b = protowire.AppendFixed32(b, uint32(0x3f800000+i<<20)) // 1, 1.125, …
	}
	return msg(4, b)
}

var flattened = operation("Flatten", []string{"pooled"}, "scores")

func TestHandmadeModel(t *testing.T) {
	m, err := Decode(classifier(kernel(kernelValues()), flattened), "")
	if err != nil {
		t.Fatal(err)
	}
	if in := m.Inputs(); len(in) != 1 || in[0].String() != `"image", float [1, 3, 8, 8] NCHW` {
		t.Errorf("inputs %v", in)
	}
	layers, err := m.Layers(images.Size{}, "")
	if err != nil {
		t.Fatal(err)
	}
	want := Layer{Name: "features", Tensor: "features", Operator: "Conv", Shape: [3]int{8, 8, 2}, Tokens: -1, Depth: 1, Default: true, Why: layers[0].Why}
	if len(layers) != 1 || layers[0] != want {
		t.Errorf("layers %+v, want %+v", layers, want)
	}
	if _, err := m.Network(backendtest.Any(t), Options{}); err != nil {
		t.Error(err)
	}
}

func TestDecodeSaysWhatIsWrong(t *testing.T) {
	good := kernel(kernelValues())
	for _, row := range []struct {
		what string
		data []byte
		want string
	}{
		{"nothing", nil, "no graph, want one"},
		{"text", []byte("PK\x03\x04 not a model"), "not an ONNX model"},
		{"half a file", classifier(good, flattened)[:90], "not an ONNX model"},
		{"an old opset", append(append(num(1, 8), msg(7, info(12, "scores", 1, 2))...), msg(8, num(2, 5))...), "opset 5, want 7 to"},
		{"no such tensor", classifier(good, operation("Flatten", []string{"elsewhere"}, "scores")), `node "my_Flatten" (Flatten, opset 18): input "elsewhere": no such tensor`},
		{"a circle", classifier(good, operation("Add", []string{"pooled", "scores"}, "scores")), `depends on its own output "scores"`},
		{"two of a name", classifier(good, flattened, flattened), `two tensors of the name "scores"`},
		{"no output", classifier(good), `output "scores": no such tensor`},
		{"too few values", classifier(kernel(msg(4, protowire.AppendFixed32(nil, 0))), flattened), `tensor "kernel": 1 values, want 6 for shape [2 3 1 1]`},
		{"absurd dimensions", classifier(kernel(num(1, 1<<40)), flattened), "want at most 2147483648 values"},
		{"an unknown type", classifier(kernel(num(2, 17)), flattened), "elements of type number 17, want"},
	} {
		_, err := Decode(row.data, "")
		if err == nil || !strings.Contains(err.Error(), row.want) || !errors.Is(err, ErrModel) {
			t.Errorf("%s: error %v, want one of ErrModel with %q", row.what, err, row.want)
		}
	}
}

func TestUnsupportedOperatorIsNamed(t *testing.T) {
	for _, op := range []string{"NonMaxSuppression", "Loop"} {
		m, err := Decode(classifier(kernel(kernelValues()), operation(op, []string{"pooled"}, "found"), operation("Flatten", []string{"found"}, "scores")), "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.Network(backendtest.Any(t), Options{})
		if !errors.Is(err, ErrOperator) || !strings.Contains(err.Error(), `node "my_`+op+`" (`+op+`, opset 18): camlab does not know this operator`) || !strings.Contains(err.Error(), "opset_version=18") {
			t.Errorf("error %v, want one of ErrOperator that names %s, the node, the opset and what to do", err, op)
		}
	}
	// One that the scores do not need is no matter.
	m, err := Decode(classifier(kernel(kernelValues()), operation("Loop", []string{"pooled"}, "found"), flattened), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Network(backendtest.Any(t), Options{}); err != nil {
		t.Errorf("with an operator that the scores do not need: %v", err)
	}
}

// outside is a kernel in a file of its own.
func outside(entries ...string) []byte {
	fields := [][]byte{num(14, 1)}
	for i := 0; i < len(entries); i += 2 {
		fields = append(fields, msg(13, str(1, entries[i]), str(2, entries[i+1])))
	}
	return kernel(fields...)
}

func TestExternalDataStaysInTheFolder(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "model")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	values := make([]byte, 24)
	copy(values, []byte{0, 0, 0x80, 0x3f})
	for _, file := range []string{filepath.Join(top, "secret"), filepath.Join(dir, "w.bin"), filepath.Join(dir, "sub", "w.bin")} {
		if err := os.WriteFile(file, values, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(top, "secret"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		entries []string
		want    string // of the error; empty is none
	}{
		{[]string{"location", "w.bin"}, ""},
		{[]string{"location", "sub/w.bin", "offset", "0", "length", "24"}, ""},
		{[]string{"location", "../secret"}, "want the name of a file in the model's folder"},
		{[]string{"location", "../../etc/passwd"}, "want the name of a file in the model's folder"},
		{[]string{"location", filepath.Join(top, "secret")}, "want the name of a file in the model's folder"},
		{[]string{"location", "link"}, "escapes"},
		{[]string{"location", "sub"}, "not a file"},
		{[]string{"location", "none"}, "no such file"},
		{[]string{}, "want the name of a file"},
		{[]string{"location", "w.bin", "offset", "8"}, "4 values, want 6"},
		{[]string{"location", "w.bin", "offset", "8", "length", "24"}, "want what lies within its 24"},
		{[]string{"location", "w.bin", "offset", "-8"}, "want a number of bytes"},
		{[]string{"location", "w.bin", "length", "9223372036854775807"}, "want what lies within its 24"},
	} {
		path := filepath.Join(dir, "m.onnx")
		if err := os.WriteFile(path, classifier(outside(row.entries...), flattened), 0o644); err != nil {
			t.Fatal(err)
		}
		m, err := Open(path)
		switch {
		case row.want == "" && err != nil:
			t.Errorf("%v: %v", row.entries, err)
		case row.want == "":
			if got := m.graph.constants["kernel"].floats(); got[0] != 1 || got[1] != 0 {
				t.Errorf("%v: values %v", row.entries, got)
			}
		case err == nil || !strings.Contains(err.Error(), row.want) || !errors.Is(err, ErrModel):
			t.Errorf("%v: error %v, want one of ErrModel with %q", row.entries, err, row.want)
		}
	}
	if _, err := Decode(classifier(outside("location", "w.bin"), flattened), ""); err == nil {
		t.Error("a file of weights without a folder: no error, want one")
	}
}

// A model that crashes XLA under oneDNN's flags is not run under them.
func TestOneDNNIsRefused(t *testing.T) {
	m, err := Decode(classifier(kernel(kernelValues()), flattened), "")
	if err != nil {
		t.Fatal(err)
	}
	xla := backendtest.XLA(t)
	t.Setenv("XLA_FLAGS", "--xla_cpu_use_onednn=true --xla_cpu_enable_fast_math=false")
	if _, err := m.Network(xla, Options{}); err == nil || !strings.Contains(err.Error(), "loaded with --xla_cpu_use_onednn=true, under which") {
		t.Errorf("error %v, want one that names the flag", err)
	}
	if _, err := m.Network(backendtest.Go(t), Options{}); err != nil {
		t.Errorf("in pure Go: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(classifier(kernel(kernelValues()), flattened))
	f.Add(classifier(outside("location", "w.bin"), flattened))
	f.Add(classifier(kernel(kernelValues()), operation("Reshape", []string{"pooled", "kernel"}, "scores")))
	for i, name := range []string{"test_conv_with_strides_padding", "test_if", "test_resize_upsample_sizes_nearest", "test_einsum_transpose", "test_slice"} {
		if data, ok := onnxtest.Archive(f, "nodes.tar.gz")[name+"/model.onnx"]; ok {
			f.Add(data)
		} else {
			f.Fatalf("corpus %d: no %s", i, name)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data, t.TempDir())
		if err != nil {
			if !errors.Is(err, ErrModel) {
				t.Errorf("error %v, want one of ErrModel", err)
			}
			return
		}
		// Whatever it says, looking at it is an error or none, with images of a size that
		// keeps what is computed small.
		if _, err := m.Layers(images.Size{Height: 16, Width: 16, Channels: 3}, ""); err != nil && !errors.Is(err, ErrModel) && !errors.Is(err, ErrOperator) {
			t.Errorf("error %v, want one of ErrModel or ErrOperator", err)
		}
	})
}
