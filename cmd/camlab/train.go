package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/cnn"
)

func newTrain() *cobra.Command {
	var out, data, backendName, augment, step string
	var asJSON, download bool
	var config cnn.TrainConfig
	c := &cobra.Command{
		Use:   "train",
		Short: "Train the article's network on CIFAR-10; goes on from its checkpoint",
		Long: `Train trains the article's network and evaluates it on the test images after
every epoch. It writes a checkpoint after every epoch and when it is
interrupted (Ctrl-C), and goes on from the one that it finds in --out.

The checkpoint folder holds model.safetensors (the weights after the last whole
epoch), log.json (the settings and every epoch's results) and
training.safetensors (what is needed to go on).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			config.Dir, config.Augment, config.Step = out, cnn.Augmentation(augment), cnn.StepKind(step)
			train, test, err := cifar10.LoadContext(ctx, cifar10.Options{Dir: data, Download: download, Progress: downloadBar(cmd)})
			if err != nil {
				return err
			}
			backend, err := openBackend(cmd, backendName)
			if err != nil {
				return err
			}
			report := newReporter(cmd)
			config.OnStep, config.OnEpoch = report.step, report.epoch
			history, err := cnn.Train(ctx, backend, cnn.New(config.Seed), train, test, config)
			report.done()
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
	f.StringVar(&backendName, "backend", "", "xla:cpu or xla:cuda; the pure-Go backend cannot train")
	f.IntVar(&config.Epochs, "epochs", 15, "epochs to train in all")
	f.IntVar(&config.BatchSize, "batch", 125, "images a step")
	f.Float64Var(&config.LearningRate, "learning-rate", 0.001, "learning rate of Adam")
	f.StringVar(&augment, "augment", string(cnn.Article), "article (flipped and cropped copies added, 150,000 images an epoch), flipcrop (each image flipped and cropped at random) or none")
	f.Int64Var(&config.Seed, "seed", 1, "seed of the first weights and of the images' order")
	f.StringVar(&step, "step", string(cnn.Winograd), "winograd or plain: the same numbers up to rounding, winograd faster")
	f.BoolVar(&asJSON, "json", false, jsonUsage+": the log")
	return c
}

// reporter shows a training's progress on standard error: a bar in a terminal,
// else a line a minute; and a line for every epoch.
type reporter struct {
	cmd  *cobra.Command
	bar  *progressbar.ProgressBar // nil when the output is no terminal
	last time.Time
}

func newReporter(cmd *cobra.Command) *reporter {
	r := &reporter{cmd: cmd, last: time.Now()}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		r.bar = progressbar.NewOptions(1, progressbar.OptionSetWriter(cmd.ErrOrStderr()), progressbar.OptionSetPredictTime(false),
			progressbar.OptionSetWidth(24), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(200*time.Millisecond))
	}
	return r
}

func (r *reporter) step(p cnn.Progress) {
	line := fmt.Sprintf("epoch %d/%d  step %d/%d  cost %.4f  %.0f images/s  %s left",
		p.Epoch, p.Epochs, p.Step, p.Steps, p.Cost, p.ImagesPerSecond, seconds(p.Remaining.Seconds()))
	if r.bar != nil {
		r.bar.ChangeMax(p.Steps)
		r.bar.Describe(line)
		_ = r.bar.Set(p.Step) // fails only when the terminal is gone
		return
	}
	if time.Since(r.last) >= time.Minute {
		r.last = time.Now()
		fmt.Fprintln(r.cmd.ErrOrStderr(), line)
	}
}

func (r *reporter) epoch(e cnn.Epoch) {
	r.clear()
	fmt.Fprintf(r.cmd.ErrOrStderr(), "epoch %2d  train cost %.4f  test cost %.4f  accuracy %.4f  macro-F1 %.4f  %s\n",
		e.Epoch, e.TrainCost, e.Test.Cost, e.Test.Accuracy, e.Test.MacroF1, seconds(e.Seconds))
}

func (r *reporter) done() { r.clear() }

func (r *reporter) clear() {
	if r.bar != nil {
		_ = r.bar.Clear()
	}
}

// seconds writes a time to the second.
func seconds(s float64) string {
	return (time.Duration(s) * time.Second).String()
}
