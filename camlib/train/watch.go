package train

import (
	"context"
	"fmt"
	"math"
	"time"
)

// The loss is called exploding when it is so many times as large as usual and as that of
// guessing; usual is a mean in which the last tenth of so many steps weighs most.
const (
	explosion = 5
	memory    = 50
)

// watch says once in a run, before the loss is infinite or NaN, that it explodes.
func (t *training) watch(loss, rate float64) {
	guess := math.Log(float64(len(t.train.Classes())))
	if t.usual == 0 {
		t.usual = loss
	}
	if !t.told && loss > explosion*t.usual && loss > explosion*guess {
		t.told = true
		t.notice(fmt.Sprintf("epoch %d, step %d: loss %.4g, %.0f times that of the steps before, at a learning rate of %.3g: the training explodes; try a smaller learning rate than %v, or a longer warmup",
			t.state.Position.Epoch+1, t.state.Position.Step, loss, loss/t.usual, rate, t.config.LearningRate))
	}
	t.usual += (loss - t.usual) / memory
}

// log writes a line of [StepsFile] where one is due, and evaluates the network within an epoch.
func (t *training) log(ctx context.Context, got stepped, rate float64, n int, last bool) error {
	c, made := t.config, t.made()
	evaluates := c.EvaluateEvery > 0 && made%int64(c.EvaluateEvery) == 0 && !last
	if t.steps == nil || !t.steps.add(got.loss, n, made) && !evaluates {
		return nil
	}
	s := Step{
		Step: made, Epoch: t.state.Position.Epoch + 1, LearningRate: rate, Gradient: got.gradient,
		ImagesPerSecond: float64(t.taken) / time.Since(t.began).Seconds(), Seconds: t.state.History.Seconds() + t.state.Position.Seconds,
	}
	if evaluates {
		if err := t.takeAverages(); err != nil {
			return fmt.Errorf("train: %w", err)
		}
		ds := t.test
		if t.validation != nil {
			ds = t.validation
		}
		ev, err := t.evaluator.Evaluate(ctx, ds)
		switch {
		case ctx.Err() != nil: // the loop sees it
			return nil
		case err != nil:
			return err
		}
		s.Accuracy, s.EvaluatedLoss = ev.Accuracy, ev.Loss
	}
	return t.steps.write(s)
}
