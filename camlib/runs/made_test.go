package runs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/camlib/train"
)

// model is a safetensors file of one number.
const model = "\x38\x00\x00\x00\x00\x00\x00\x00" + `{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  ` + "\x00\x00\x80\x3f"

// other is another one, of the same size.
var other = model[:len(model)-1] + "\x40"

// history is a log that says little: three epochs of 8 images, 2 steps each.
func history() train.History {
	h := train.History{Architecture: "tiny", Images: 8, Config: train.Config{Augment: train.FlipCrop, BatchSize: 5, LearningRate: 0.25, Seed: 3,
		Step: train.Plain}, Backend: "pure Go", TrainData: "aa", TestData: "bb"}
	for i, accuracy := range []float64{0.5, 0.75, 0.625} {
		right := int(8 * accuracy)
		h.Epochs = append(h.Epochs, train.Epoch{Epoch: i + 1, TrainLoss: 2 - 0.5*float64(i), Seconds: 4,
			Test: score.Evaluation{Images: 8, Loss: 1.5 - 0.25*float64(i), Accuracy: accuracy, MacroF1: accuracy - 0.125,
				PerClass: []score.ClassScore{{Class: "cat"}, {Class: "dog"}}, Confusion: [][]int{{right - 2, 8 - right}, {0, 2}}}})
	}
	return h
}

// written writes files into a new folder of a name.
func written(t *testing.T, name string, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		put(t, dir, name, text)
	}
	return dir
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// made are the files of a finished run with a log, and steps if they are not empty.
func made(t *testing.T, log any, steps string) map[string]string {
	t.Helper()
	data, err := json.Marshal(log)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{train.LogFile: string(data), network.ModelFile: model}
	if steps != "" {
		files[train.StepsFile] = steps
	}
	return files
}

func opened(t *testing.T, dir string) *Run {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// newer is a log with all that logs say today, of two epochs.
func newer() train.History {
	h := train.History{Architecture: "tiny-wide", Images: 8, Backend: "pure Go", TrainData: "aa", TestData: "bb", Ended: "no better epoch for 1 epochs",
		Config: train.Config{Epochs: 9, BatchSize: 5, LearningRate: 0.5, Optimizer: train.AdamW, WeightDecay: 0.01,
			Rates: map[string]float64{"dense/weights": 1. / 9, "biases": 64}, Schedule: train.Cosine, Warmup: 0.25, LabelSmoothing: 0.1, Average: 0.99,
			Augment: train.FlipCrop, Shift: 2, Validation: 0.2, Patience: 1, Start: "weights.safetensors", Seed: 4, Step: train.Plain},
		Environment: train.Environment{Versions: map[string]string{"camlab": "v1", "go": "go1.26", "gomlx": "v0.28.1", "go-xla": "v0.2.4"},
			Commit: "abc", Processor: "a processor", Threads: 16, Started: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}}
	for i, e := range history().Epochs[:2] {
		e.Step, e.LearningRate, e.Best = 2*int64(i+1), 0.5/float64(i+1), i == 0
		e.Validation = &score.Evaluation{Images: 2, Loss: 0.5 + float64(i), Accuracy: 1 - 0.5*float64(i), MacroF1: 0.25}
		h.Epochs = append(h.Epochs, e)
	}
	return h
}
