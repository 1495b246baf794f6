package train

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/lock"
)

// made returns the settings, data and last checkpoint of a training of two epochs of
// two steps that has ended. It is made up, which takes no time, but keeps all rules.
func made(t *testing.T) (Config, *set, *checkpoint) {
	t.Helper()
	ds := few(t, 20)
	net := tiny(1)
	all := withAdam(t, net)
	values, err := valuesOf(net.Store, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		for i := 0; p.kind != "" && i < p.shape.Size(); i++ {
			binary.LittleEndian.PutUint32(values[p.name].Data()[4*i:], math.Float32bits(float32(i%7)/8))
		}
	}
	model := encode(t, net)
	data, err := images.Hash(ds)
	if err != nil {
		t.Fatal(err)
	}
	h := History{Architecture: "tiny", Images: 20, Config: Config{Epochs: 2, BatchSize: 10, LearningRate: 0.001, Optimizer: Adam, Schedule: Constant, Augment: FlipCrop, Shift: margin, Seed: 5, Step: Plain},
		Backend: "made up", TrainData: data, TestData: data, ModelData: hash(model), BestData: hash(model)}
	for e := 1; e <= 2; e++ {
		h.Epochs = append(h.Epochs, Epoch{Epoch: e, TrainLoss: 2, Test: score.Evaluation{Images: 20, Loss: 2, Accuracy: 0.25 * float64(e)}, Seconds: 1, Best: true})
	}
	config := Config{Epochs: 2, BatchSize: 10, Augment: FlipCrop, Seed: 5, Dir: t.TempDir(),
		OnStep: func(Progress) { t.Error("a step was made") }}
	return config, ds, &checkpoint{state{position{Epoch: 2}, h}, values, model}
}

// withAdam gives a network's store what a training by Adam keeps there, and lists it.
func withAdam(tb testing.TB, net *network.Network) []parameter {
	tb.Helper()
	all := parameters(net, update{optimizer: Adam})
	if err := makeKept(net.Store, all); err != nil {
		tb.Fatal(err)
	}
	return all
}

// holds is the content of the tiny network's checkpoints.
func holds() content { return content{"tiny", parameters(tiny(1), update{optimizer: Adam})} }

// open opens a folder for checkpoints of the tiny network.
func open(t *testing.T, dir string) *folder {
	t.Helper()
	f, err := openFolder(dir, holds(), 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// run takes the folder of a made training.
func run(t *testing.T, config Config, ds *set) (*network.Network, *History, error) {
	t.Helper()
	net := tiny(99)
	h, err := Train(t.Context(), backendtest.Go(t), net, ds, ds, config)
	return net, h, err
}

// written returns the contents of a folder's files, except the lock's.
func written(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, e := range entries {
		if e.Name() == lock.File {
			continue
		}
		all[e.Name()] = "folder"
		if !e.IsDir() {
			data, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			all[e.Name()] = string(data)
		}
	}
	return all
}

func put(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
		t.Fatal(err)
	}
}
