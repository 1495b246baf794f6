package main

import (
	"encoding/json"
	"fmt"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/internal/lock"
)

// articleRun copies the shipped model and log into a folder, as of a training of that name,
// with two steps of its last epoch.
func articleRun(t *testing.T, dir string) {
	t.Helper()
	mkdir(t, dir)
	for _, name := range []string{"log.json", "model.safetensors"} {
		b, err := os.ReadFile(filepath.Join(articleWeights, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), b)
	}
	var steps strings.Builder
	for _, step := range []int{17990, 18000} {
		fmt.Fprintf(&steps, `{"step":%d,"epoch":15,"loss":0.25,"learning_rate":0.001,"gradient":1.5,"images_per_second":1100,"seconds":2090}`+"\n", step)
	}
	write(t, filepath.Join(dir, "steps.jsonl"), []byte(steps.String()))
}

var articleWeights = func() string {
	dir, err := filepath.Abs("../../camlib/article/weights")
	if err != nil {
		panic(err)
	}
	return dir
}()

func TestRunsListAndShow(t *testing.T) {
	t.Chdir(t.TempDir())
	if out, err := command(t, "runs", "list"); err == nil || !strings.Contains(err.Error(), "runs: stat runs: ") {
		t.Errorf("without a folder: %q, %v", out, err)
	}
	mkdir(t, "runs")
	for args, want := range map[string]string{"": "no trainings in runs or below it; `camlab train` makes one\n", "--json": "[]\n"} {
		if out, err := command(t, append([]string{"runs", "list"}, strings.Fields(args)...)...); err != nil || out != want {
			t.Errorf("an empty folder %s: %q, %v", args, out, err)
		}
	}
	articleRun(t, "runs/article")
	articleRun(t, "runs/more/now")
	unlock, err := lock.Dir("runs/more/now")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	const want = `run            state     epochs  accuracy (%)  best (%)  test loss    time  images/s  network
runs/article   finished      15         84.97     84.97     0.5192  34m55s     1,074  article-gap-cnn
runs/more/now  running       15         84.97     84.97     0.5192  34m55s     1,074  article-gap-cnn

runs/more/now: process `
	out, err := command(t, "runs", "list")
	if err != nil || !strings.HasPrefix(out, want) || !strings.HasSuffix(out, " trains, at step 18,000, in epoch 15\n") {
		t.Errorf("%v\n%s\nwant\n%s…", err, out, want)
	}
	out, err = command(t, "runs", "list", "--json", "runs")
	var listed []listedRun
	if err == nil {
		err = json.Unmarshal([]byte(out), &listed)
	}
	if err != nil || len(listed) != 2 || listed[0].State != "finished" || listed[1].State != "running" || listed[1].RunningAs == "" ||
		listed[1].Dir != filepath.Join("runs", "more", "now") || listed[0].Summary.Epochs != 15 || *listed[0].Summary.Accuracy != 0.8497 {
		t.Errorf("%v: %s", err, out)
	}

	out, err = command(t, "runs", "show", "runs/article")
	for _, want := range []string{"runs/article: finished\n", "\n  learning rate, largest   0.001\n", "\n   15      0.1940     0.5192              84.97 ", "\n  training time                  34m55s\n"} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("show: %v, want %q in\n%s", err, want, out)
		}
	}
	out, err = command(t, "runs", "show", "--json", "runs/article")
	var shown shownRun
	if err == nil {
		err = json.Unmarshal([]byte(out), &shown)
	}
	if err != nil || shown.Run == nil || shown.Dir != "runs/article" || len(shown.Log.Epochs) != 15 || shown.Summary.BestEpoch != 15 || shown.LastStep.Step != 18000 {
		t.Errorf("show --json: %v, %.500s", err, out)
	}
	b, err := os.ReadFile("runs/article/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	write(t, "runs/article/model.safetensors", b)
	if out, err := command(t, "runs", "show", "runs/article"); err != nil || !strings.Contains(out, "runs/article: damaged\n  model.safetensors is not that of the last epoch") {
		t.Errorf("with a flipped bit: %v\n%s", err, out)
	}
}

func TestRunsCompare(t *testing.T) {
	t.Chdir(t.TempDir())
	articleRun(t, "a")
	articleRun(t, "b")
	log, err := os.ReadFile("b/log.json")
	if err != nil {
		t.Fatal(err)
	}
	write(t, "b/log.json", []byte(strings.Replace(string(log), `"batch_size": 125`, `"batch_size": 250`, 1)))
	out, err := command(t, "runs", "compare", "a", "b", "--figure", "new/curves.png")
	for _, want := range []string{"settings that differ\n  batch size (images)            125       250\nresults\n", "\n  steps                          18,000    18,000\n"} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("%v, want %q in\n%s", err, want, out)
		}
	}
	isPicture(t, "new/curves.png")
	out, err = command(t, "runs", "compare", "a", "b", "--json")
	var compared struct {
		Runs []struct {
			Name    string
			Summary struct{ Epochs int }
		}
		Settings []struct {
			Name   string
			Values []string
		}
	}
	if err == nil {
		err = json.Unmarshal([]byte(out), &compared)
	}
	if got := fmt.Sprint(compared); err != nil || got != "{[{a {15}} {b {15}}] [{batch size (images) [125 250]}]}" {
		t.Errorf("--json: %v, %s", err, got)
	}
	mkdir(t, "begun")
	write(t, "begun/steps.jsonl", nil)
	if out, err := command(t, "runs", "compare", "a", "begun", "--figure", "none.png"); err == nil || !strings.Contains(out, "settings that differ") {
		t.Errorf("with a run that has no curves: %v, want the table too\n%s", err, out)
	}
}

func TestRunsExport(t *testing.T) {
	t.Chdir(t.TempDir())
	articleRun(t, "runs/article")
	before := files(t, "runs/article")
	steps, err := os.OpenFile("runs/article/steps.jsonl", os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = steps.WriteString("no step\n")
	}
	if err != nil || steps.Close() != nil {
		t.Fatal(err)
	}
	out, said, err := commandSaying(t, "runs", "export", "runs/article", "--csv", "out/csv", "--curves", "out/curves.png", "--confusion", "out/confusion.png", "--tensorboard", "out/tb")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"out/csv/epochs.csv", "out/csv/steps.csv", "out/curves.png", "out/confusion.png", "out/tb/article/events.out.tfevents.0.camlab"}
	for i, path := range want {
		want[i] = filepath.FromSlash(path)
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", path, err)
		}
	}
	if got := strings.Split(strings.TrimSuffix(out, " is written\n"), " is written\n"); !slices.Equal(got, want) {
		t.Errorf("written %q, want %q", got, want)
	}
	if !strings.Contains(said, "steps.jsonl: line 3: invalid character") {
		t.Errorf("it says %q, want that of the damaged line", said)
	}
	csv, err := os.ReadFile("out/csv/steps.csv")
	if err != nil || !strings.HasSuffix(string(csv), "\n18000,15,0.25,0.001,1.5,1100,2090,,\n") {
		t.Errorf("steps.csv: %v, %q", err, csv)
	}
	isPicture(t, "out/curves.png")
	isPicture(t, "out/confusion.png")
	after := files(t, "runs/article")
	after["steps.jsonl"] = before["steps.jsonl"]
	if !maps.Equal(before, after) {
		t.Error("the run folder has changed")
	}
}

func TestRunsMistakes(t *testing.T) {
	t.Chdir(t.TempDir())
	articleRun(t, "run")
	mkdir(t, "begun")
	write(t, "begun/steps.jsonl", nil)
	mkdir(t, "out/epochs.csv")
	write(t, "file", nil)
	for line, want := range map[string]string{
		"runs shwo run":                            `unknown command "shwo" for "camlab runs"`,
		"runs show":                                "accepts 1 arg(s), received 0",
		"runs show none":                           "runs: open none: ",
		"runs show .":                              "runs: no run in .: neither log.json, steps.jsonl nor training.safetensors, want a folder that `camlab train` wrote",
		"runs compare run":                         "requires at least 2 arg(s), only received 1",
		"runs compare run begun --figure c.jpg":    "runs compare: --figure: c.jpg, want a name that ends in .png",
		"runs compare run begun --figure c.png":    "runs: curves: begun: no epoch is done yet, want at least one",
		"runs export run":                          "runs export: nothing to write, want --csv, --curves, --confusion or --tensorboard, or several",
		"runs export run --curves curves":          "runs export: --curves: curves, want a name that ends in .png",
		"runs export run --csv out":                "runs export: --csv: folder out: epochs.csv is a folder, want that name free for a file",
		"runs export run --tensorboard file":       "runs export: --tensorboard: folder " + filepath.Join("file", "run"),
		"runs export begun --confusion c.png":      "runs: confusion matrix: begun: no epoch is done yet, want at least one",
		"runs export run --curves file/curves.png": "runs export: --curves: folder file: ",
		"runs list file":                           "runs: file is a file, want a folder with trainings of `camlab train` in it",
		"runs list run run":                        "accepts at most 1 arg(s), received 2",
	} {
		_, err := command(t, strings.Fields(line)...)
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
	if _, err := os.Stat("c.png"); err == nil {
		t.Error("a picture was written in spite of an error")
	}
}

// isPicture wants a file to be a picture of some size.
func isPicture(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if img, err := png.Decode(f); err != nil || img.Bounds().Dx() < 400 || img.Bounds().Dy() < 300 {
		t.Errorf("%s: %v, or too small", path, err)
	}
}
