package train

import (
	"context"
	"fmt"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/internal/backend"
	"github.com/camlab-go/camlab/internal/failure"
)

// training is a running [Train].
type training struct {
	config         Config
	backend        compute.Backend
	net            *network.Network
	holds          content
	train, test    images.Dataset
	images         int            // how many of train are trained on
	positions      []int32        // which; nil is all
	validation     images.Dataset // the others; nil without any
	pixels, labels *tensors.Tensor
	step           stepper
	result         *network.Network // what is evaluated and saved: net, or a copy with the averages
	evaluator      *Evaluator
	state          state
	published      []byte // the contents of network.ModelFile after the last whole epoch

	usual   float64   // mean loss of the steps before, see watch
	told    bool      // that the loss explodes
	steps   *stepsLog // nil if Dir is ""
	folder  *folder   // nil if Dir is ""
	saved   *position // of the last checkpoint there; nil if there is none
	savedAt time.Time

	began time.Time
	taken int // images since began
}

// prepare makes the network ready. Variables of an earlier training's optimizer go.
func (t *training) prepare() error {
	if t.config.Step == "" {
		t.config.Step = Plain
		if t.net != nil && t.net.Gradients != nil {
			t.config.Step = Winograd
		}
	}
	if t.net != nil && t.net.Store != nil {
		if err := clearOptimizer(t.net.Store); err != nil {
			return fmt.Errorf("train: %w", err)
		}
	}
	if err := t.holdOut(); err != nil {
		return err
	}
	if err := prepare(t.backend, t.net, t.train, t.config.Seed); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if err := checkRates(t.config.Rates, t.net); err != nil {
		return err
	}
	if from := t.config.Start; from != "" {
		if err := t.net.Load(from); err != nil {
			return fmt.Errorf("train: start: %w", err)
		}
	}
	t.holds = content{t.net.Name, parameters(t.net, t.config.update())}
	if err := makeKept(t.net.Store, t.holds.parameters); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// begin loads the checkpoint, if there is one, and prepares the step.
func (t *training) begin() error {
	c := t.config
	settings := History{Architecture: t.net.Name, Images: t.images, Config: c, Backend: backend.Describe(t.backend), Environment: environment()}
	pixels, err := images.Pixels(t.train)
	if err != nil {
		return fmt.Errorf("train: training images: %w", err)
	}
	settings.TrainData = images.HashPixels(pixels, images.Labels(t.train))
	if settings.TestData, err = images.Hash(t.test); err != nil {
		return fmt.Errorf("train: test images: %w", err)
	}
	t.state.History = settings
	if t.folder != nil {
		if err := t.resume(&settings); err != nil {
			return err
		}
		if t.steps, err = openStepsLog(t.folder.path(StepsFile), t.made()); err != nil {
			return err
		}
	}
	if done := t.state.Position.Epoch; done > c.Epochs {
		t.notice(fmt.Sprintf("%s has %d epochs, %d more than asked for", c.Dir, done, done-c.Epochs))
	}
	if t.done() {
		return nil
	}
	t.state.History.Config, t.state.History.Backend, t.state.History.Ended = settings.Config, settings.Backend, ""
	if text := c.uneven(t.backend, t.net); text != "" {
		t.notice(text)
	}
	if t.step, err = steps[c.Step](t.backend, t.net, c, len(t.train.Classes())); err != nil {
		return err
	}
	t.result = t.net
	if c.Average > 0 {
		if t.result, err = t.net.Clone(); err == nil {
			err = clearOptimizer(t.result.Store)
		}
		if err != nil {
			return fmt.Errorf("train: %w", err)
		}
	}
	if t.evaluator, err = NewEvaluatorOn(t.backend, t.result, c.Devices); err != nil {
		return err
	}
	t.pixels, t.labels = dataOf(t.train, pixels)
	t.began, t.savedAt = time.Now(), time.Now()
	return nil
}

// resume takes up what the folder holds.
func (t *training) resume(settings *History) error {
	saved, err := t.folder.load(func(c *checkpoint) error {
		if err := settings.sameRun(&c.History); err != nil {
			return fmt.Errorf("train: resume: %s: %w; use the same, or another folder", t.config.Dir, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if saved == nil {
		log, err := t.folder.finished(settings, t.config.Epochs, t.net)
		switch {
		case err != nil:
			return err
		case log == nil:
			return t.folder.publish(&checkpoint{state: t.state})
		}
		t.state = state{position{Epoch: len(log.Epochs)}, *log}
		return nil
	}
	t.state, t.published, t.saved = saved.state, saved.model, &saved.Position
	if err := saved.values.set(t.net.Store, t.holds.parameters); err != nil {
		return fmt.Errorf("train: resume: %w", err)
	}
	return t.folder.publish(saved)
}

func (t *training) notice(text string) {
	if t.config.OnNotice != nil {
		t.config.OnNotice(text)
	}
}

// done reports whether all epochs are, or no better one has come for as long as there is
// patience.
func (t *training) done() bool {
	done := t.state.Position.Epoch
	best := t.state.History.best()
	return done >= t.config.Epochs || t.config.Patience > 0 && best != nil && done-best.Epoch >= t.config.Patience
}

// made is the number of steps made.
func (t *training) made() int64 {
	_, steps := t.state.History.perEpoch()
	return int64(t.state.Position.Epoch)*int64(steps) + int64(t.state.Position.Step)
}

func (t *training) run(ctx context.Context) error {
	for _, e := range t.state.History.Epochs {
		t.onEpoch(e)
	}
	for !t.done() {
		if err := t.epoch(ctx); err != nil && t.saved != nil && ctx.Err() == nil {
			return fmt.Errorf("%w; %s keeps the checkpoint of %s", err, t.config.Dir, t.saved)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// rate is the learning rate of a step, counted from 0 over all epochs.
func (t *training) rate(step int64) float64 {
	c := t.config
	_, steps := t.state.History.perEpoch()
	return c.LearningRate * c.Schedule.Factor(step, int64(c.Epochs)*int64(steps), c.Warmup)
}

// epoch runs what is left of the epoch that the training stands in.
func (t *training) epoch(ctx context.Context) error {
	c, p := t.config, &t.state.Position
	order, width := t.order(p.Epoch), c.Augment.width()
	images, steps := t.state.History.perEpoch()
	for p.Step < steps {
		if ctx.Err() != nil {
			return t.interrupted(ctx)
		}
		start := time.Now()
		from := p.Step * c.BatchSize
		n := min(c.BatchSize, images-from)
		rate := t.rate(t.made())
		batch := order[width*from : width*(from+n)]
		got, err := t.step(t.pixels, t.labels, batch, rate, t.made()+1)
		if err != nil {
			return err
		}
		if !got.finite() {
			return t.overflowed(got, rate, batch)
		}
		p.Step++
		p.LossSum += got.loss * float64(n)
		p.Seconds += time.Since(start).Seconds()
		t.taken += n
		t.watch(got.loss, rate)
		if err := t.log(ctx, got, rate, n, p.Step == steps); err != nil {
			return err
		}
		t.onStep(images, steps)
		if c.CheckpointEvery > 0 && p.Step < steps && t.folder != nil && time.Since(t.savedAt) >= c.CheckpointEvery {
			if err := t.save(); err != nil {
				return err
			}
		}
	}
	// Whoever ends the process during the evaluation loses none of the steps.
	if err := t.save(); err != nil {
		return err
	}
	e := Epoch{Epoch: p.Epoch + 1, TrainLoss: p.LossSum / float64(images), Seconds: p.Seconds, Step: t.made(), LearningRate: t.rate(t.made() - 1)}
	if err := t.evaluate(ctx, &e); err != nil && ctx.Err() != nil {
		return t.interrupted(ctx)
	} else if err != nil {
		return err
	}
	return t.endEpoch(e)
}

// evaluate evaluates the network after an epoch.
func (t *training) evaluate(ctx context.Context, e *Epoch) error {
	now, err := images.Hash(t.test)
	if err != nil {
		return fmt.Errorf("train: test images: %w", err)
	}
	if now != t.state.History.TestData {
		return fmt.Errorf("train: epoch %d: the test images are not those that the training began with: sha256 %s, want %s", e.Epoch, now, t.state.History.TestData)
	}
	if err := t.takeAverages(); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	of := func(what string, ds images.Dataset) (*score.Evaluation, error) {
		ev, err := t.evaluator.Evaluate(ctx, ds)
		if err == nil && !isAmount(ev.Loss) {
			err = fmt.Errorf("train: epoch %d: loss %v on the %s images, want a finite number; try a smaller learning rate than %v",
				e.Epoch, ev.Loss, what, t.config.LearningRate)
		}
		return ev, err
	}
	if t.validation != nil {
		if e.Validation, err = of("validation", t.validation); err != nil {
			return err
		}
	}
	test, err := of("test", t.test)
	if err != nil {
		return err
	}
	e.Test = *test
	e.Warning = e.warning(t.config.LearningRate)
	return nil
}

// endEpoch takes an epoch into the log and saves.
func (t *training) endEpoch(e Epoch) (err error) {
	if t.published, err = t.result.Encode(); err != nil {
		return err
	}
	h := &t.state.History
	h.ModelData = hash(t.published)
	if best := h.best(); best == nil || e.accuracy() > best.accuracy() {
		e.Best, h.BestData = true, h.ModelData
	}
	h.Epochs = append(h.Epochs, e)
	t.state.Position = position{Epoch: e.Epoch}
	switch {
	case e.Epoch >= t.config.Epochs:
		h.Ended = "all epochs are done"
	case t.done():
		h.Ended = fmt.Sprintf("no better epoch for %d epochs", t.config.Patience)
	}
	if err := t.save(); err != nil {
		return err
	}
	t.onEpoch(e)
	return nil
}

// takeAverages sets the weights that are evaluated to the averages, where there are any.
func (t *training) takeAverages() error {
	for _, p := range t.holds.parameters {
		if p.kind != average {
			continue
		}
		value, err := t.net.Store.GetVariable(p.path()).Value()
		if err == nil {
			value, err = value.LocalClone()
		}
		if err == nil {
			err = t.result.Store.GetVariable(p.of).SetValue(value)
		}
		if err != nil {
			return fmt.Errorf("average of %s: %w", p.of, err)
		}
	}
	return nil
}

// interrupted saves the checkpoint and says how to go on.
func (t *training) interrupted(ctx context.Context) error {
	p := t.state.Position
	where := fmt.Sprintf("train: stopped in epoch %d after %d steps", p.Epoch+1, p.Step)
	if t.config.Dir == "" {
		return failure.New(ctx.Err(), "%s, nothing saved: no checkpoint folder was given", where)
	}
	if err := t.save(); err != nil {
		return fmt.Errorf("%s, and the checkpoint could not be saved: %w", where, err)
	}
	return failure.New(ctx.Err(), "%s; train again with the same settings and folder %s to go on from there", where, t.config.Dir)
}

// save checks what the training has come to and writes the checkpoint, and after
// it, at the end of an epoch, the model and the log.
func (t *training) save() error {
	values, err := valuesOf(t.net.Store, t.holds.parameters)
	if err != nil {
		return fmt.Errorf("train: %s: %w; try a smaller learning rate than %v", t.state.Position, err, t.config.LearningRate)
	}
	if t.folder == nil {
		return nil
	}
	c := &checkpoint{t.state, values, t.published}
	if err := t.folder.save(c); err != nil {
		return fmt.Errorf("%w; when that is mended, train again with the same settings to go on", err)
	}
	at := t.state.Position
	t.saved, t.savedAt = &at, time.Now()
	if at.Step > 0 {
		return nil
	}
	return t.folder.publish(c)
}

func (t *training) onEpoch(e Epoch) {
	if t.config.OnEpoch != nil {
		t.config.OnEpoch(e)
	}
}

func (t *training) onStep(images, steps int) {
	if t.config.OnStep == nil {
		return
	}
	p := t.state.Position
	done := min(p.Step*t.config.BatchSize, images)
	rate := float64(t.taken) / time.Since(t.began).Seconds()
	left := float64((t.config.Epochs-p.Epoch)*images - done)
	t.config.OnStep(Progress{
		Epoch: p.Epoch + 1, Epochs: t.config.Epochs, Step: p.Step, Steps: steps,
		Loss: p.LossSum / float64(done), ImagesPerSecond: rate,
		Remaining: time.Duration(left / rate * float64(time.Second)),
	})
}
