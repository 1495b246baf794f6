package train

import (
	"context"
	"fmt"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backend"
)

// training is a running [Train].
type training struct {
	config         Config
	backend        compute.Backend
	net            *network.Network
	holds          content
	train, test    images.Dataset
	pixels, labels *tensors.Tensor
	step           stepper
	result         *network.Network // what is evaluated and saved: net, or a copy with the averages
	evaluator      *Evaluator
	state          state
	published      []byte // the contents of network.ModelFile after the last whole epoch

	folder  *folder   // nil if Dir is ""
	saved   *position // of the last checkpoint there; nil if there is none
	savedAt time.Time

	began  time.Time
	images int // since began
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
	if err := prepare(t.backend, t.net, t.train, t.config.Seed); err != nil {
		return fmt.Errorf("train: %w", err)
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
	settings := History{Architecture: t.net.Name, Images: t.train.Len(), Config: c, Backend: backend.Describe(t.backend)}
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
	}
	if done := t.state.Position.Epoch; done > c.Epochs {
		t.notice(fmt.Sprintf("%s has %d epochs, %d more than asked for", c.Dir, done, done-c.Epochs))
	}
	if t.done() {
		return nil
	}
	t.state.History.Config, t.state.History.Backend = settings.Config, settings.Backend
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
	saved, err := t.folder.load()
	if err != nil {
		return err
	}
	if saved == nil {
		log, err := t.folder.finished(settings, t.config.Epochs, t.net)
		if err == nil && log != nil {
			t.state = state{position{Epoch: len(log.Epochs)}, *log}
		}
		return err
	}
	if err := settings.sameRun(&saved.History); err != nil {
		return fmt.Errorf("train: resume: %s: %w; use the same, or another folder", t.config.Dir, err)
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

func (t *training) done() bool { return t.state.Position.Epoch >= t.config.Epochs }

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

// epoch runs what is left of the epoch that the training stands in.
func (t *training) epoch(ctx context.Context) error {
	c, p := t.config, &t.state.Position
	order := c.Augment.epochPicks(t.train.Len(), t.train.Size(), c.Shift, c.Seed, p.Epoch)
	images, steps := t.state.History.perEpoch()
	width := c.Augment.width()
	done, all := int64(p.Epoch)*int64(steps), int64(c.Epochs)*int64(steps)
	for p.Step < steps {
		if ctx.Err() != nil {
			return t.interrupted(ctx)
		}
		start := time.Now()
		from := p.Step * c.BatchSize
		n := min(c.BatchSize, images-from)
		at := done + int64(p.Step)
		rate := c.LearningRate * c.Schedule.Factor(at, all, c.Warmup)
		batch := order[width*from : width*(from+n)]
		got, err := t.step(t.pixels, t.labels, batch, rate, at+1)
		if err != nil {
			return err
		}
		if !got.finite() {
			return t.overflowed(got, batch)
		}
		p.Step++
		p.LossSum += got.loss * float64(n)
		p.Seconds += time.Since(start).Seconds()
		t.images += n
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
	if err := t.takeAverages(); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	test, err := t.evaluator.Evaluate(ctx, t.test)
	if ctx.Err() != nil {
		return t.interrupted(ctx)
	}
	if err != nil {
		return err
	}
	if !isAmount(test.Loss) {
		return fmt.Errorf("train: epoch %d: loss %v on the test images, want a finite number; try a smaller learning rate than %v",
			p.Epoch+1, test.Loss, c.LearningRate)
	}
	e := Epoch{Epoch: p.Epoch + 1, TrainLoss: p.LossSum / float64(images), Test: *test, Seconds: p.Seconds}
	e.Warning = e.warning(c.LearningRate)
	if t.published, err = t.result.Encode(); err != nil {
		return err
	}
	t.state.History.Epochs = append(t.state.History.Epochs, e)
	t.state.History.ModelData = hash(t.published)
	*p = position{Epoch: p.Epoch + 1}
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
		return fmt.Errorf("%s, nothing saved: no checkpoint folder was given: %w", where, ctx.Err())
	}
	if err := t.save(); err != nil {
		return fmt.Errorf("%s, and the checkpoint could not be saved: %w", where, err)
	}
	return fmt.Errorf("%s; train again with the same settings and folder %s to go on from there: %w", where, t.config.Dir, ctx.Err())
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
	rate := float64(t.images) / time.Since(t.began).Seconds()
	left := float64((t.config.Epochs-p.Epoch)*images - done)
	t.config.OnStep(Progress{
		Epoch: p.Epoch + 1, Epochs: t.config.Epochs, Step: p.Step, Steps: steps,
		Loss: p.LossSum / float64(done), ImagesPerSecond: rate,
		Remaining: time.Duration(left / rate * float64(time.Second)),
	})
}
