package runs

import (
	"bytes"
	"encoding/json"
	"errors"
	"image/png"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/figure/curve"
	"github.com/camlab-go/camlab/camlib/train"
	"github.com/camlab-go/camlab/internal/atomicfile"
	"github.com/camlab-go/camlab/internal/pngtext"
)

func TestCSV(t *testing.T) {
	const heads = "epoch,step,learning_rate,train_loss,validation_loss,validation_accuracy,validation_macro_f1,test_loss,test_accuracy,test_macro_f1,seconds,images_per_second,best\n"
	untested := newer()
	untested.Epochs[0].Test.Images = 0
	for _, row := range []struct {
		rule string
		log  any
		want string
	}{
		{"an older log", history(), "1,2,0.25,2,,,,1.5,0.5,0.375,4,2,0\n2,4,0.25,1.5,,,,1.25,0.75,0.625,4,2,1\n3,6,0.25,1,,,,1,0.625,0.5,4,2,0\n"},
		{"a newer one, and an epoch without a test", untested, "1,2,0.5,2,0.5,1,0.25,,,,4,2,1\n2,4,0.25,1.5,1.5,0.5,0.25,1.25,0.75,0.625,4,2,0\n"},
		{"one without epochs", train.History{}, ""},
	} {
		var b strings.Builder
		if err := opened(t, written(t, "run", made(t, row.log, ""))).EpochsCSV(&b); err != nil || b.String() != heads+row.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", row.rule, err, b.String(), heads+row.want)
		}
	}
	var b strings.Builder
	err := StepsCSV(&b, []train.Step{
		{Step: 10, Epoch: 1, Loss: 0.1, LearningRate: 0.25, Gradient: 7, ImagesPerSecond: 20.5, Seconds: 1e-9},
		{Step: 20, Epoch: 2, Loss: 3, LearningRate: 0.125, ImagesPerSecond: 21, Seconds: 2, EvaluatedLoss: 2.5}})
	if want := "step,epoch,loss,learning_rate,gradient,images_per_second,seconds,accuracy,evaluated_loss\n10,1,0.1,0.25,7,20.5,1e-09,,\n20,2,3,0.125,0,21,2,0,2.5\n"; err != nil || b.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, b.String(), want)
	}
}

// TestPictures is that pictures show what the log says: their words do, and their size.
func TestPictures(t *testing.T) {
	old, fresh := opened(t, written(t, "old", made(t, history(), ""))), opened(t, written(t, "fresh", made(t, newer(), "")))
	untested := newer()
	for i := range untested.Epochs {
		untested.Epochs[i].Test.Images, untested.Epochs[i].Validation = 0, nil
	}
	bare := opened(t, written(t, "bare", made(t, untested, "")))
	for _, row := range []struct {
		rule   string
		draw   func() ([]byte, error)
		height int
		words  []string
	}{
		{"curves", old.Curves, 907, []string{"Loss: old: line chart of loss (nats) over epoch 1 to 3. train falls from 2 to 1. test falls from 1.5 to 1.",
			"Accuracy: old: line chart of accuracy (%) over epoch 1 to 3. test rises from 50 to 62.5, highest 75 at 2."}},
		{"curves with validation", fresh.Curves, 907, []string{"validation rises from 0.5 to 1.5", "validation falls from 100 to 50"}},
		{"curves without accuracies", bare.Curves, 453, []string{"train falls from 2 to 1.5."}},
		{"curves of two", func() ([]byte, error) { return CurvesOf([]*Run{old, fresh}) }, 907,
			[]string{"over epoch 1 to 3", "old falls from 1.5 to 1. old, train falls from 2 to 1. fresh falls from 1.5 to 1.25.", "old rises from 50 to 62.5, highest 75 at 2. fresh rises from 50 to 75."}},
		{"confusion", old.Confusion, 0, []string{"old: test images after epoch 3, accuracy 62.50 %", "5 of 8"}},
	} {
		b, err := row.draw()
		if err != nil {
			t.Errorf("%s: %v", row.rule, err)
			continue
		}
		picture, err := png.DecodeConfig(bytes.NewReader(b))
		if err != nil || row.height > 0 && picture.Height != row.height {
			t.Errorf("%s: %v, height %d, want %d", row.rule, err, picture.Height, row.height)
		}
		words := pngtext.Get(b, pngtext.Description)
		for _, want := range row.words {
			if !strings.Contains(words, want) {
				t.Errorf("%s: it says %q, want %q in it", row.rule, words, want)
			}
		}
	}
	begun := opened(t, written(t, "begun", map[string]string{train.StepsFile: line(1, 2)}))
	for _, draw := range []func() ([]byte, error){begun.Curves, begun.Confusion, func() ([]byte, error) { return CurvesOf([]*Run{old, begun}) }} {
		if _, err := draw(); !errors.Is(err, ErrNoEpochs) || !strings.Contains(err.Error(), begun.Dir) {
			t.Errorf("without epochs: %v", err)
		}
	}
	if _, err := CurvesOf(make([]*Run, 7)); err == nil || err.Error() != "runs: curves of 7 runs, want 1 to 6 in one picture" {
		t.Errorf("seven runs: %v", err)
	}
	fresh.Log.Epochs[1].Test.Confusion = nil
	if _, err := fresh.Confusion(); err == nil || !strings.Contains(err.Error(), "its log has none") {
		t.Errorf("without a matrix: %v", err)
	}
}

// TestPercentAxis is that the accuracies are inside the axis, whose ends are in rising order.
func TestPercentAxis(t *testing.T) {
	r := opened(t, written(t, "run", made(t, history(), "")))
	for _, accuracies := range [][]float64{{0, 0, 0}, {1, 1, 1}, {0.5, 0.5, 0.5}, {0, 1, 0}, {0.601, 0.85, 0.7}} {
		for i := range r.Log.Epochs {
			r.Log.Epochs[i].Test.Accuracy = accuracies[i]
		}
		c, err := r.curves()
		if err != nil {
			t.Fatal(err)
		}
		chart := chart("", "")
		add(&chart, curve.Series{}, c.testAccuracy)
		ends := percentAxis(chart.Series)
		for _, y := range c.testAccuracy.y {
			if !(ends[0] <= y && y <= ends[1] && ends[0] < ends[1] && ends[0] >= 0 && ends[1] <= 100) {
				t.Errorf("accuracies %v: axis %v", accuracies, ends)
			}
		}
	}
}

// python finds one with the package tensorboard: that of `make bench`, or that in PATH.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"../../.venv-peers/bin/python", "python3"} {
		path, err := exec.LookPath(name)
		if err == nil && exec.Command(path, "-c", "import tensorboard").Run() == nil {
			return path
		}
	}
	t.Skip("no Python with tensorboard: `pip install tensorboard`, and put it into PATH")
	return ""
}

// TestTensorBoardReads has TensorBoard's own reader read what [Run.Events] writes.
func TestTensorBoardReads(t *testing.T) {
	py := python(t)
	type event = [3]float64 // wall time, step, value
	type content struct {
		Scalars map[string][]event
		Texts   map[string]string
	}
	read := func(r *Run, steps []train.Step) (got content) {
		t.Helper()
		dir := t.TempDir()
		var b bytes.Buffer
		if err := r.Events(&b, steps); err != nil {
			t.Fatal(err)
		}
		if err := atomicfile.WriteFile(filepath.Join(dir, EventsFile), b.Bytes()); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(py, "testdata/read_events.py", dir)
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err == nil {
			err = json.Unmarshal(out, &got)
		}
		if err != nil {
			t.Fatalf("%v: %s", err, said.String())
		}
		return got
	}
	const start = 1795953600 // 2026-11-29T12:00:00Z
	same := func(what string, got, want any) {
		t.Helper()
		a, errA := json.Marshal(got)
		b, errB := json.Marshal(want)
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Errorf("%s: %s, want %s", what, a, b)
		}
	}
	r := opened(t, written(t, "run", made(t, newer(), "")))
	got := read(r, []train.Step{{Step: 1, Epoch: 1, Loss: 2.5, LearningRate: 0.5, Gradient: 8, ImagesPerSecond: 1, Seconds: 1},
		{Step: 3, Epoch: 2, Loss: 1.75, LearningRate: 0.25, Gradient: 4, ImagesPerSecond: 1, Seconds: 6.5, Accuracy: 0.75, EvaluatedLoss: 1}})
	same("with steps", got.Scalars, map[string][]event{
		"train/loss":          {{start + 1, 1, 2.5}, {start + 6.5, 3, 1.75}},
		"train/learning_rate": {{start + 1, 1, 0.5}, {start + 6.5, 3, 0.25}},
		"train/gradient":      {{start + 1, 1, 8}, {start + 6.5, 3, 4}},
		"test/loss":           {{start + 4, 2, 1.5}, {start + 8, 4, 1.25}},
		"test/accuracy":       {{start + 4, 2, 0.5}, {start + 8, 4, 0.75}},
		"test/macro_f1":       {{start + 4, 2, 0.375}, {start + 8, 4, 0.625}},
		"validation/loss":     {{start + 4, 2, 0.5}, {start + 6.5, 3, 1}, {start + 8, 4, 1.5}},
		"validation/accuracy": {{start + 4, 2, 1}, {start + 6.5, 3, 0.75}, {start + 8, 4, 0.5}},
		"validation/macro_f1": {{start + 4, 2, 0.25}, {start + 8, 4, 0.25}},
	})
	if text := got.Texts["settings"]; !strings.HasPrefix(text, "| setting | value |\n|---|---|\n| network | tiny-wide |\n") {
		t.Errorf("settings %q", text)
	}
	r.Log.Config.Validation = 0
	got = read(r, []train.Step{{Step: 3, Epoch: 2, Seconds: 6.5, Accuracy: 0.25, EvaluatedLoss: 1}})
	same("evaluated on the test images", got.Scalars["test/accuracy"], []event{{start + 4, 2, 0.5}, {start + 6.5, 3, 0.25}, {start + 8, 4, 0.75}})
	got = read(r, nil)
	same("without steps, train/loss", got.Scalars["train/loss"], []event{{start + 4, 2, 2}, {start + 8, 4, 1.5}})
	same("without steps, train/learning_rate", got.Scalars["train/learning_rate"], []event{{start + 4, 2, 0.5}, {start + 8, 4, 0.25}})
}
