package cnn

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/camlab-go/camlab/camlib/cifar10"
)

// StepKind names a way to compute a training step. All give the same numbers up to
// float32 rounding.
type StepKind string

// The step kinds. Plain is one graph with gradients by automatic
// differentiation. Winograd has the gradients by hand, a batch in chunks, and on a CPU all
// layers but the first as Winograd convolutions, several times as fast.
const (
	Plain    StepKind = "plain"
	Winograd StepKind = "winograd"
)

var steps = map[StepKind]newStep{Plain: plainStep, Winograd: byHandStep}

// TrainConfig sets a training. The zero value is the article's.
type TrainConfig struct {
	Epochs       int          // 0 is 15
	BatchSize    int          // images a step; 0 is 125
	LearningRate float64      // of Adam; 0 is 0.001
	Augment      Augmentation // "" is Article
	Seed         int64        // of the images' order and crops
	Step         StepKind     // "" is Winograd

	// Dir is the checkpoint folder, written before and after the evaluation that
	// ends an epoch, every CheckpointEvery within one, and when the training is
	// interrupted; a training that finds its checkpoint there goes on from it.
	// "" keeps none.
	Dir             string
	CheckpointEvery time.Duration // 0 is two minutes, negative is never within an epoch

	OnStep  func(Progress) // called after every step; may be nil
	OnEpoch func(Epoch)    // called after every epoch, also for those of a resumed training; may be nil

	// OnNotice is called with what was found in Dir and mended; may be nil.
	OnNotice func(string)
}

// Progress is where a running training stands.
type Progress struct {
	Epoch, Epochs   int     // the epoch that is running, from 1, and how many there will be
	Step, Steps     int     // steps done in this epoch, and how many it has
	Cost            float64 // mean cost of this epoch so far
	ImagesPerSecond float64 // since this call of Train began
	Remaining       time.Duration
}

func (c TrainConfig) withDefaults() (TrainConfig, error) {
	if c.Epochs == 0 {
		c.Epochs = 15
	}
	if c.BatchSize == 0 {
		c.BatchSize = 125 // divides 150,000, 50,000, 10,000 and 1,000: no odd last batch to compile for
	}
	if c.LearningRate == 0 {
		c.LearningRate = 0.001
	}
	if c.Augment == "" {
		c.Augment = Article
	}
	if c.Step == "" {
		c.Step = Winograd
	}
	if c.CheckpointEvery == 0 {
		c.CheckpointEvery = 2 * time.Minute
	}
	if _, err := ParseAugmentation(string(c.Augment)); err != nil {
		return c, err
	}
	switch {
	case c.Epochs < 0:
		return c, fmt.Errorf("cnn: train: %d epochs, want 1 or more", c.Epochs)
	case c.BatchSize < 0:
		return c, fmt.Errorf("cnn: train: batch size %d, want 1 or more", c.BatchSize)
	case !(c.LearningRate > 0) || math.IsInf(c.LearningRate, 0):
		return c, fmt.Errorf("cnn: train: learning rate %v, want a positive number", c.LearningRate)
	case steps[c.Step] == nil:
		return c, fmt.Errorf("cnn: train: step %q, want %s or %s", c.Step, Plain, Winograd)
	}
	return c, nil
}

// Check fails when [Train] would before it looks at its data: when a setting is
// out of range, or Dir cannot be written, which it tries, or another training uses
// it. Programs call it before they load the data.
func (c TrainConfig) Check() error {
	c, err := c.withDefaults()
	if err != nil || c.Dir == "" {
		return err
	}
	f, err := openFolder(c.Dir, nil)
	if err != nil {
		return err
	}
	f.close()
	return nil
}

// Train trains the model by Adam on the mean cross entropy and evaluates it on
// test after every epoch. It returns the log of all epochs, also of those that
// an earlier call made into the same checkpoint folder.
//
// When ctx is done it stops after the running step, saves the checkpoint, and
// returns the log so far with an error that says how to go on and wraps ctx's.
// The same configuration, data and backend give the same weights bit for bit,
// interrupted or not. It fails when the cost, a weight or one of Adam's moments is no
// finite number at a step, at a checkpoint or at the end of an epoch; the last
// checkpoint and model stay. An epoch after which the network is no better than
// guessing has a Warning.
//
// Dir is locked for as long as Train runs. A damaged checkpoint is not used: Train
// goes on from the one before it, or fails. A missing or damaged model or log is
// written again. A folder with the model and the log of all epochs, but without
// [TrainingFile], is a finished run, which it returns; one with anything else that
// it would overwrite is an error.
//
// On the pure-Go backend, tens of times slower, Plain and Winograd are one step with
// gradients by hand.
func Train(ctx context.Context, backend compute.Backend, m *Model, train, test *cifar10.Dataset, config TrainConfig) (*History, error) {
	c, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	if train.Len() == 0 || test.Len() == 0 {
		return nil, fmt.Errorf("cnn: train: %d training and %d test images, want at least one of each", train.Len(), test.Len())
	}
	t := &training{config: c, backend: backend, model: m, train: train, test: test}
	if c.Dir != "" {
		if t.folder, err = openFolder(c.Dir, t.notice); err != nil {
			return nil, err
		}
		defer t.folder.close()
	}
	if err := t.begin(); err != nil {
		return nil, err
	}
	err = t.run(ctx)
	if clearErr := t.clear(); err == nil {
		err = clearErr
	}
	return &t.state.History, err
}

// training is a running [Train].
type training struct {
	config         TrainConfig
	backend        compute.Backend
	model          *Model
	train, test    *cifar10.Dataset
	pixels, labels *tensors.Tensor
	step           stepper
	evaluator      *Evaluator
	state          state
	published      []byte // the contents of ModelFile after the last whole epoch

	folder  *folder   // nil if Dir is ""
	saved   *position // of the last checkpoint there; nil if there is none
	savedAt time.Time

	began  time.Time
	images int // since began
}

// begin loads the checkpoint, if there is one, and prepares the step.
func (t *training) begin() error {
	c := t.config
	if err := t.clear(); err != nil {
		return err
	}
	settings := History{
		Architecture: Architecture, Images: t.train.Len(), Augment: c.Augment, BatchSize: c.BatchSize,
		LearningRate: c.LearningRate, Seed: c.Seed, Step: c.Step, Backend: DescribeBackend(t.backend),
		TrainData: hash(t.train.Pixels, t.train.Labels), TestData: hash(t.test.Pixels, t.test.Labels),
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
	t.state.History.Step, t.state.History.Backend = settings.Step, settings.Backend
	var err error
	step := steps[c.Step]
	if isGo(t.backend) {
		step = byHandStep
	}
	if t.step, err = step(t.backend, t.model, c.LearningRate); err != nil {
		return err
	}
	if t.evaluator, err = NewEvaluator(t.backend, t.model); err != nil {
		return err
	}
	n := t.train.Len()
	t.pixels = tensors.FromFlatDataAndDimensions(t.train.Pixels, n, cifar10.Height, cifar10.Width, cifar10.Channels)
	t.labels = tensors.FromFlatDataAndDimensions(t.train.Labels, n)
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
		log, model, err := t.folder.finished(settings, t.config.Epochs)
		if err != nil || log == nil {
			return err
		}
		t.state = state{position{Epoch: len(log.Epochs)}, *log}
		values, err := model.trained()
		if err != nil {
			return err
		}
		return t.model.setTrained(values)
	}
	if err := settings.sameRun(&saved.History); err != nil {
		return fmt.Errorf("cnn: resume: %s: %w; use the same, or another folder", t.config.Dir, err)
	}
	t.state, t.published, t.saved = saved.state, saved.model, &saved.Position
	if err := t.model.setTrained(saved.values); err != nil {
		return err
	}
	if err := t.setStep(); err != nil {
		return err
	}
	return t.folder.publish(saved)
}

func (t *training) notice(text string) {
	if t.config.OnNotice != nil {
		t.config.OnNotice(text)
	}
}

func (t *training) done() bool { return t.state.Position.Epoch >= t.config.Epochs }

// setStep sets the optimiser's counters, on which Adam's bias correction
// depends, to the number of steps done.
func (t *training) setStep() error {
	_, perEpoch := t.state.History.perEpoch()
	steps := int64(t.state.Position.Epoch*perEpoch + t.state.Position.Step)
	adams := t.model.store.VariableWithValue(model.JoinPath(optimizer.AdamDefaultScope, "step"), float32(0)).SetTrainable(false)
	err := errors.Join(
		optimizer.GetGlobalStepVar(t.model.store).SetValue(tensors.FromScalar(steps)),
		adams.SetValue(tensors.FromScalar(float32(steps))))
	if err != nil {
		return fmt.Errorf("cnn: resume: %w", err)
	}
	return nil
}

// clear removes the optimiser's variables from the model.
func (t *training) clear() error {
	store := t.model.store
	err := errors.Join(
		store.DeleteVariablesInScope(optimizer.Scope),
		store.DeleteVariablesInScope(optimizer.AdamDefaultScope),
		optimizer.DeleteGlobalStep(store))
	if err != nil {
		return fmt.Errorf("cnn: train: %w", err)
	}
	return nil
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

// epoch runs what is left of the epoch that the training stands in.
func (t *training) epoch(ctx context.Context) error {
	c, p := t.config, &t.state.Position
	order := c.Augment.epochPicks(t.train.Len(), c.Seed, p.Epoch)
	images, steps := t.state.History.perEpoch()
	for p.Step < steps {
		if ctx.Err() != nil {
			return t.interrupted(ctx)
		}
		start := time.Now()
		from := p.Step * c.BatchSize
		n := min(c.BatchSize, images-from)
		cost, err := t.step(t.pixels, t.labels, order[4*from:4*(from+n)])
		if err != nil {
			return err
		}
		if math.IsNaN(cost) || math.IsInf(cost, 0) {
			return t.overflowed(cost, order[4*from:4*(from+n)])
		}
		p.Step++
		p.CostSum += cost * float64(n)
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
	test, err := t.evaluator.Evaluate(ctx, t.test)
	if ctx.Err() != nil {
		return t.interrupted(ctx)
	}
	if err != nil {
		return err
	}
	if !isAmount(test.Cost) {
		return fmt.Errorf("cnn: train: epoch %d: cost %v on the test images, want a finite number; try a smaller learning rate than %v",
			p.Epoch+1, test.Cost, c.LearningRate)
	}
	e := Epoch{Epoch: p.Epoch + 1, TrainCost: p.CostSum / float64(images), Test: *test, Seconds: p.Seconds}
	e.Warning = e.warning(c.LearningRate)
	if t.published, err = t.model.Encode(); err != nil {
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

// interrupted saves the checkpoint and says how to go on.
func (t *training) interrupted(ctx context.Context) error {
	p := t.state.Position
	where := fmt.Sprintf("cnn: train: stopped in epoch %d after %d steps", p.Epoch+1, p.Step)
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
	values, err := t.model.trained()
	if err != nil {
		return fmt.Errorf("cnn: train: %s: %w; try a smaller learning rate than %v", t.state.Position, err, t.config.LearningRate)
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
		Cost: p.CostSum / float64(done), ImagesPerSecond: rate,
		Remaining: time.Duration(left / rate * float64(time.Second)),
	})
}
