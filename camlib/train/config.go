package train

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"time"
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
	Validation     float64            `json:"validation,omitempty"`      // fraction of the training images, 0 to 1, drawn by Seed, that are evaluated after every epoch and not trained on; 0 is none
	Patience       int                `json:"patience,omitempty"`        // epochs without a better accuracy on the validation images after which the training ends; 0 is without end
	Start          string             `json:"start,omitempty"`           // folder or .safetensors file of weights to begin with; "" is the network as it is
	Seed           int64              `json:"seed"`                      // of the images' order and crops, and of the network's random numbers
	Step           StepKind           `json:"step"`                      // "" is Winograd where the network has Gradients, or else Plain
	Devices        int                `json:"devices,omitempty"`         // of the backend, that share the images of a step and of the evaluation; 0 is one

	// Dir is the checkpoint folder, written before and after the evaluation that
	// ends an epoch, every CheckpointEvery within one, and when the training is
	// interrupted; a training that finds its checkpoint there goes on from it.
	// "" keeps none.
	Dir             string        `json:"-"`
	CheckpointEvery time.Duration `json:"-"` // 0 is two minutes, negative is never within an epoch
	Keep            int           `json:"-"` // checkpoints that stay there; 0 is 2, the last and the one before
	// EvaluateEvery is after how many steps within an epoch, beside its end, the validation
	// images, or else the test images, are evaluated, for [StepsFile]; 0 is never.
	EvaluateEvery int `json:"-"`

	OnStep  func(Progress) `json:"-"` // called after every step; may be nil
	OnEpoch func(Epoch)    `json:"-"` // called after every epoch, also for those of a resumed training; may be nil

	// OnNotice is called with what was found in Dir and mended; may be nil.
	OnNotice func(string) `json:"-"`
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
	if c.Keep == 0 {
		c.Keep = 2
	}
	if c.CheckpointEvery == 0 {
		c.CheckpointEvery = 2 * time.Minute
	}
	return c, cmp.Or(c.checkNumbers(), c.checkFolder())
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
	case !share(c.Validation):
		return fmt.Errorf("train: validation %v, want 0 to less than 1: the fraction of the training images", c.Validation)
	case c.Patience < 0:
		return fmt.Errorf("train: patience %d, want 0 or more epochs", c.Patience)
	case c.Patience > 0 && c.Validation == 0:
		return fmt.Errorf("train: patience %d without validation images, want some, such as a fraction of 0.1: the test images must not decide when to stop", c.Patience)
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

// checkFolder returns an error if a setting of the checkpoint folder is out of range.
func (c Config) checkFolder() error {
	switch {
	case c.Keep < 1:
		return fmt.Errorf("train: keep %d checkpoints, want 1 or more", c.Keep)
	case c.EvaluateEvery < 0:
		return fmt.Errorf("train: evaluate every %d steps, want 0 or more", c.EvaluateEvery)
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
	f, err := openFolder(c.Dir, content{}, c.Keep, nil)
	if err != nil {
		return err
	}
	f.close()
	return nil
}

// DecodeConfig reads settings from JSON, as a [LogFile] has them under "config". What is left
// out is the default. It fails on a name that no setting has.
func DecodeConfig(data []byte) (Config, error) {
	var c Config
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, fmt.Errorf("settings: %w, want those of a training's %s", err, LogFile)
	}
	return c.withDefaults()
}
