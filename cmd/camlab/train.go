package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/best"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/runs"
	"github.com/camlab-go/camlab/camlib/train"
	"github.com/camlab-go/camlab/camlib/train/progress"
)

// trained are the networks that the command trains, by the names of their recipes.
var trained = map[string]struct {
	architecture string
	fresh        func(seed int64, ds images.Dataset) (*network.Network, error)
}{
	"article": {article.Name, func(seed int64, _ images.Dataset) (*network.Network, error) { return article.New(seed), nil }},
	"best": {best.Name, func(seed int64, ds images.Dataset) (*network.Network, error) {
		net := best.New(seed)
		return net, best.Whiten(net, ds)
	}},
}

func newTrain() *cobra.Command {
	var out, data, backendName, recipe, config string
	var asJSON, download, dryRun bool
	var set trainFlags
	c := &cobra.Command{
		Use:   "train",
		Short: "Train a network on CIFAR-10; goes on from its checkpoint",
		Long: `Train trains a network and evaluates it on the test images after every epoch.
--recipe names the network and its settings: article, as published, or best, of
the same family with batch normalization. Every flag changes one setting of it.
--config takes the settings of a run from its folder instead, so that it can be
repeated.

It writes a checkpoint after every epoch, every --checkpoint-every within one, and
when it is interrupted (Ctrl-C), and goes on from the one that it finds in --out:
it ends with the same weights, bit for bit.

The folder holds model.safetensors (the weights after the last whole epoch),
best.safetensors (those of the best epoch, by the validation images if there are
any, or else by the test images), log.json (the settings and every epoch's
results), steps.jsonl (loss and learning rate every ten steps), epochs.csv,
curves.png and confusion.png (for people), training.safetensors (what is needed
to go on), training.previous.safetensors (the one before, in case that one is
damaged) and, while one is running, .lock (keeps a second training out). A folder
with the first and the log of a finished run is not trained again; one with other
files of these names is refused. "camlab runs" lists, shows and compares such
folders.

A training whose loss, gradients or weights are no finite numbers ends with an
error, and one that is no better than guessing with a warning; the last checkpoint
stays.`,
		Example: `  camlab train                                     the article's network, in runs/article
  camlab train --recipe best --dry-run             how large it is, and how long it will take
  camlab train --optimizer adamw --schedule cosine --validation 0.1 --patience 5 --out runs/mine
  camlab train --config runs/mine --seed 2 --out runs/mine-2`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			recipe, c, err := set.config(cmd.Flags(), recipe, config)
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("out") {
				out = filepath.Join("runs", recipe)
			}
			if out == "" {
				return fmt.Errorf("train: --out %q, want a folder", out)
			}
			if c.Dir = out; dryRun {
				c.Dir = ""
			}
			if err := c.Check(); err != nil { // before the data, which may take minutes
				return err
			}
			backend, err := openBackend(cmd, backendName, c.Devices)
			if err != nil {
				return err
			}
			trainSet, testSet, err := cifar10.LoadContext(ctx, cifar10.Options{Dir: data, Download: download, Progress: downloadBar(cmd)})
			if err != nil {
				return err
			}
			net, err := trained[recipe].fresh(c.Seed, trainSet)
			if err != nil {
				return err
			}
			if dryRun {
				p, err := train.NewPlan(ctx, backend, net, trainSet, testSet, c)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), p)
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%-16s %s\n%s", "network", net.Name, p)
				return err
			}
			lines := progress.New(cmd.ErrOrStderr())
			c.OnStep, c.OnNotice = lines.Step, lines.Notice
			c.OnEpoch = func(e train.Epoch) {
				lines.Epoch(e)
				if err := runs.WriteFiles(out); err != nil { // they can be made again
					lines.Notice(err.Error())
				}
			}
			history, err := train.Train(ctx, backend, net, trainSet, testSet, c)
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
	f.StringVar(&recipe, "recipe", "article", "network and settings to begin with: "+strings.Join(train.RecipeNames, " or "))
	f.StringVar(&config, "config", "", "take the settings from a run folder, its log.json, or a JSON file with the same names, in place of a recipe")
	f.StringVar(&out, "out", "", "checkpoint folder (default runs/RECIPE)")
	f.BoolVar(&dryRun, "dry-run", false, "train nothing: print parameters, work, and the time that it will take, from a few steps")
	f.StringVar(&data, "data", "", dataUsage)
	f.BoolVar(&download, "download", true, "download CIFAR-10 (170 MB) when it is not there")
	f.StringVar(&backendName, "backend", "", backendUsage)
	f.BoolVar(&asJSON, "json", false, jsonUsage+": the log")
	set.add(f)
	return c
}

// trainFlags are the flags that change a setting.
type trainFlags struct {
	flags train.Config
	set   map[string]func(c *train.Config) // by the flag's name
	rates []string
}

func (t *trainFlags) add(f *pflag.FlagSet) {
	t.set = make(map[string]func(c *train.Config))
	in := &t.flags
	f.IntVar(&in.Epochs, "epochs", 0, "epochs to train in all")
	t.set["epochs"] = func(c *train.Config) { c.Epochs = in.Epochs }
	f.IntVar(&in.BatchSize, "batch", 0, "images a step")
	t.set["batch"] = func(c *train.Config) { c.BatchSize = in.BatchSize }
	f.Float64Var(&in.LearningRate, "learning-rate", 0, "learning rate, the largest of the schedule")
	t.set["learning-rate"] = func(c *train.Config) { c.LearningRate = in.LearningRate }
	f.StringVar((*string)(&in.Optimizer), "optimizer", "", "adam, adamw or sgd (with Nesterov's momentum)")
	t.set["optimizer"] = func(c *train.Config) {
		if c.Optimizer != in.Optimizer { // the others' numbers do not fit
			c.Optimizer, c.LearningRate, c.Momentum, c.WeightDecay = in.Optimizer, 0, 0, 0
		}
	}
	f.Float64Var(&in.Momentum, "momentum", 0, "momentum of sgd, 0 to 1")
	t.set["momentum"] = func(c *train.Config) { c.Momentum = in.Momentum }
	f.Float64Var(&in.WeightDecay, "weight-decay", 0, "decay of adamw and sgd: what a step takes from every weight, divided by the learning rate")
	t.set["weight-decay"] = func(c *train.Config) { c.WeightDecay = in.WeightDecay }
	f.StringArrayVar(&t.rates, "rate", nil, "factor of the learning rate of some weights, by how their names end, as biases=64 or dense/weights=0.1; may be given again")
	f.StringVar((*string)(&in.Schedule), "schedule", "", "how the learning rate changes: constant, cosine, onecycle or triangular")
	t.set["schedule"] = func(c *train.Config) {
		if c.Schedule != in.Schedule {
			c.Schedule, c.Warmup = in.Schedule, 0
		}
	}
	f.Float64Var(&in.Warmup, "warmup", 0, "fraction of the steps, 0 to 1, in which the learning rate rises")
	t.set["warmup"] = func(c *train.Config) { c.Warmup = in.Warmup }
	f.Float64Var(&in.LabelSmoothing, "label-smoothing", 0, "share of every target, 0 to 1, that all classes have alike")
	t.set["label-smoothing"] = func(c *train.Config) { c.LabelSmoothing = in.LabelSmoothing }
	f.Float64Var(&in.Average, "average", 0, "decay of a moving average of the weights, such as 0.99, which is evaluated and saved; 0 is none")
	t.set["average"] = func(c *train.Config) { c.Average = in.Average }
	f.StringVar((*string)(&in.Augment), "augment", "", "article (flipped and cropped copies added, three images of each an epoch), flipcrop (each flipped every second epoch, and cropped), cutout, mixup (both with flipcrop) or none")
	t.set["augment"] = func(c *train.Config) { c.Augment = in.Augment }
	f.IntVar(&in.Shift, "shift", 0, "pixels by which a crop moves at most, 1 to 4")
	t.set["shift"] = func(c *train.Config) { c.Shift = in.Shift }
	f.Float64Var(&in.Validation, "validation", 0, "fraction of the training images, 0 to 1, that are held out and evaluated after every epoch")
	t.set["validation"] = func(c *train.Config) { c.Validation = in.Validation }
	f.IntVar(&in.Patience, "patience", 0, "end after so many epochs without a better accuracy on the validation images; 0 is never")
	t.set["patience"] = func(c *train.Config) { c.Patience = in.Patience }
	f.StringVar(&in.Start, "start", "", "folder or .safetensors file of the weights to begin with")
	t.set["start"] = func(c *train.Config) { c.Start = in.Start }
	f.Int64Var(&in.Seed, "seed", 0, "seed of the first weights and of the images' order")
	t.set["seed"] = func(c *train.Config) { c.Seed = in.Seed }
	f.StringVar((*string)(&in.Step), "step", "", "winograd or plain: the same numbers up to rounding, winograd several times as fast (default winograd)")
	t.set["step"] = func(c *train.Config) { c.Step = in.Step }
	devicesFlag(f, &in.Devices)
	t.set["devices"] = func(c *train.Config) { c.Devices = in.Devices }
	f.DurationVar(&in.CheckpointEvery, "checkpoint-every", 2*time.Minute, "time between checkpoints within an epoch; negative is none")
	t.set["checkpoint-every"] = func(c *train.Config) { c.CheckpointEvery = in.CheckpointEvery }
	f.IntVar(&in.Keep, "keep", 2, "checkpoints that stay in the folder")
	t.set["keep"] = func(c *train.Config) { c.Keep = in.Keep }
	f.IntVar(&in.EvaluateEvery, "evaluate-every", 0, "evaluate after so many steps within an epoch too, for steps.jsonl; 0 is never")
	t.set["evaluate-every"] = func(c *train.Config) { c.EvaluateEvery = in.EvaluateEvery }
}

// config returns the settings that the flags ask for, and the recipe whose network is trained.
func (t *trainFlags) config(f *pflag.FlagSet, recipe, file string) (string, train.Config, error) {
	fail := func(format string, args ...any) (string, train.Config, error) {
		return "", train.Config{}, fmt.Errorf("train: "+format, args...)
	}
	var c train.Config
	var err error
	if file == "" {
		c, err = train.Recipe(recipe)
	} else if recipe, c, err = readConfig(file, recipe, f.Changed("recipe")); err != nil {
		err = fmt.Errorf("train: --config: %w", err)
	}
	if err != nil {
		return "", c, err
	}
	names := slices.Sorted(maps.Keys(t.set))
	names = append([]string{"optimizer", "schedule"}, names...) // first: they take others' numbers back
	for _, name := range names {
		flag := f.Lookup(name)
		if !flag.Changed {
			continue
		}
		if v := flag.Value.String(); v == "" || v == "0" && slices.Contains([]string{"epochs", "batch", "learning-rate", "shift", "keep"}, name) {
			return fail("--%s %q, want more than nothing", name, v)
		}
		t.set[name](&c)
	}
	for i, text := range t.rates {
		end, value, ok := strings.Cut(text, "=")
		var factor float64
		if _, err := fmt.Sscanf(value, "%g", &factor); !ok || err != nil || end == "" {
			return fail("--rate %q, want NAME=FACTOR as in biases=64", text)
		}
		if i == 0 {
			c.Rates = make(map[string]float64)
		}
		c.Rates[end] = factor
	}
	return recipe, c, nil
}

// readConfig reads the settings of a run, and whose they are: from its folder, its log, or a
// file of settings alone, which are of the recipe that is named.
func readConfig(path, recipe string, named bool) (string, train.Config, error) {
	var c train.Config
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, train.LogFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", c, fmt.Errorf("%w, want a run folder, or a JSON file of settings", err)
	}
	var log struct {
		Architecture string          `json:"architecture"`
		Config       json.RawMessage `json:"config"`
	}
	if err := json.Unmarshal(data, &log); err != nil {
		return "", c, fmt.Errorf("%s: not JSON: %w", path, err)
	}
	if log.Config != nil {
		data = log.Config
		of := ""
		for name, t := range trained {
			if t.architecture == log.Architecture {
				of = name
			}
		}
		if of == "" || named && of != recipe {
			return "", c, fmt.Errorf("%s: of the network %q, want that of recipe %s", path, log.Architecture, strings.Join(train.RecipeNames, " or "))
		}
		recipe = of
	}
	if c, err = train.DecodeConfig(data); err != nil {
		return "", c, fmt.Errorf("%s: %w", path, err)
	}
	return recipe, c, nil
}

// seconds writes a time to the second.
func seconds(s float64) string {
	return (time.Duration(s) * time.Second).String()
}
