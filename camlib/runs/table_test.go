package runs

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/camlab-go/camlab/camlib/train"
)

// lay writes the files of runs into folders below root.
func lay(t *testing.T, root string, runs map[string]map[string]string) {
	t.Helper()
	for dir, files := range runs {
		dir = filepath.Join(root, dir)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			put(t, dir, name, text)
		}
	}
}

// TestList is which folders are runs, and the table of them.
func TestList(t *testing.T) {
	t.Chdir(t.TempDir())
	old, fresh := made(t, history(), ""), made(t, newer(), line(5, 1))
	broken := maps.Clone(old)
	broken[train.LogFile] = "{"
	lay(t, "runs", map[string]map[string]string{
		"old": old, "sweep/ä": fresh, "broken": broken,
		"begun": {train.StepsFile: line(1200, 2)}, "old/copy": old, ".hidden": old, "other": {"file": ""},
	})
	runs, err := List("runs")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := WriteList(&b, runs); err != nil {
		t.Fatal(err)
	}
	const want = `
run           state     epochs  accuracy (%)  best (%)  test loss   time  images/s     started (UTC)  network
runs/begun    stopped        –             –         –          –  10m0s        21                 –  –
runs/broken   damaged        –             –         –          –      –         –                 –  –
runs/old      finished       3         62.50     75.00     1.0000    12s       2.0                 –  tiny
runs/sweep/ä  stopped        2         75.00     50.00     1.2500   2.5s       2.0  2026-11-29 12:00  tiny-wide

runs/begun: stopped after step 1,200, in epoch 1
runs/begun: no log.json yet: it stopped before the end of its first epoch
runs/broken: log.json: unexpected end of JSON input; put a good copy in its place
runs/sweep/ä: stopped after step 5, in epoch 1
`
	if "\n"+b.String() != want {
		t.Errorf("\n%s\nwant%s", b.String(), want)
	}
	if runs, err := List("runs/old"); err != nil || len(runs) != 1 || runs[0].Dir != filepath.Join("runs", "old") {
		t.Errorf("a run itself: %v, %v", runs, err)
	}
	for _, root := range []string{"none", "runs/other/file"} {
		if _, err := List(root); err == nil || !strings.Contains(err.Error(), root) || !strings.Contains(err.Error(), "want a folder with trainings") {
			t.Errorf("%s: %v", root, err)
		}
	}
	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		return // these read every folder
	}
	if err := os.Chmod("runs/other", 0); err != nil {
		t.Fatal(err)
	}
	if runs, err := List("runs"); err != nil || len(runs) != 5 || runs[3].State != Damaged || !strings.Contains(runs[3].Problems[0], "permission denied") {
		t.Errorf("a folder that cannot be read: %v, %v", runs, err)
	}
}

func TestWrite(t *testing.T) {
	l := newer()
	l.Epochs[1].Warning = "something is odd"
	var b strings.Builder
	if err := opened(t, written(t, "run", made(t, l, ""))).Write(&b); err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(b.String(), "\n") // the temporary folder
	const want = `
settings
  network                       tiny-wide
  weights at the start          weights.safetensors
  training images               8
  held out for validation (%)   20
  augmentation                  flipcrop
  shift of crops (pixels)       2
  epochs asked for              9
  patience (epochs)             1
  batch size (images)           5
  optimizer                     adamw
  weight decay                  0.01
  learning rate, largest        0.5
  factors of the learning rate  biases × 64, dense/weights × 0.1111
  schedule                      cosine
  warmup (% of the steps)       25
  label smoothing               0.1
  weight average (decay)        0.99
  seed                          4
  training step                 plain
  backend                       pure Go
  processor                     a processor
  threads                       16
  camlab                        v1
  commit                        abc
  Go                            go1.26
  GoMLX                         v0.28.1
  go-xla                        v0.2.4
  started (UTC)                 2026-11-29 12:00
  training data (sha256)        aa
  test data (sha256)            bb

epoch  train loss  validation loss  validation accuracy (%)  test loss  test accuracy (%)  macro-F1 (%)  learning rate  time  images/s
    1      2.0000           0.5000                   100.00     1.5000              50.00         37.50            0.5  4.0s       2.0  best
    2      1.5000           1.5000                    50.00     1.2500              75.00         62.50           0.25  4.0s       2.0
epoch 2: something is odd

results
  ended                                no better epoch for 1 epochs
  epochs                               2
  steps                                4
  best epoch                           1
  validation accuracy, best epoch (%)  100.00
  test accuracy, best epoch (%)        50.00
  test accuracy, last epoch (%)        75.00
  macro-F1, last epoch (%)             62.50
  test loss, last epoch                1.2500
  train loss, last epoch               1.5000
  training time                        8.0s
  speed (images/s)                     2.0
`
	if text != want {
		t.Errorf("%s\nwant%s", text, want)
	}
}

// TestSettings is that every setting and all of the environment are shown.
func TestSettings(t *testing.T) {
	empty := (&Run{}).settings()
	for what, set := range map[string]func(r *Run) reflect.Value{
		"config":      func(r *Run) reflect.Value { return reflect.ValueOf(&r.Log.Config).Elem() },
		"environment": func(r *Run) reflect.Value { return reflect.ValueOf(&r.Log.Environment).Elem() },
	} {
		for i := range set(&Run{}).NumField() {
			r := &Run{Log: train.History{Images: 1}}
			field := set(r).Type().Field(i)
			if field.Tag.Get("json") == "-" {
				continue // no number depends on it
			}
			v := set(r).Field(i)
			switch v.Interface().(type) {
			case map[string]float64:
				v.Set(reflect.ValueOf(map[string]float64{"biases": 64}))
			case map[string]string:
				v.Set(reflect.ValueOf(map[string]string{"go": "go1.26"}))
			case time.Time:
				v.Set(reflect.ValueOf(time.Unix(0, 0)))
			case string, train.Optimizer, train.Schedule, train.Augmentation, train.StepKind:
				v.SetString("x")
			case float64:
				v.SetFloat(0.5)
			default:
				v.SetInt(7)
			}
			shown := 0
			for k, row := range r.settings() {
				if row.Name != "training images" && row.Name != "seed" && row.Values[0] != empty[k].Values[0] || row.Name == "seed" && row.Values[0] != "0" {
					shown++
				}
			}
			if shown != 1 {
				t.Errorf("%s: %s shows in %d rows, want 1", what, field.Name, shown)
			}
		}
	}
}

func TestCompare(t *testing.T) {
	t.Chdir(t.TempDir())
	third := history()
	third.Config.BatchSize = 4
	lay(t, ".", map[string]map[string]string{
		"x/old": made(t, history(), ""), "y/old": made(t, third, ""), "new": made(t, newer(), ""),
	})
	runs := []*Run{opened(t, "x/old"), opened(t, "y/old"), opened(t, "new")}
	text := func(runs ...*Run) string {
		t.Helper()
		c, err := Compare(runs)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := c.Write(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	const want = `
                                       x/old     y/old     new
settings that differ
  network                              tiny      tiny      tiny-wide
  weights at the start                 –         –         weights.safetensors
  held out for validation (%)          –         –         20
  shift of crops (pixels)              –         –         2
  epochs asked for                     –         –         9
  patience (epochs)                    –         –         1
  batch size (images)                  5         4         5
  optimizer                            –         –         adamw
  weight decay                         –         –         0.01
  learning rate, largest               0.25      0.25      0.5
  factors of the learning rate         –         –         biases × 64, dense/weights × 0.1111
  schedule                             –         –         cosine
  warmup (% of the steps)              –         –         25
  label smoothing                      –         –         0.1
  weight average (decay)               –         –         0.99
  seed                                 3         3         4
  processor                            –         –         a processor
  threads                              –         –         16
  camlab                               –         –         v1
  commit                               –         –         abc
  Go                                   –         –         go1.26
  GoMLX                                –         –         v0.28.1
  go-xla                               –         –         v0.2.4
  started (UTC)                        –         –         2026-11-29 12:00
results
  state                                finished  finished  finished
  ended                                –         –         no better epoch for 1 epochs
  epochs                               3         3         2
  steps                                6         6         4
  best epoch                           2         2         1
  validation accuracy, best epoch (%)  –         –         100.00
  test accuracy, best epoch (%)        75.00     75.00     50.00
  test accuracy, last epoch (%)        62.50     62.50     75.00
  macro-F1, last epoch (%)             50.00     50.00     62.50
  test loss, last epoch                1.0000    1.0000    1.2500
  train loss, last epoch               1.0000    1.0000    1.5000
  training time                        12s       12s       8.0s
  speed (images/s)                     2.0       2.0       2.0
`
	if got := text(runs...); "\n"+got != want {
		t.Errorf("\n%s\nwant%s", got, want)
	}
	if got := text(runs[0], runs[0]); !strings.Contains(got, "\nsettings: the same, as far as the logs tell\nresults\n") {
		t.Errorf("one run twice:\n%s", got)
	}
	if _, err := Compare(runs[:1]); err == nil || err.Error() != "runs: one run to compare, want two or more" {
		t.Errorf("one run: %v", err)
	}
}

func TestValues(t *testing.T) {
	for got, want := range map[string]string{
		count(0): "", count(999): "999", count(1000): "1,000", count(1234567): "1,234,567",
		duration(9.96): "10.0s", duration(59.6): "1m0s", duration(3725): "1h2m5s",
		speed(9.94): "9.9", speed(12345.6): "12,346",
		count(int64(1) << 40): "1,099,511,627,776", share(0): "", share(0.07): "7", share(1. / 3): "33.3333",
		loss(new(float64)): "0.0000", moment(time.Time{}): "", moment(time.Date(2026, 11, 29, 0, 30, 0, 0, time.FixedZone("", 7200))): "2026-11-28 22:30",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	wild := 1.5e9
	if got := loss(&wild); got != "1.5e+09" {
		t.Errorf("loss %q", got)
	}
}
