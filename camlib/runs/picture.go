package runs

import (
	"errors"
	"fmt"
	"math"

	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/figure/curve"
)

// ErrNoEpochs is the error for what needs an epoch of a run that has none, for errors.Is.
var ErrNoEpochs = errors.New("no epoch is done yet")

// Curves returns a PNG file with two charts over the epochs: the losses, and the accuracies.
// It fails with [ErrNoEpochs] before the end of the first epoch.
func (r *Run) Curves() ([]byte, error) {
	c, err := r.curves()
	if err != nil {
		return nil, err
	}
	title := name(r.Dir)
	losses := chart("Loss: "+title, "loss (nats)", curve.Series{Name: "train", Y: c.trainLoss}, curve.Series{Name: "test", Y: c.testLoss})
	accuracies := chart("Accuracy: "+title, "accuracy (%)", curve.Series{Name: "test", Y: c.accuracy, Color: curve.Color(1)})
	if len(c.validated) > 0 {
		losses.Series = append(losses.Series, curve.Series{Name: "validation", X: c.validated, Y: c.validationLoss})
		accuracies.Series = append(accuracies.Series, curve.Series{Name: "validation", X: c.validated, Y: c.validation, Color: curve.Color(2)})
	}
	accuracies.Y = percentAxis(accuracies.Series)
	return curve.Stack(losses, accuracies)
}

// CurvesOf returns a PNG file with the curves of several runs in the same two charts: the
// test loss of each, with its training loss thin in the same color, and the test accuracy.
// It fails for no runs, for more than six, which have no colors of their own, and with
// [ErrNoEpochs] where one has no epoch.
func CurvesOf(runs []*Run) ([]byte, error) {
	if len(runs) < 1 || len(runs) > maxCurves {
		return nil, fmt.Errorf("runs: curves of %d runs, want 1 to %d in one picture", len(runs), maxCurves)
	}
	losses := chart("Loss: on the test images, and thin on the training images", "loss (nats)")
	accuracies := chart("Accuracy on the test images", "accuracy (%)")
	for i, name := range names(runs) {
		c, err := runs[i].curves()
		if err != nil {
			return nil, err
		}
		color := curve.Color(i)
		losses.Series = append(losses.Series, curve.Series{Name: name, Y: c.testLoss, Color: color, Width: 2.5},
			curve.Series{Name: name + ", train", Y: c.trainLoss, Color: color, Width: 0.8})
		accuracies.Series = append(accuracies.Series, curve.Series{Name: name, Y: c.accuracy, Color: color, Width: 2.5})
	}
	accuracies.Y = percentAxis(accuracies.Series)
	return curve.Stack(losses, accuracies)
}

const maxCurves = 6 // colors of package curve

func chart(title, y string, series ...curve.Series) curve.Chart {
	return curve.Chart{Title: title, XLabel: "epoch", YLabel: y, Series: series}
}

// curves are a run's values after each epoch. Accuracies are in percent. Only some epochs
// may be validated.
type curves struct {
	trainLoss, testLoss, accuracy         []float64
	validated, validationLoss, validation []float64
}

func (r *Run) curves() (c curves, err error) {
	if len(r.Log.Epochs) == 0 {
		return c, fmt.Errorf("runs: curves: %s: %w, want at least one", r.Dir, ErrNoEpochs)
	}
	for _, e := range r.Log.Epochs {
		c.trainLoss, c.testLoss, c.accuracy = append(c.trainLoss, e.TrainLoss), append(c.testLoss, e.Test.Loss), append(c.accuracy, 100*e.Test.Accuracy)
		if v := e.Validation; v != nil {
			c.validated = append(c.validated, float64(e.Epoch))
			c.validationLoss, c.validation = append(c.validationLoss, v.Loss), append(c.validation, 100*v.Accuracy)
		}
	}
	return c, nil
}

// percentAxis returns the ends of an axis of accuracies: multiples of 10, so that what
// differs by little shows.
func percentAxis(series []curve.Series) [2]float64 {
	const step = 10
	low, high := 100.0, 0.0
	for _, s := range series {
		for _, y := range s.Y {
			low, high = min(low, y), max(high, y)
		}
	}
	low, high = step*math.Floor(low/step), step*math.Ceil(high/step)
	if low == high {
		low, high = low-step, high+step
	}
	return [2]float64{max(0, low), min(100, high)}
}

// Confusion returns the confusion matrix on the test images after the last epoch, as a PNG
// file. It fails with [ErrNoEpochs] before the end of the first epoch, and where the log
// has no matrix.
func (r *Run) Confusion() ([]byte, error) {
	e := r.Log.Last()
	if e == nil {
		return nil, fmt.Errorf("runs: confusion matrix: %s: %w, want at least one", r.Dir, ErrNoEpochs)
	}
	if len(e.Test.Confusion) == 0 {
		return nil, fmt.Errorf("runs: confusion matrix: %s: its log has none, want one after each epoch", r.Dir)
	}
	c := figure.Confusion{
		Title:  fmt.Sprintf("%s: test images after epoch %d, accuracy %s %%", name(r.Dir), e.Epoch, percent(&e.Test.Accuracy)),
		Counts: e.Test.Confusion,
	}
	for _, class := range e.Test.PerClass {
		c.Classes = append(c.Classes, class.Class)
	}
	picture, err := c.Draw()
	if err != nil {
		return nil, err
	}
	return figure.PNGBytes(picture)
}
