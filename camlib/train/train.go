// Package train trains networks: any [network.Network] on any [images.Dataset], with
// checkpoints that a training goes on from bit for bit, evaluation after every epoch, and
// a log.
package train

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gomlx/compute"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
)

// Config sets a training. The zero value is the article's. What has a name in JSON is what a
// run's numbers depend on; a [LogFile] has it.
type Config struct {
	Epochs         int                `json:"epochs"`                    // 0 is 15
	BatchSize      int                `json:"batch_size"`                // images a step; 0 is 125
	LearningRate   float64            `json:"learning_rate"`             // the largest; 0 is 0.001, of SGD 0.1
	Optimizer      Optimizer          `json:"optimizer"`                 // "" is Adam
	Momentum       float64            `json:"momentum,omitempty"`        // of SGD, 0 to 1; 0 is 0.9
	WeightDecay    float64            `json:"weight_decay,omitempty"`    // λ of AdamW, 0 is 0.01, and of SGD, apart from the gradient
	Rates          map[string]float64 `json:"rates,omitempty"`           // factors of the learning rate, by how a variable's path ends: "biases", "dense/weights"
	Schedule       Schedule           `json:"schedule"`                  // of the learning rate; "" is Constant
	Warmup         float64            `json:"warmup,omitempty"`          // fraction of the steps in which the learning rate rises, 0 to 1; 0 is the schedule's own
	LabelSmoothing float64            `json:"label_smoothing,omitempty"` // 0 to 1: the share of every target that all classes have alike
	Average        float64            `json:"average,omitempty"`         // decay d of a moving average of the weights, 0 to 1, which then is what is evaluated and saved; 0 is none
	Augment        Augmentation       `json:"augmentation"`              // "" is Article
	Shift          int                `json:"shift"`                     // pixels by which a crop moves at most, 1 to 4; 0 is 4
	Seed           int64              `json:"seed"`                      // of the images' order and crops, and of the network's random numbers
	Step           StepKind           `json:"step"`                      // "" is Winograd where the network has Gradients, or else Plain
	Devices        int                `json:"devices,omitempty"`         // of the backend, that share the images of a step and of the evaluation; 0 is one

	// Dir is the checkpoint folder, written before and after the evaluation that
	// ends an epoch, every CheckpointEvery within one, and when the training is
	// interrupted; a training that finds its checkpoint there goes on from it.
	// "" keeps none.
	Dir             string        `json:"-"`
	CheckpointEvery time.Duration `json:"-"` // 0 is two minutes, negative is never within an epoch

	OnStep  func(Progress) `json:"-"` // called after every step; may be nil
	OnEpoch func(Epoch)    `json:"-"` // called after every epoch, also for those of a resumed training; may be nil

	// OnNotice is called with what was found in Dir and mended; may be nil.
	OnNotice func(string) `json:"-"`
}

// Progress is where a running training stands.
type Progress struct {
	Epoch, Epochs   int     // the epoch that is running, from 1, and how many there will be
	Step, Steps     int     // steps done in this epoch, and how many it has
	Loss            float64 // mean loss of this epoch so far
	ImagesPerSecond float64 // since this call of Train began
	Remaining       time.Duration
}

// withDefaults returns the configuration with numbers for zeros. A Step of "" stays.
func (c Config) withDefaults() (Config, error) {
	if c.Epochs == 0 {
		c.Epochs = 15
	}
	if c.BatchSize == 0 {
		c.BatchSize = 125 // divides 150,000, 50,000, 10,000 and 1,000: no odd last batch to compile for
	}
	if c.Optimizer == "" {
		c.Optimizer = Adam
	}
	if c.LearningRate == 0 {
		c.LearningRate = map[Optimizer]float64{SGD: 0.1}[c.Optimizer]
		if c.LearningRate == 0 {
			c.LearningRate = 0.001
		}
	}
	if c.Momentum == 0 && c.Optimizer == SGD {
		c.Momentum = 0.9
	}
	if c.WeightDecay == 0 && c.Optimizer == AdamW {
		c.WeightDecay = 0.01
	}
	if c.Schedule == "" {
		c.Schedule = Constant
	}
	if c.Warmup == 0 {
		c.Warmup = c.Schedule.warmup()
	}
	if c.Augment == "" {
		c.Augment = Article
	}
	if c.Shift == 0 {
		c.Shift = margin
	}
	if c.CheckpointEvery == 0 {
		c.CheckpointEvery = 2 * time.Minute
	}
	return c, c.checkNumbers()
}

// checkNumbers returns an error if a setting is out of range.
func (c Config) checkNumbers() error {
	_, augmentation := ParseAugmentation(string(c.Augment))
	_, optimizer := ParseOptimizer(string(c.Optimizer))
	_, schedule := ParseSchedule(string(c.Schedule))
	if err := cmp.Or(augmentation, optimizer, schedule); err != nil {
		return err
	}
	share := func(x float64) bool { return x >= 0 && x < 1 }
	switch {
	case c.Epochs < 1:
		return fmt.Errorf("train: %d epochs, want 1 or more", c.Epochs)
	case c.Devices < 0:
		return fmt.Errorf("train: %d devices, want 0 or more", c.Devices)
	case c.BatchSize < 1:
		return fmt.Errorf("train: batch size %d, want 1 or more", c.BatchSize)
	case !(c.LearningRate > 0) || math.IsInf(c.LearningRate, 0):
		return fmt.Errorf("train: learning rate %v, want a positive number", c.LearningRate)
	case !share(c.Momentum):
		return fmt.Errorf("train: momentum %v, want 0 to less than 1", c.Momentum)
	case c.Momentum > 0 && c.Optimizer != SGD:
		return fmt.Errorf("train: momentum %v with %s, want it with %s alone", c.Momentum, c.Optimizer, SGD)
	case !isAmount(c.WeightDecay):
		return fmt.Errorf("train: weight decay %v, want 0 or a positive number", c.WeightDecay)
	case c.WeightDecay > 0 && c.Optimizer == Adam:
		return fmt.Errorf("train: weight decay %v with %s, want %s or %s", c.WeightDecay, Adam, AdamW, SGD)
	case c.LearningRate*c.WeightDecay >= 1:
		return fmt.Errorf("train: weight decay %v at a learning rate of %v, want a product of less than 1: it is what a step takes from every weight", c.WeightDecay, c.LearningRate)
	case c.Shift < 1 || c.Shift > margin:
		return fmt.Errorf("train: shift %d, want 1 to %d pixels", c.Shift, margin)
	case !share(c.Warmup):
		return fmt.Errorf("train: warmup %v, want 0 to less than 1: the fraction of all steps", c.Warmup)
	case !share(c.LabelSmoothing):
		return fmt.Errorf("train: label smoothing %v, want 0 to less than 1", c.LabelSmoothing)
	case !share(c.Average):
		return fmt.Errorf("train: average %v, want 0 for none or a decay of less than 1, such as 0.999", c.Average)
	case c.Step != "" && steps[c.Step] == nil:
		return fmt.Errorf("train: step %q, want %s or %s", c.Step, Plain, Winograd)
	}
	for end, f := range c.Rates {
		if !isAmount(f) || end == "" {
			return fmt.Errorf("train: rate %v of %q, want 0 or a positive number, of the end of a variable's path such as biases", f, end)
		}
	}
	return nil
}

// Check returns the error that [Train] would before it looks at its network and data: that
// a setting is out of range, or that Dir cannot be written, which it tries, or is used by
// another training. Programs call it before they load the data.
func (c Config) Check() error {
	c, err := c.withDefaults()
	if err != nil || c.Dir == "" {
		return err
	}
	f, err := openFolder(c.Dir, content{}, nil)
	if err != nil {
		return err
	}
	f.close()
	return nil
}

// check returns an error if a network cannot be trained with these settings on these
// images.
func (c Config) check(net *network.Network, train, test images.Dataset) error {
	if images.Len(train) == 0 || images.Len(test) == 0 {
		return fmt.Errorf("train: %d training and %d test images, want at least one of each", images.Len(train), images.Len(test))
	}
	for what, ds := range map[string]images.Dataset{"training": train, "test": test} {
		if err := images.CheckDataset(ds); err != nil {
			return fmt.Errorf("train: %s images: %w", what, err)
		}
	}
	a, b := train.Size(), test.Size()
	switch {
	case a != b:
		return fmt.Errorf("train: training images of %s and test images of %s, want one size", a, b)
	case len(train.Classes()) != len(test.Classes()):
		return fmt.Errorf("train: training images of %d classes and test images of %d, want the same", len(train.Classes()), len(test.Classes()))
	case c.Step == Winograd && net != nil && net.Gradients == nil:
		return fmt.Errorf("train: step %s, but %s has no Gradients; want %s, or a network with them", Winograd, net.Name, Plain)
	case c.Dir != "" && net != nil && net.Name == "":
		return fmt.Errorf("train: checkpoint folder %s: the network has no name, want one that tells its checkpoints from others'", c.Dir)
	}
	return nil
}

// Train trains a network on the mean cross entropy and evaluates it on test after
// every epoch. It returns the log of all epochs, also of those that an earlier call made
// into the same checkpoint folder.
//
// When ctx is done it stops after the running step, saves the checkpoint, and
// returns the log so far with an error that says how to go on and wraps ctx's.
// The same configuration, data and backend give the same weights bit for bit,
// interrupted or not. It fails when the loss, a gradient, a weight or one of the optimizer's moments is no
// finite number at a step, at a checkpoint or at the end of an epoch; the last
// checkpoint and model stay. An epoch after which the network is no better than
// guessing has a Warning.
//
// The network's layers are built as GoMLX's for training, so that batch normalization and
// dropout work. All that changes is in the checkpoint: every variable of the network's
// store, of whatever type, and the optimizer's moments. Weights without a value yet get one by
// their initializers, from Seed.
//
// Dir is locked for as long as Train runs. A damaged checkpoint is not used: Train
// goes on from the one before it, or fails. A missing or damaged model or log is
// written again. A folder with the model and the log of all epochs, but without
// [TrainingFile], is a finished run, which it returns; one with anything else that
// it would overwrite is an error.
//
// The loss is the cross entropy alone, without what GoMLX's regularizers would add. The
// pure-Go backend is tens of times slower than XLA.
func Train(ctx context.Context, backend compute.Backend, net *network.Network, train, test images.Dataset, config Config) (*History, error) {
	c, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := c.check(net, train, test); err != nil {
		return nil, err
	}
	if _, err := placing(backend, c.Devices); err != nil {
		return nil, err
	}
	t := &training{config: c, backend: backend, net: net, train: train, test: test}
	if err := t.prepare(); err != nil {
		return nil, err
	}
	if c.Dir != "" {
		if t.folder, err = openFolder(c.Dir, t.holds, t.notice); err != nil {
			return nil, err
		}
		defer t.folder.close()
	}
	if err := t.begin(); err != nil {
		return nil, err
	}
	err = t.run(ctx)
	if err == nil && c.Average > 0 && t.published != nil {
		err = net.Decode(t.published)
	}
	if clearErr := clearOptimizer(net.Store); err == nil && clearErr != nil {
		err = fmt.Errorf("train: %w", clearErr)
	}
	return &t.state.History, err
}
