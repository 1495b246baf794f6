package export_test

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/onnx/export"
	"github.com/camlab-go/camlab/internal/npy"
)

// TestONNXRuntime has onnx check every file of this package's tests, and onnxruntime compute
// it: the article's network for 100 images of the sample.
func TestONNXRuntime(t *testing.T) {
	python := os.Getenv("CAMLAB_PYTHON")
	if python == "" {
		t.Skip("needs CAMLAB_PYTHON, a Python with onnx and onnxruntime")
	}
	dir := t.TempDir()
	put := func(net *network.Network, x images.Batch) {
		t.Helper()
		data, err := export.Encode(net)
		if err != nil {
			t.Fatal(err)
		}
		array := func(shape []int, values []float32) []byte {
			b, err := binary.Append(npy.Header(shape), binary.LittleEndian, values)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		y := scoresOf(t, net, x)
		for end, data := range map[string][]byte{
			".onnx": data, ".x.npy": array([]int{x.N, x.Height, x.Width, x.Channels}, x.Pixels), ".scores.npy": array([]int{x.N, len(y) / x.N}, y),
		} {
			if err := os.WriteFile(filepath.Join(dir, net.Name+end), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	net, err := article.Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	sample, err := images.FromDataset(cifar10.Sample(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	put(net, sample)
	for _, net := range slices.Concat(operations(), imported(t), []*network.Network{filled(t, normalized(false)), filled(t, branches())}) {
		put(net, pixels(net))
	}
	out, err := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "check.py"), dir).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
