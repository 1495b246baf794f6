package onnx

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/onnxtest"
)

// of is an operation in modules, as PyTorch's exporter writes them down: "block: my.Block",
// "block.act: torch.nn.modules.activation.ReLU".
func of(modules []string, op string, inputs []string, output string) []byte {
	namespace := strings.Join(append(append([]string{": my.Net"}, modules...), output+": aten"), "/")
	return operation(op, inputs, output, msg(9, str(1, "namespace"), str(2, namespace)))
}

// The name of a module is what the module gives, not the first of what it computes.
func TestLayerIsWhatAModuleGives(t *testing.T) {
	block, layer := []string{"block: my.Block"}, []string{"layer: torch.nn.modules.transformer.TransformerEncoderLayer"}
	in := func(outer []string, inner string) []string { return append(append([]string{}, outer...), inner) }
	linear, relu := in(layer, "layer.linear: torch.nn.modules.linear.Linear"), in(block, "block.relu: torch.nn.modules.activation.ReLU")
	written, err := Decode(modelOf(
		info(11, "image", 1, 3, 8, 8), info(12, "scores", 1, 2), kernel(kernelValues()),
		of(block, "Conv", []string{"image", "kernel"}, "conv"),
		of(relu, "Relu", []string{"conv"}, "first"), of(block, "Add", []string{"first", "conv"}, "sum"), of(relu, "Relu", []string{"sum"}, "second"), // one module twice
		of(linear, "Mul", []string{"second", "second"}, "product"), operation("Neg", []string{"product"}, "negative"), of(linear, "Add", []string{"product", "negative"}, "linear"),
		of(layer, "Add", []string{"linear", "product"}, "residual"), of(in(layer, "layer.norm: torch.nn.modules.normalization.LayerNorm"), "Mul", []string{"residual", "residual"}, "norm"),
		of([]string{"tail: torch.nn.modules.activation.GELU"}, "Mul", []string{"norm", "norm"}, "squares"), of([]string{"tail: torch.nn.modules.activation.GELU"}, "Add", []string{"squares", "norm"}, "tail out"),
		of(nil, "Relu", []string{"tail out"}, "features"), of([]string{"pool: torch.nn.modules.pooling.AvgPool2d"}, "GlobalAveragePool", []string{"features"}, "pooled"), flattened,
	), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		model *Model
		names map[string]string // their tensors, or after ": " how the error begins
	}{
		{written, map[string]string{
			"block.relu": "first", "block.relu_1": "second", "block": "second",
			"layer.linear.Mul": "product", "layer.linear": "linear", "layer.Add": "residual", "layer.norm": "norm", "layer": "norm",
			"tail.Mul": "squares", "features": "features", "1": "first",
			"tail": `: onnx: layer "tail" gives a tensor that has one place, or that only an activation function`, "pool": `: onnx: layer "pool" gives a tensor that has one place`,
			"lay": `: onnx: layer "lay", want a number from 0 to 9 or one of block.Conv, block.relu`,
		}},
		{exported(t, "tokens_dynamo"), map[string]string{
			"l1": "add_2", "l1.linear2": "linear_3", "l1.linear2.MatMul": "val_108", "l1.Erf": "val_102", "l2.self_attn": "transpose_12", "norm": "layer_norm_4",
		}},
		{exported(t, "tokens_legacy"), map[string]string{"l1": "/l1/Add_2_output_0", "l1.linear2": "/l1/linear2/Add_output_0", "l1.norm1": "/l1/norm1/LayerNormalization_output_0"}},
		{exported(t, "residual_dynamo"), map[string]string{"block1": "relu_1", "last": "relu_3"}},
		{exported(t, "residual_legacy"), map[string]string{"block1": "/block1/Relu_1_output_0", "last": "/last/Relu_1_output_0"}},
	} {
		s, err := row.model.study(nil, images.Size{}, "")
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range row.names {
			i, err := s.layer(name)
			if text, fails := strings.CutPrefix(want, ": "); fails {
				if err == nil || !strings.HasPrefix(err.Error(), text) || !strings.Contains(err.Error(), "one of block.Conv, ") {
					t.Errorf("%s: layer %d, error %v, want %q and the names", name, i, err, text)
				}
			} else if err != nil || s.cuts[i].Tensor != want {
				t.Errorf("%s: layer %s is %s, %v, want %s", row.model.name, name, s.cuts[i].Tensor, err, want)
			}
		}
	}
}

func exported(t *testing.T, name string) *Model {
	t.Helper()
	m, err := Open(filepath.Join(onnxtest.Networks(t), name+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}
