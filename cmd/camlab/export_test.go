package main

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/npy"
)

// TestExport has what export writes explained as the model itself.
func TestExport(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	text, err := command(t, "export", "--onnx", file("a.onnx"), "--safetensors", file("half.safetensors"), "--dtype", "float16", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var all []exported
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) != 2 || all[1].File != file("a.onnx") || len(all[1].SHA256) != 64 {
		t.Fatalf("printed %s, %v", text, err)
	}
	for name, c := range map[string]struct {
		model     string
		tolerance float64
	}{"onnx": {file("a.onnx"), 1e-5}, "half": {file("half.safetensors"), 5e-3}} {
		for out, model := range map[string]string{"own": "article", name: c.model} {
			if _, err := command(t, "explain", "--model", model, "--split", "sample", "--index", sampleIndex(3), "--method", "cam,gradcam", "--layer", "conv5",
				"--out", file(name+out), "--pictures=false"); err != nil {
				t.Fatal(err)
			}
		}
		for _, array := range []string{"logits.npy", "maps_cam.npy", "maps_gradcam.npy"} {
			near(t, filepath.Join(file(name+name), array), filepath.Join(file(name+"own"), array), c.tolerance)
		}
	}
	own, err := article.Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	whole, err := own.Encode()
	if half, err2 := os.ReadFile(file("half.safetensors")); err != nil || err2 != nil || len(half) > len(whole)/2+2000 {
		t.Errorf("%d bytes in 16 bits, want about half of %d (%v, %v)", len(half), len(whole), err, err2)
	}
	// The card that is there, and one that was edited.
	if _, err := command(t, "export", "--onnx", file("a.onnx")); err != nil {
		t.Errorf("once more: %v", err)
	}
	if _, err := command(t, "export", "--onnx", file("a.onnx"), "--layer", "conv3"); err == nil || !strings.Contains(err.Error(), "a.camlab.json is there already, and says something else") {
		t.Errorf("another layer: error %v", err)
	}
	if _, err := command(t, "export", "--onnx", file("b.onnx"), "--layer", "conv3"); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(file("b.camlab.json")); err != nil || !strings.Contains(string(text), `"layer": "conv3"`) {
		t.Errorf("card %s, %v, want the layer", text, err)
	}
}

func TestExportMistakes(t *testing.T) {
	dir := t.TempDir()
	for want, args := range map[string][]string{
		"export: nothing to write, want --onnx, --safetensors or --npz with a file's name": {},
		"export: --onnx a.pb, want a name that ends in .onnx":                              {"--onnx", "a.pb"},
		"export: --npz a.npy, want a name that ends in .npz":                               {"--npz", "a.npy"},
		`export: --dtype "int8", want float32, float16 or bfloat16`:                        {"--safetensors", "a.safetensors", "--dtype", "int8"},
		"export: --dtype without --safetensors, which it belongs to":                       {"--onnx", "a.onnx", "--dtype", "float16"},
		"export: --images without --npz, which it belongs to":                              {"--onnx", "a.onnx", "--images"},
		"export: network: save: ":                                                          {"--safetensors", filepath.Join(dir, "none", "a.safetensors")},
		"export: camlib: write: ":                                                          {"--onnx", filepath.Join(dir, "none", "a.onnx")},
	} {
		if _, err := command(t, append([]string{"export"}, args...)...); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v: error %v, want %s", args, err, want)
		}
	}
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// TestInterchange runs the network of docs/interchange.md in PyTorch, with the weights that
// export wrote.
func TestInterchange(t *testing.T) {
	python := os.Getenv("CAMLAB_PYTHON")
	if python == "" {
		t.Skip("needs CAMLAB_PYTHON, a Python with onnx and onnxruntime, torch and safetensors")
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "interchange.md"))
	if err != nil {
		t.Fatal(err)
	}
	var module string
	for _, block := range strings.Split(string(text), "```python\n")[1:] {
		if block, _, _ = strings.Cut(block, "```"); strings.Contains(block, "nn.Sequential") {
			module = block
		}
	}
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	if _, err := command(t, "export", "--safetensors", file("article.safetensors")); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, "explain", "--split", "sample", "--index", sampleIndex(3), "--method", "cam", "--out", file("out")); err != nil {
		t.Fatal(err)
	}
	write(t, file("x.py"), []byte(module+`
import numpy, torch
x = torch.from_numpy(numpy.load("x.npy")).permute(0, 3, 1, 2)
numpy.save("logits.npy", net(x).detach().numpy())
save_file(net.state_dict(), "back.safetensors", metadata={"architecture": "article-gap-cnn"})
`))
	write(t, file("x.npy"), samplePixels(t, 3))
	run := exec.CommandContext(t.Context(), python, "x.py")
	run.Dir = dir
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	near(t, file("logits.npy"), filepath.Join(file("out"), "logits.npy"), 1e-5)
	own, err := article.Load(file("back.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if !article.IsPretrained(own) {
		t.Error("weights are others after PyTorch has had them")
	}
}

// samplePixels are the first n images of the sample as a NumPy file, from 0 to 1.
func samplePixels(t *testing.T, n int) []byte {
	t.Helper()
	x, err := images.FromDataset(cifar10.Sample(), 0, n)
	if err != nil {
		t.Fatal(err)
	}
	b, err := binary.Append(npy.Header([]int{x.N, x.Height, x.Width, x.Channels}), binary.LittleEndian, x.Pixels)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
