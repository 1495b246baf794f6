package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/train"
)

// asked returns what flags of camlab train ask for.
func asked(t *testing.T, file string, args ...string) (recipe string, c train.Config, err error) {
	t.Helper()
	var set trainFlags
	f := pflag.NewFlagSet("train", pflag.ContinueOnError)
	f.StringVar(&recipe, "recipe", "article", "")
	set.add(f)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	return set.config(f, recipe, file)
}

// TestTrainSettings: without flags the settings are the recipe's; a flag changes its own, and an
// optimizer or a schedule takes the numbers of another back, whatever the order of the flags.
func TestTrainSettings(t *testing.T) {
	want := func(name string, change func(c *train.Config)) train.Config {
		c, err := train.Recipe(name)
		if err != nil {
			t.Fatal(err)
		}
		change(&c)
		return c
	}
	for _, row := range []struct {
		args   []string
		recipe string
		want   train.Config
	}{
		{nil, "article", want("article", func(*train.Config) {})},
		{[]string{"--seed=0", "--epochs=3"}, "article", want("article", func(c *train.Config) { c.Seed, c.Epochs = 0, 3 })},
		{[]string{"--recipe=best", "--rate=biases=2", "--rate=dense/weights=0.5"}, "best", want("best", func(c *train.Config) {
			c.Rates = map[string]float64{"biases": 2, "dense/weights": 0.5}
		})},
		{[]string{"--recipe=best", "--learning-rate=0.01", "--optimizer=adamw", "--schedule=cosine", "--average=0"}, "best", want("best", func(c *train.Config) {
			c.LearningRate, c.Optimizer, c.Momentum, c.WeightDecay, c.Schedule, c.Warmup, c.Average = 0.01, train.AdamW, 0, 0, train.Cosine, 0, 0
		})},
		{[]string{"--recipe=best", "--optimizer=sgd", "--warmup=0.5"}, "best", want("best", func(c *train.Config) { c.Warmup = 0.5 })},
	} {
		recipe, c, err := asked(t, "", row.args...)
		if err != nil || recipe != row.recipe || !reflect.DeepEqual(c, row.want) {
			t.Errorf("%q: %s, %+v, %v; want %s, %+v", row.args, recipe, c, err, row.recipe, row.want)
		}
	}
	for _, row := range []struct{ arg, want string }{
		{"--epochs=0", `train: --epochs "0", want more than nothing`},
		{"--optimizer=", `train: --optimizer "", want more than nothing`},
		{"--rate=biases", `train: --rate "biases", want NAME=FACTOR as in biases=64`},
		{"--rate=biases=many", `train: --rate "biases=many", want NAME=FACTOR as in biases=64`},
		{"--recipe=quick", `train: recipe "quick", want one of ["article" "best"]`},
	} {
		if _, _, err := asked(t, "", row.arg); err == nil || err.Error() != row.want {
			t.Errorf("%s: error %v, want %q", row.arg, err, row.want)
		}
	}
}

// TestTrainConfig: a run's folder and its log give its settings back, with the network; flags
// change them.
func TestTrainConfig(t *testing.T) {
	h, err := article.Log()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join("..", "..", "camlib", "article", "weights")
	for _, path := range []string{dir, filepath.Join(dir, train.LogFile)} {
		recipe, c, err := asked(t, path, "--seed=7")
		want := h.Config
		want.Seed, want.Keep, want.CheckpointEvery = 7, c.Keep, c.CheckpointEvery
		if err != nil || recipe != "article" || !reflect.DeepEqual(c, want) {
			t.Errorf("%s: %s, %+v, %v; want %+v", path, recipe, c, err, want)
		}
	}
	file := filepath.Join(t.TempDir(), "settings.json")
	for _, row := range []struct{ text, want string }{
		{`{"epochs": 2, "optimizer": "sgd"}`, ""},
		{`{"epoch": 2}`, "train: --config: " + file + `: settings: json: unknown field "epoch", want those of a training's log.json`},
		{`{`, "train: --config: " + file + ": not JSON: "},
		{`{"architecture": "resnet", "config": {}}`, "train: --config: " + file + `: of the network "resnet", want that of recipe article or best`},
	} {
		if err := os.WriteFile(file, []byte(row.text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, c, err := asked(t, file, "--recipe=best")
		if row.want == "" && (err != nil || c.Epochs != 2 || c.Optimizer != train.SGD || c.LearningRate != 0.1) || row.want != "" && (err == nil || !strings.HasPrefix(err.Error(), row.want)) {
			t.Errorf("%s: %+v, %v; want %q", row.text, c, err, row.want)
		}
	}
	log, err := json.Marshal(map[string]any{"architecture": article.Name, "config": h.Config})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, log, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := asked(t, file, "--recipe=best"); err == nil || !strings.Contains(err.Error(), "want that of recipe") {
		t.Errorf("a log of another network than the recipe's: error %v", err)
	}
	if _, _, err := asked(t, filepath.Join(t.TempDir(), "missing")); err == nil || !strings.HasSuffix(err.Error(), "want a run folder, or a JSON file of settings") {
		t.Errorf("error %v", err)
	}
}
