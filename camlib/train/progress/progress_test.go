package progress

import (
	"strings"
	"testing"
	"time"

	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/camlib/train"
)

var (
	step  = train.Progress{Epoch: 2, Epochs: 5, Step: 3, Steps: 8, Loss: 1.23456, ImagesPerSecond: 151.7, Remaining: 62 * time.Second}
	epoch = train.Epoch{Epoch: 2, TrainLoss: 0.73851, Test: score.Evaluation{Loss: 0.69, Accuracy: 0.755, MacroF1: 0.7553}}
)

const (
	stepLine  = "epoch 2 of 5 · step 3 of 8 · loss 1.2346 · 152 images/s · 1m2s left"
	epochLine = "epoch 2: train loss 0.7385, test loss 0.6900, accuracy 0.7550, macro-F1 0.7553"
)

// TestWarningsAreSaid: losses of a training gone wild are legible, its warning and
// what is noticed stay.
func TestWarningsAreSaid(t *testing.T) {
	wild := epoch
	wild.TrainLoss, wild.Warning = 1.23456e23, "accuracy 0.1000, no better than guessing"
	var out strings.Builder
	l := New(&out)
	l.terminal, l.last = true, time.Now().Add(-time.Second)
	l.Step(step)
	l.Notice("run/training.safetensors: damaged")
	l.Epoch(wild)
	want := rewrite + stepLine + rewrite + "run/training.safetensors: damaged\n" +
		"epoch 2: train loss 1.235e+23, test loss 0.6900, accuracy 0.7550, macro-F1 0.7553\n" +
		"warning: accuracy 0.1000, no better than guessing\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestLinesInATerminalAndElsewhere(t *testing.T) {
	for _, row := range []struct {
		rule     string
		terminal bool
		since    time.Duration // the last line
		want     string
	}{
		{"a terminal's line is written over, the epoch's stays", true, time.Second, rewrite + stepLine + rewrite + epochLine + "\n"},
		{"a terminal's line is not renewed at every step", true, 0, epochLine + "\n"},
		{"a log gets no line of a step", false, time.Second, epochLine + "\n"},
		{"but one a minute", false, time.Minute, stepLine + "\n" + epochLine + "\n"},
	} {
		t.Run(row.rule, func(t *testing.T) {
			var out strings.Builder
			l := New(&out)
			l.terminal, l.last = row.terminal, time.Now().Add(-row.since)
			l.Step(step)
			l.Epoch(epoch)
			l.Clear()
			if out.String() != row.want {
				t.Errorf("%q, want %q", out.String(), row.want)
			}
		})
	}
}

// TestALogBeginsSoon: whoever looks into a log need not wait a minute to see that it goes on.
func TestALogBeginsSoon(t *testing.T) {
	var out strings.Builder
	l := New(&out)
	l.last = l.last.Add(-5 * time.Second) // as if it had been made then
	l.Step(step)
	l.Step(step)
	if want := stepLine + "\n"; out.String() != want {
		t.Errorf("after five seconds %q, want %q", out.String(), want)
	}
}
