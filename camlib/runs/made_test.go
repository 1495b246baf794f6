package runs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/camlib/train"
)

// model is a safetensors file of one number.
const model = "\x38\x00\x00\x00\x00\x00\x00\x00" + `{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  ` + "\x00\x00\x80\x3f"

// history is a log of before there were schedules: three epochs of 8 images, 2 steps each.
func history() train.History {
	h := train.History{Architecture: "tiny", Images: 8, Augment: train.FlipCrop, BatchSize: 5, LearningRate: 0.25, Seed: 3,
		Step: train.Plain, Backend: "pure Go", TrainData: "aa", TestData: "bb"}
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
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
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
		files[StepsFile] = steps
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

// newer is a log with all that logs say today.
func newer() Log {
	l := Log{Architecture: "tiny", Network: "tiny-wide", Images: 8, Validation: 2, Augment: train.FlipCrop, BatchSize: 5,
		Optimizer: "adamw", LearningRate: 0.5, Schedule: "cosine", WeightDecay: 0.01, LabelSmoothing: 0.1, Average: 0.99, Seed: 4,
		Step: train.Plain, Backend: "pure Go", Processor: "a processor", Versions: Versions{Camlab: "v1", Go: "go1.26", GoMLX: "v0.28.1", Plugin: "v0.115"},
		Commit: "abc", Started: "2026-11-29T12:00:00Z", TrainData: "aa", TestData: "bb"}
	for i, e := range history().Epochs[:2] {
		l.Epochs = append(l.Epochs, Epoch{Epoch: i + 1, Step: 2 * (i + 1), LearningRate: 0.5 / float64(i+1), TrainLoss: e.TrainLoss, Seconds: e.Seconds,
			Test: e.Test, Validation: &score.Evaluation{Images: 2, Loss: 0.5 + float64(i), Accuracy: 1 - 0.5*float64(i), MacroF1: 0.25}})
	}
	return l
}
