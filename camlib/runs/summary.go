package runs

import (
	"time"
)

// Summary is what a run came to. What its log does not tell is nil or zero.
type Summary struct {
	Network         string    `json:"network,omitempty"`
	Started         time.Time `json:"started,omitzero"`
	Epochs          int       `json:"epochs"`
	Steps           int64     `json:"steps"`
	BestEpoch       int       `json:"best_epoch,omitempty"`
	BestAccuracy    *float64  `json:"best_accuracy,omitempty"`       // on the test images after that epoch
	Validation      *float64  `json:"validation_accuracy,omitempty"` // on the images held out, after that epoch
	Accuracy        *float64  `json:"accuracy,omitempty"`            // on the test images after the last epoch
	MacroF1         *float64  `json:"macro_f1,omitempty"`
	TestLoss        *float64  `json:"test_loss,omitempty"`
	TrainLoss       *float64  `json:"train_loss,omitempty"` // of the last epoch, or else of the last step
	Seconds         float64   `json:"seconds"`              // wall time of the training steps
	ImagesPerSecond float64   `json:"images_per_second,omitempty"`
}

// Summary sums up a run.
func (r *Run) Summary() Summary {
	l := &r.Log
	s := Summary{Network: l.Architecture, Started: l.Started, Epochs: len(l.Epochs), Seconds: l.Seconds()}
	if e := r.last(); e != nil {
		s.Steps = r.lastStep(e)
		s.TrainLoss = &e.TrainLoss
		if t := tested(e); t != nil {
			s.Accuracy, s.MacroF1, s.TestLoss = &t.Accuracy, &t.MacroF1, &t.Loss
		}
		if s.Seconds > 0 {
			s.ImagesPerSecond = float64(len(l.Epochs)*r.epochImages()) / s.Seconds
		}
		best := r.Best()
		s.BestEpoch = best.Epoch
		if t := tested(best); t != nil {
			s.BestAccuracy = &t.Accuracy
		}
		if v := best.Validation; v != nil {
			s.Validation = &v.Accuracy
		}
	}
	if last := r.LastStep; last != nil && last.Step > s.Steps {
		s.Steps, s.Seconds = last.Step, last.Seconds
		if s.Epochs == 0 {
			s.TrainLoss, s.ImagesPerSecond = &last.Loss, last.ImagesPerSecond
		}
	}
	return s
}

// start is when a run began: as its log says, or else as long before the log was written
// as it trained.
func (r *Run) start() time.Time {
	if t := r.Log.Started; !t.IsZero() {
		return t
	}
	return r.written.Add(-time.Duration(r.Summary().Seconds * float64(time.Second)))
}
