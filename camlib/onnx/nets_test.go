package onnx_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/onnx"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/onnxtest"
)

// Tiny networks by PyTorch's exporters, made by testdata/make.py: legacy and dynamo have a
// batch of one fixed in the file, free has any. residual has convolutions in all forms,
// branches and shuffled channels; flat is as VGG; tokens is as ViT.

func TestNetworksEqualPyTorch(t *testing.T) {
	dir := onnxtest.Networks(t)
	files, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	if err != nil || len(files) != 9 {
		t.Fatalf("%d networks, want 9: %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".onnx")
		t.Run(name, func(t *testing.T) {
			net := strings.Split(name, "_")[0]
			open := backendtest.Go // which compiles nothing
			if name == "residual_legacy" || name == "tokens_dynamo" {
				open = backendtest.Any
			}
			im := compareWithTorch(t, open, file, filepath.Join(dir, net+".npz"))
			want := map[string]onnx.Layer{
				"residual": {Operator: "Relu", Shape: [3]int{3, 4, 16}, Tokens: -1},
				"flat":     {Operator: "Relu", Shape: [3]int{3, 6, 8}, Tokens: -1},
				"tokens":   {Operator: "LayerNormalization", Shape: [3]int{3, 4, 12}, Tokens: 1},
			}[net]
			if name == "tokens_free" { // before opset 17 there is no such operator
				want.Operator = "Add"
			}
			if got := im.Layer; got.Operator != want.Operator || got.Shape != want.Shape || got.Tokens != want.Tokens || !got.Default {
				t.Errorf("default layer %+v, want %+v", got, want)
			}
			if err := im.Alone(); err != nil {
				t.Error(err)
			}
			if ends := strings.Contains(strings.Join(im.Notes, " "), "LogSoftmax"); ends != (net == "flat") {
				t.Errorf("notes %q, want LogSoftmax named where the network ends in it", im.Notes)
			}
		})
	}
}

// Every layer is a cut: the scores are the same whichever is explained, and HiResCAM of
// each layer is that of the same tensor in one graph, whatever passes beside it.
func TestEveryLayerCuts(t *testing.T) {
	dir := onnxtest.Networks(t)
	for _, name := range []string{"residual_dynamo", "tokens_legacy"} {
		m, err := onnx.Open(filepath.Join(dir, name+".onnx"))
		if err != nil {
			t.Fatal(err)
		}
		b := backendtest.Go(t)
		im, err := m.Network(b, onnx.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ref := readReference(t, filepath.Join(dir, strings.Split(name, "_")[0]+".npz"), "")
		want := onnx.ScoresOf(t, b, im.Network, ref.Batch)
		for _, l := range im.LayerNames() {
			at, err := im.At(l)
			if err != nil {
				t.Fatal(err)
			}
			e, err := cam.New(b, at, cam.Options{})
			if err != nil {
				t.Fatal(err)
			}
			r, err := e.Explain(context.Background(), cam.HiResCAM{}, ref.Batch, cam.Classes(ref.classes...))
			if err != nil {
				t.Errorf("%s at %s: %v", name, l, err)
				continue
			}
			backendtest.Near(t, name+" at "+l, r.Scores, want, 1e-5)
		}
	}
}

// A batch that the file has fixed is set free, and each image keeps its own scores.
func TestImagesTogetherAreAsApart(t *testing.T) {
	dir := onnxtest.Networks(t)
	for _, net := range []string{"residual", "flat", "tokens"} {
		b := backendtest.Go(t)
		m, err := onnx.Open(filepath.Join(dir, net+"_dynamo.onnx"))
		if err != nil {
			t.Fatal(err)
		}
		im, err := m.Network(b, onnx.Options{})
		if err != nil {
			t.Fatal(err)
		}
		x := readReference(t, filepath.Join(dir, net+".npz"), "").Batch
		three := images.NewBatch(3, x.Size())
		copy(three.Pixels, x.Pixels)
		copy(three.Pixels[len(x.Pixels):], x.Pixels) // the first again
		var apart []float32
		for i := range 3 {
			apart = append(apart, onnx.ScoresOf(t, b, im.Network, three.Part(i, i+1))...)
		}
		backendtest.Near(t, net, onnx.ScoresOf(t, b, im.Network, three), apart, 1e-5)
	}
}
