package folder_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/folder"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/train"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// stripes is a folder of n pictures each of lines across and upright, larger than the
// network's images and not square.
func stripes(dir string, n int) error {
	for i := range 2 * n {
		class := []string{"across", "upright"}[i%2]
		img := image.NewGray(image.Rect(0, 0, 40+i, 32))
		for y := range 32 {
			for x := range 40 + i {
				line := []int{y, x}[i%2]
				img.SetGray(x, y, color.Gray{Y: uint8((line + i) % 16 / 8 * 200)})
			}
		}
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(dir, class), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, class, fmt.Sprintf("%03d.png", i)), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// TestTrain trains a network on pictures from disk and has it tell those that it has not
// seen.
func TestTrain(t *testing.T) {
	dir := t.TempDir()
	if err := stripes(dir, 24); err != nil {
		t.Fatal(err)
	}
	all, err := folder.Open(dir, folder.Options{Size: images.Size{Height: 8, Width: 8, Channels: 1}})
	if err != nil {
		t.Fatal(err)
	}
	parts, err := all.Split(1, 0.7, 0.15, 0.15)
	if err != nil {
		t.Fatal(err)
	}
	conv := func(name string, channels int) network.Layer {
		return network.Layer{Name: name, Build: func(scope *model.Scope, x *Node) *Node {
			return activation.Relu(layers.Convolution(scope.At("%s", name), x).Channels(channels).KernelSize(3).PadSame().Done())
		}}
	}
	net := &network.Network{
		Name: "small", Store: model.NewStore(), Classes: all.Classes(), Input: network.Input{Size: all.Size()},
		Layers: []network.Layer{conv("near", 4), conv("far", 8)},
		Head: func(scope *model.Scope, act *Node) *Node {
			return layers.Dense(scope.At("head"), ReduceMean(act, 1, 2), true, len(all.Classes()))
		},
	}
	backend := backendtest.Go(t) // compiles nothing
	if _, err := train.Train(t.Context(), backend, net, parts[0], parts[1], train.Config{Epochs: 6, BatchSize: 4, Augment: train.None, LearningRate: 0.02}); err != nil {
		t.Fatal(err)
	}
	evaluator, err := train.NewEvaluator(backend, net)
	if err != nil {
		t.Fatal(err)
	}
	evaluation, err := evaluator.Evaluate(t.Context(), parts[2])
	if err != nil {
		t.Fatal(err)
	}
	if evaluation.Images != 6 || evaluation.Accuracy < 0.99 {
		t.Errorf("%d test images, of which %.2f are right; want all of 6", evaluation.Images, evaluation.Accuracy)
	}
}

// A folder for each class is a data set, and parts of it are what a training takes.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "stripes")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := stripes(dir, 10); err != nil {
		panic(err)
	}
	all, err := folder.Open(dir, folder.Options{Size: images.Size{Height: 16, Width: 16, Channels: 3}})
	if err != nil {
		panic(err)
	}
	parts, err := all.Split(1, 0.8, 0.1, 0.1)
	if err != nil {
		panic(err)
	}
	fmt.Println(all.Len(), all.Classes(), all.Size())
	fmt.Println(parts[0].Len(), parts[1].Len(), parts[2].Len())
	// Output:
	// 20 [across upright] 16×16×3
	// 16 2 2
}
