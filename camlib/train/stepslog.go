package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/camlab-go/camlab/internal/atomicfile"
)

// StepsFile is the log of a training's steps in its folder: a [Step] a line, as JSON.
const StepsFile = "steps.jsonl"

// logEvery is how many steps a line of StepsFile is of.
const logEvery = 10

// Step is a line of [StepsFile].
type Step struct {
	Step            int64   `json:"step"`  // steps made in all
	Epoch           int     `json:"epoch"` // counted from 1
	Loss            float64 `json:"loss"`  // mean since the line before
	LearningRate    float64 `json:"learning_rate"`
	Gradient        float64 `json:"gradient"`                 // Euclidean norm of the last step's
	ImagesPerSecond float64 `json:"images_per_second"`        // since this process began to train
	Seconds         float64 `json:"seconds"`                  // wall time of all training steps
	Accuracy        float64 `json:"accuracy,omitempty"`       // of an evaluation at this step, see [Config.EvaluateEvery]
	EvaluatedLoss   float64 `json:"evaluated_loss,omitempty"` // the same
}

// stepsLog writes a StepsFile.
type stepsLog struct {
	path string
	loss float64 // the sum since the last line
	n    int     // images since then
}

// openStepsLog takes up the log of a training that stands after so many steps: later lines, of
// steps that will be made once more, and a line that was cut short go.
func openStepsLog(path string, done int64) (*stepsLog, error) {
	l := &stepsLog{path: path}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("train: log of steps: %w", err)
	}
	var kept []byte
	for line := range bytes.Lines(data) {
		var s Step
		if json.Unmarshal(line, &s) == nil && s.Step <= done && bytes.HasSuffix(line, []byte("\n")) {
			kept = append(kept, line...)
		}
	}
	if bytes.Equal(kept, data) {
		return l, nil
	}
	if err := atomicfile.WriteFile(path, kept); err != nil {
		return nil, fmt.Errorf("train: log of steps: %w", err)
	}
	return l, nil
}

// add counts a step, and reports whether its line is to be written.
func (l *stepsLog) add(loss float64, images int, step int64) bool {
	l.loss += loss * float64(images)
	l.n += images
	return step%logEvery == 0
}

// write writes a line, with the mean loss.
func (l *stepsLog) write(s Step) error {
	if l.n > 0 {
		s.Loss = l.loss / float64(l.n)
	}
	l.loss, l.n = 0, 0
	line, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("train: log of steps: %w", err)
	}
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("train: log of steps: %w", err)
	}
	_, err = f.Write(append(line, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("train: log of steps: %w", err)
	}
	return nil
}
