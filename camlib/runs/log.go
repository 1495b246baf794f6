package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/camlib/train"
)

// decodeLog reads a [train.LogFile]. One with a field of another type than it should have
// comes with an error that says so.
func decodeLog(data []byte) (*train.History, error) {
	var l train.History
	err := json.Unmarshal(data, &l)
	if l.Config.BatchSize == 0 && err == nil { // older logs have the settings beside the rest
		err = json.Unmarshal(data, &struct {
			*train.Config
			Epochs any `json:"epochs"` // not how many
		}{Config: &l.Config})
	}
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
// last that the training marks so, or in an older log, without marks, that of the highest
// accuracy on the test images.
func (r *Run) Best() (best *train.Epoch) {
	epochs := r.Log.Epochs
	for i := range slices.Backward(epochs) {
		if epochs[i].Best {
			return &epochs[i]
		}
	}
	for i := range epochs {
		if best == nil || epochs[i].Test.Accuracy > best.Test.Accuracy {
			best = &epochs[i]
		}
	}
	return best
}

// last returns the last epoch, or nil where there is none.
func (r *Run) last() *train.Epoch {
	if n := len(r.Log.Epochs); n > 0 {
		return &r.Log.Epochs[n-1]
	}
	return nil
}

// tested returns an epoch's evaluation on the test images, or nil where the log has none.
func tested(e *train.Epoch) *score.Evaluation {
	if e.Test.Images == 0 {
		return nil
	}
	return &e.Test
}

// epochImages is how many images an epoch has: three of each where copies are added.
func (r *Run) epochImages() int {
	if r.Log.Config.Augment == train.Article {
		return 3 * r.Log.Images
	}
	return r.Log.Images
}

// lastStep returns the number of an epoch's last step, counted from 1 over the whole run,
// or 0 if the log does not tell.
func (r *Run) lastStep(e *train.Epoch) int64 {
	batch := r.Log.Config.BatchSize
	if e.Step > 0 || batch < 1 {
		return e.Step
	}
	return int64(e.Epoch) * int64((r.epochImages()+batch-1)/batch)
}

// imagesPerSecond is the speed of an epoch's training steps, or 0 if the log does not tell.
func (r *Run) imagesPerSecond(e *train.Epoch) float64 {
	if e.Seconds <= 0 {
		return 0
	}
	return float64(r.epochImages()) / e.Seconds
}

// learningRate is that of an epoch's last step, or 0 if the log does not tell.
func (r *Run) learningRate(e *train.Epoch) float64 {
	c := &r.Log.Config
	if e.LearningRate == 0 && (c.Schedule == train.Constant || c.Schedule == "") { // of an older log
		return c.LearningRate
	}
	return e.LearningRate
}
