package camlib_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	gomlx "github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/onnx"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestWriteONNX opens what was written, with its card; a network of two channels has none.
func TestWriteONNX(t *testing.T) {
	dir := t.TempDir()
	m := weighted(t, 1, 2, -3)
	m.Network.Classes = []string{"red", "green"}
	path := filepath.Join(dir, "a.onnx")
	if err := m.WriteONNX(path); err != nil {
		t.Fatal(err)
	}
	graph, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	back, err := camlib.OpenONNX(graph, path, backendtest.Go(t), camlib.ONNXOptions{}) // XLA may have been loaded by another test
	if err != nil {
		t.Fatal(err)
	}
	if back.Network.Class(1) != "green" || len(back.Card.Guessed) > 0 || back.Card.Preparation().Height != 32 {
		t.Errorf("opened as %s, %+v", back, back.Card)
	}
	photo := cifar10.Sample().Image(3)
	got, err := back.Explain("hirescam", "green", photo)
	if err != nil {
		t.Fatal(err)
	}
	want, err := m.Explain("hirescam", "green", photo)
	if err != nil {
		t.Fatal(err)
	}
	backendtest.Near(t, "maps", got.Maps, want.Maps, 1e-5)
	two := *m.Network
	two.Input.Channels = 2
	two.Layers = []network.Layer{{Name: "same", Build: func(_ *gomlx.Scope, x *Node) *Node { return Neg(x) }}}
	path = filepath.Join(dir, "two.onnx")
	if err := (&camlib.Model{Network: &two}).WriteONNX(path); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "two.camlab.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a card for two channels: %v", err)
	}
	if err := (&camlib.Model{}).WriteONNX(path); err == nil {
		t.Error("no network: no error")
	}
}
