package onnx

import (
	"strings"
	"testing"

	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestAttentionAsOneOperator is that a network whose softmax is inside of an operator is
// said to have no attention for that reason.
func TestAttentionAsOneOperator(t *testing.T) {
	graph := msg(7,
		info(11, "image", 1, 3, 8, 8), info(12, "scores", 1, 2), kernel(kernelValues()),
		operation("Conv", []string{"image", "kernel"}, "conv"),
		integers("flat", 1, 2, -1), operation("Reshape", []string{"conv", "flat"}, "columns"),
		operation("Transpose", []string{"columns"}, "tokens", intsAttribute("perm", 0, 2, 1)),
		operation("Attention", []string{"tokens", "tokens", "tokens"}, "mixed", intAttribute("q_num_heads", 1), intAttribute("kv_num_heads", 1)),
		integers("axes", 1), operation("ReduceMean", []string{"mixed", "axes"}, "scores", intAttribute("keepdims", 0)))
	m, err := Decode(append(append(num(1, 10), graph...), msg(8, num(2, 23))...), "")
	if err != nil {
		t.Fatal(err)
	}
	im, err := m.Network(backendtest.Go(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := `operator Attention, as "mixed", keeps its softmax inside; export with an opset below 23`; im.Attention.Build != nil || !strings.Contains(im.Attention.Why, want) {
		t.Errorf("attention %v, want none: %s", im.Attention.Why, want)
	}
}
