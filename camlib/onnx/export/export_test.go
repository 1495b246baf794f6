package export_test

import (
	"context"
	"os"
	"testing"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/onnx/export"
)

var _ = context.Background

func TestTry(t *testing.T) {
	n, err := article.Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	data, err := export.Encode(n)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile("/tmp/article.onnx", data, 0o644)
}
