package camlib_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"codeberg.org/sbinet/npyio/npz"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomlx "github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// weighted is a network that multiplies each channel by a weight, and whose scores are the
// means of the first two.
func weighted(t *testing.T, w ...float32) *camlib.Model {
	t.Helper()
	store := gomlx.NewStore()
	store.VariableWithValue("w", w)
	m, err := camlib.New(&network.Network{
		Name: "weighted", Store: store, Input: network.Input{Size: images.Size{Height: 32, Width: 32, Channels: 3}},
		Layers: []network.Layer{{Name: "times", Build: func(scope *gomlx.Scope, x *graph.Node) *graph.Node {
			return graph.Mul(x, graph.Reshape(scope.GetVariable("w").NodeValue(x.Graph()), 1, 1, 1, 3))
		}}},
		Head: func(_ *gomlx.Scope, act *graph.Node) *graph.Node {
			return graph.Slice(graph.ReduceMean(act, 1, 2), graph.AxisRange(), graph.AxisRange(0, 2))
		},
	}, backendtest.Go(t))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestWriteNPZ reads the arrays with npyio and holds them to what the images are: 35 of
// them, three more than a batch.
func TestWriteNPZ(t *testing.T) {
	m, path := weighted(t, 1, 2, -3), filepath.Join(t.TempDir(), "a.npz")
	ds := cifar10.Sample().First(35)
	if err := m.WriteNPZ(t.Context(), path, ds, camlib.NPZ{Images: true, Activations: true}); err != nil {
		t.Fatal(err)
	}
	z, err := npz.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	want := map[string][]int{"logits.npy": {35, 2}, "features.npy": {35, 3}, "labels.npy": {35}, "classes.npy": {10}, "images.npy": {35, 32, 32, 3}, "activations.npy": {35, 32, 32, 3}}
	if len(z.Keys()) != len(want) {
		t.Errorf("arrays %v, want %d", z.Keys(), len(want))
	}
	for name, shape := range want {
		if got := z.Header(name); got == nil || !slices.Equal(got.Descr.Shape, shape) {
			t.Errorf("%s: header %v, want the shape %v", name, got, shape)
		}
	}
	var logits, features, activations []float32
	var labels []int64
	var seen []uint8
	for name, to := range map[string]any{"logits": &logits, "features": &features, "activations": &activations, "labels": &labels, "images": &seen} {
		if err := z.Read(name+".npy", to); err != nil {
			t.Fatal(err)
		}
	}
	pixels, err := images.Pixels(ds)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(seen, pixels) {
		t.Error("other images than those of the data set")
	}
	weights := []float32{1, 2, -3}
	acts, means, scores := make([]float32, len(pixels)), make([]float32, 35*3), make([]float32, 35*2)
	for i, p := range pixels {
		acts[i] = float32(p) / 255 * weights[i%3]
		means[i/(3*1024)*3+i%3] += acts[i] / 1024
	}
	for i := range 35 {
		copy(scores[2*i:], means[3*i:3*i+2])
		if labels[i] != int64(ds.Label(i)) {
			t.Errorf("label %d of image %d, want %d", labels[i], i, ds.Label(i))
		}
	}
	backendtest.Near(t, "activations", activations, acts, 1e-6)
	backendtest.Near(t, "features", features, means, 1e-5)
	backendtest.Near(t, "logits", logits, scores, 1e-5)
	if got := letters(t, path, "classes.npy"); got != strings.Join([]string{"airplane", "automobile", "bird"}, " ") {
		t.Errorf("the first classes are %q", got)
	}
}

// letters are the first three texts of an array of texts of ten letters.
func letters(t *testing.T, path, name string) string {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data[:128], []byte("'<U10'")) {
		t.Errorf("header %q, want texts of ten letters", data[:128])
	}
	runes := make([]rune, 30)
	if _, err := binary.Decode(data[128:], binary.LittleEndian, runes); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for part := range slices.Chunk(runes, 10) {
		texts = append(texts, strings.TrimRight(string(part), "\x00"))
	}
	return strings.Join(texts, " ")
}

func TestWriteNPZErrors(t *testing.T) {
	m, dir := weighted(t, 1, 1, 1), t.TempDir()
	path, ds := filepath.Join(dir, "a.npz"), cifar10.Sample().First(3)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := m.WriteNPZ(stopped, path, ds, camlib.NPZ{}); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "stopped after 0 of 3 images") {
		t.Errorf("stopped: error %v", err)
	}
	if err := m.WriteNPZ(t.Context(), path, ds.First(0), camlib.NPZ{}); !errors.Is(err, images.ErrNone) {
		t.Errorf("no images: error %v", err)
	}
	if err := (*camlib.Model)(nil).WriteNPZ(t.Context(), path, ds, camlib.NPZ{}); err == nil {
		t.Error("no model: no error")
	}
	if err := m.WriteNPZ(t.Context(), filepath.Join(dir, "none", "a.npz"), ds, camlib.NPZ{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: error %v", err)
	}
	if err := m.Network.Store.GetVariable("/w").SetValue(tensors.FromValue([]float32{1, 1, float32(math.Inf(1))})); err != nil {
		t.Fatal(err)
	}
	if err := m.WriteNPZ(t.Context(), path, ds, camlib.NPZ{}); err == nil || !strings.Contains(err.Error(), "image 0: features that are infinite or NaN") {
		t.Errorf("overflow: error %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
