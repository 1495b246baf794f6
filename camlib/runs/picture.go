package runs

import (
	"errors"
	"fmt"
	"math"
	"slices"

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
	losses := chart("Loss: "+r.Name(), "loss (nats)")
	accuracies := chart("Accuracy: "+r.Name(), "accuracy (%)")
	add(&losses, curve.Series{Name: "train", Color: curve.Color(0)}, c.trainLoss)
	for i, on := range []struct {
		name           string
		loss, accuracy points
	}{{"test", c.testLoss, c.testAccuracy}, {"validation", c.validationLoss, c.validationAccuracy}} {
		s := curve.Series{Name: on.name, Color: curve.Color(i + 1)}
		add(&losses, s, on.loss)
		add(&accuracies, s, on.accuracy)
	}
	return stack(losses, accuracies)
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
		s := curve.Series{Name: name, Color: curve.Color(i), Width: 2.5}
		add(&losses, s, c.testLoss)
		add(&accuracies, s, c.testAccuracy)
		add(&losses, curve.Series{Name: name + ", train", Color: s.Color, Width: 0.8}, c.trainLoss)
	}
	return stack(losses, accuracies)
}

const maxCurves = 6 // colors of package curve

func chart(title, y string) curve.Chart {
	return curve.Chart{Title: title, XLabel: "epoch", YLabel: y}
}

// add adds a curve, if it has points.
func add(c *curve.Chart, s curve.Series, p points) {
	if len(p.y) > 0 {
		s.X, s.Y = p.x, p.y
		c.Series = append(c.Series, s)
	}
}

// stack draws the losses and, if there are any, the accuracies below them.
func stack(losses, accuracies curve.Chart) ([]byte, error) {
	if len(accuracies.Series) == 0 {
		return losses.PNG()
	}
	accuracies.Y = percentAxis(accuracies.Series)
	return curve.Stack(losses, accuracies)
}

// points are values after epochs: not after all of them where only some are evaluated.
type points struct{ x, y []float64 }

func (p *points) add(epoch int, y float64) { p.x, p.y = append(p.x, float64(epoch)), append(p.y, y) }

// curves are a run's values after its epochs, accuracies in percent.
type curves struct{ trainLoss, testLoss, testAccuracy, validationLoss, validationAccuracy points }

func (r *Run) curves() (c curves, err error) {
	if len(r.Log.Epochs) == 0 {
		return c, fmt.Errorf("runs: curves: %s: %w, want at least one", r.Dir, ErrNoEpochs)
	}
	for i := range r.Log.Epochs {
		e := &r.Log.Epochs[i]
		c.trainLoss.add(e.Epoch, e.TrainLoss)
		if v := tested(e); v != nil {
			c.testLoss.add(e.Epoch, v.Loss)
			c.testAccuracy.add(e.Epoch, 100*v.Accuracy)
		}
		if v := e.Validation; v != nil {
			c.validationLoss.add(e.Epoch, v.Loss)
			c.validationAccuracy.add(e.Epoch, 100*v.Accuracy)
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
		low, high = min(low, slices.Min(s.Y)), max(high, slices.Max(s.Y))
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
	e := r.last()
	if e == nil {
		return nil, fmt.Errorf("runs: confusion matrix: %s: %w, want at least one", r.Dir, ErrNoEpochs)
	}
	if len(e.Test.Confusion) == 0 {
		return nil, fmt.Errorf("runs: confusion matrix: %s: its log has none, want one after each epoch", r.Dir)
	}
	c := figure.Confusion{
		Title:  fmt.Sprintf("%s: test images after epoch %d, accuracy %s %%", r.Name(), e.Epoch, percent(&e.Test.Accuracy)),
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
