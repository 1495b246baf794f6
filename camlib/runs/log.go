package runs

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/camlib/train"
)

// Log is the log of a training, [train.LogFile], as far as it says: an older one lacks
// fields, which are zero here.
type Log struct {
	Architecture   string             `json:"architecture"`
	Network        string             `json:"network,omitempty"`
	Images         int                `json:"images"`               // training images before augmentation
	Validation     int                `json:"validation,omitempty"` // images held out of the training images
	Augment        train.Augmentation `json:"augmentation"`
	BatchSize      int                `json:"batch_size"`
	Optimizer      string             `json:"optimizer,omitempty"` // adam, adamw or sgd
	LearningRate   float64            `json:"learning_rate"`
	Schedule       string             `json:"schedule,omitempty"` // of the learning rate
	WeightDecay    float64            `json:"weight_decay,omitempty"`
	LabelSmoothing float64            `json:"label_smoothing,omitempty"`
	Average        float64            `json:"average,omitempty"` // decay of the moving average of the weights
	Seed           int64              `json:"seed"`
	Step           train.StepKind     `json:"step"`
	Backend        string             `json:"backend"`
	Processor      string             `json:"processor,omitempty"`
	Versions       Versions           `json:"versions,omitzero"`
	Commit         string             `json:"commit,omitempty"`
	Started        string             `json:"started,omitempty"` // RFC 3339
	TrainData      string             `json:"train_sha256"`      // of the training images' pixels and, after them, labels
	TestData       string             `json:"test_sha256"`       // the same of the test images
	ModelData      string             `json:"model_sha256"`      // of the model file after the last epoch
	Epochs         []Epoch            `json:"epochs"`
}

// Versions are those of what a training ran on.
type Versions struct {
	Camlab string `json:"camlab,omitempty"`
	Go     string `json:"go,omitempty"`
	GoMLX  string `json:"gomlx,omitempty"`
	Plugin string `json:"plugin,omitempty"`
}

// Epoch is one row of a [Log].
type Epoch struct {
	Epoch        int               `json:"epoch"`                   // counted from 1
	Step         int               `json:"step,omitempty"`          // steps of the whole run after the epoch
	LearningRate float64           `json:"learning_rate,omitempty"` // of its last step
	TrainLoss    float64           `json:"train_cost"`              // mean over the epoch, as it went, on augmented images
	Validation   *score.Evaluation `json:"validation,omitempty"`    // after the epoch, on the images held out
	Test         score.Evaluation  `json:"test"`                    // after the epoch
	Seconds      float64           `json:"seconds"`                 // wall time of the training steps
	Best         bool              `json:"best,omitempty"`          // the best one when it ended
	Warning      string            `json:"warning,omitempty"`
}

// decodeLog reads a log. One with a field of another type than it should have comes with
// an error that says so.
func decodeLog(data []byte) (*Log, error) {
	var l Log
	err := json.Unmarshal(data, &l)
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return &l, fmt.Errorf("%s is a %s, want %s", wrong.Field, wrong.Value, wrong.Type)
	}
	if err != nil {
		return nil, err
	}
	for i, e := range l.Epochs {
		if e.Epoch != i+1 {
			return &l, fmt.Errorf("epoch %d in the place of epoch %d", e.Epoch, i+1)
		}
	}
	return &l, nil
}

// Best returns the best epoch so far, the first of equals, or nil where there is none: the
// one that the training marks so, or else that of the highest accuracy on the images held
// out, or else on the test images.
func (l *Log) Best() *Epoch {
	if len(l.Epochs) == 0 {
		return nil
	}
	for i := range slices.Backward(l.Epochs) {
		if l.Epochs[i].Best {
			return &l.Epochs[i]
		}
	}
	best := &l.Epochs[0]
	for i := range l.Epochs {
		if e := &l.Epochs[i]; e.judge() > best.judge() {
			best = e
		}
	}
	return best
}

// tested returns the evaluation on the test images, or nil where there was none.
func (e *Epoch) tested() *score.Evaluation {
	if e.Test.Images == 0 {
		return nil
	}
	return &e.Test
}

// validated returns the evaluation on the images held out, or nil where there was none.
func (e *Epoch) validated() *score.Evaluation {
	if e.Validation == nil || e.Validation.Images == 0 {
		return nil
	}
	return e.Validation
}

// judge is the accuracy that says how good an epoch's network is.
func (e *Epoch) judge() float64 {
	v := cmp.Or(e.validated(), e.tested())
	if v == nil {
		return 0
	}
	return v.Accuracy
}

// Last returns the last epoch, or nil where there is none.
func (l *Log) Last() *Epoch {
	if len(l.Epochs) == 0 {
		return nil
	}
	return &l.Epochs[len(l.Epochs)-1]
}

// Seconds returns the wall time of all epochs' training steps.
func (l *Log) Seconds() (sum float64) {
	for _, e := range l.Epochs {
		sum += e.Seconds
	}
	return sum
}

// epochImages is how many images an epoch has: three of each where copies are added.
func (l *Log) epochImages() int {
	if l.Augment == train.Article {
		return 3 * l.Images
	}
	return l.Images
}

// lastStep returns the number of an epoch's last step, counted from 1 over the whole run,
// or 0 if the log does not tell.
func (l *Log) lastStep(e *Epoch) int {
	if e.Step > 0 || l.BatchSize < 1 {
		return e.Step
	}
	return e.Epoch * ((l.epochImages() + l.BatchSize - 1) / l.BatchSize)
}

// imagesPerSecond is the speed of an epoch's training steps, or 0 if the log does not tell.
func (l *Log) imagesPerSecond(e *Epoch) float64 {
	if e.Seconds <= 0 {
		return 0
	}
	return float64(l.epochImages()) / e.Seconds
}

// learningRate is that of an epoch, as far as the log tells.
func (l *Log) learningRate(e *Epoch) float64 {
	if e.LearningRate == 0 && l.Schedule == "" { // a log of before there were schedules
		return l.LearningRate
	}
	return e.LearningRate
}
