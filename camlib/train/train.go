// Package train trains networks: any [network.Network] on any [images.Dataset], with
// checkpoints that a training goes on from bit for bit, evaluation after every epoch, and
// a log.
package train

import (
	"context"
	"fmt"
	"time"

	"github.com/gomlx/compute"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
)

// Progress is where a running training stands.
type Progress struct {
	Epoch, Epochs   int     // the epoch that is running, from 1, and how many there will be
	Step, Steps     int     // steps done in this epoch, and how many it has
	Loss            float64 // mean loss of this epoch so far
	ImagesPerSecond float64 // since this call of Train began
	Remaining       time.Duration
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
		if t.folder, err = openFolder(c.Dir, t.holds, c.Keep, t.notice); err != nil {
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
