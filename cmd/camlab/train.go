package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/train"
	"github.com/camlab-go/camlab/camlib/train/progress"
)

func newTrain() *cobra.Command {
	var out, data, backendName, augment, step string
	var asJSON, download bool
	var config train.Config
	c := &cobra.Command{
		Use:   "train",
		Short: "Train the article's network on CIFAR-10; goes on from its checkpoint",
		Long: `Train trains the article's network and evaluates it on the test images after
every epoch. It writes a checkpoint after every epoch, every --checkpoint-every
within one, and when it is interrupted (Ctrl-C), and goes on from the one that it
finds in --out: it ends with the same weights, bit for bit.

The checkpoint folder holds model.safetensors (the weights after the last whole
epoch), log.json (the settings and every epoch's results), training.safetensors
(what is needed to go on), training.previous.safetensors (the one before, in
case that one is damaged) and, while one is running, .lock (keeps a second
training out). A folder with the first two of a finished run is not trained
again; one with other files of these names is refused.

A training whose loss or weights are no finite numbers ends with an error, and
one that is no better than guessing with a warning; the last checkpoint stays.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			for _, name := range []string{"epochs", "batch", "learning-rate", "out"} {
				if f := cmd.Flags().Lookup(name); f.Changed && (f.Value.String() == "0" || f.Value.String() == "") {
					return fmt.Errorf("train: --%s %q, want more than nothing", name, f.Value)
				}
			}
			config.Dir, config.Augment, config.Step = out, train.Augmentation(augment), train.StepKind(step)
			if err := config.Check(); err != nil { // before the data, which may take minutes
				return err
			}
			backend, err := openBackend(cmd, backendName, config.Devices)
			if err != nil {
				return err
			}
			trainSet, testSet, err := cifar10.LoadContext(ctx, cifar10.Options{Dir: data, Download: download, Progress: downloadBar(cmd)})
			if err != nil {
				return err
			}
			lines := progress.New(cmd.ErrOrStderr())
			config.OnStep, config.OnEpoch, config.OnNotice = lines.Step, lines.Epoch, lines.Notice
			history, err := train.Train(ctx, backend, article.New(config.Seed), trainSet, testSet, config)
			lines.Clear()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), history)
			}
			last := history.Epochs[len(history.Epochs)-1].Test
			fmt.Fprintf(cmd.OutOrStdout(), "%d epochs in %s: accuracy %.4f, macro-F1 %.4f; model in %s\n",
				len(history.Epochs), seconds(history.Seconds()), last.Accuracy, last.MacroF1, out)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&out, "out", "runs/article", "checkpoint folder")
	f.StringVar(&data, "data", "", dataUsage)
	f.BoolVar(&download, "download", true, "download CIFAR-10 (170 MB) when it is not there")
	f.StringVar(&backendName, "backend", "", backendUsage)
	devicesFlag(f, &config.Devices)
	f.IntVar(&config.Epochs, "epochs", 15, "epochs to train in all")
	f.IntVar(&config.BatchSize, "batch", 125, "images a step")
	f.Float64Var(&config.LearningRate, "learning-rate", 0.001, "learning rate of Adam")
	f.StringVar(&augment, "augment", string(train.Article), "article (flipped and cropped copies added, 150,000 images an epoch), flipcrop (each image flipped and cropped at random) or none")
	f.Int64Var(&config.Seed, "seed", 1, "seed of the first weights and of the images' order")
	f.StringVar(&step, "step", string(train.Winograd), "winograd or plain: the same numbers up to rounding, winograd several times as fast")
	f.DurationVar(&config.CheckpointEvery, "checkpoint-every", 2*time.Minute, "time between checkpoints within an epoch; negative is none")
	f.BoolVar(&asJSON, "json", false, jsonUsage+": the log")
	return c
}

// seconds writes a time to the second.
func seconds(s float64) string {
	return (time.Duration(s) * time.Second).String()
}
