package runs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	gomlx "github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/train"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/lock"
)

// TestTraining trains for two epochs and reads the folder while that runs, when it has
// ended, and when another was stopped in its first epoch.
func TestTraining(t *testing.T) {
	size := images.Size{Height: 4, Width: 4, Channels: 1}
	rng := rand.New(rand.NewPCG(1, 2))
	pixels, labels := make([]uint8, 20*size.Values()), make([]int, 20)
	for i := range pixels {
		pixels[i] = uint8(rng.IntN(256))
	}
	for i := range labels {
		labels[i] = i % 2
	}
	ds, err := images.NewMemory(size, []string{"cat", "dog"}, pixels, labels)
	if err != nil {
		t.Fatal(err)
	}
	net := func() *network.Network {
		return &network.Network{Name: "dense", Store: gomlx.NewStore(),
			Layers: []network.Layer{{Name: "stem", Build: func(scope *gomlx.Scope, x *graph.Node) *graph.Node {
				return layers.Convolution(scope.At("stem"), x).Channels(2).KernelSize(3).PadSame().Strides(1).Done()
			}}},
			Head: func(scope *gomlx.Scope, act *graph.Node) *graph.Node {
				return layers.Dense(scope.At("head"), graph.ReduceMean(act, 1, 2), true, 2)
			}}
	}
	config := train.Config{Epochs: 2, BatchSize: 8, Augment: train.None, Step: train.Plain, Validation: 0.2, EvaluateEvery: 1, Dir: filepath.Join(t.TempDir(), "run")}
	states := make(map[State]int)
	config.OnStep = func(train.Progress) {
		if _, err := os.Stat(filepath.Join(config.Dir, train.TrainingFile)); err != nil {
			return // nothing is written yet
		}
		r := opened(t, config.Dir)
		states[r.State]++
		if len(r.Problems) > 0 || !strings.HasPrefix(r.Holder, fmt.Sprintf("process %d on ", os.Getpid())) {
			t.Errorf("while it runs: problems %q, trained by %q", r.Problems, r.Holder)
		}
	}
	var drawn []int // lines of epochs.csv after each epoch
	config.OnEpoch = func(train.Epoch) {
		if err := WriteFiles(config.Dir); err != nil {
			t.Error(err)
		}
		csv, err := os.ReadFile(filepath.Join(config.Dir, EpochsFile))
		if err != nil {
			t.Error(err)
		}
		drawn = append(drawn, strings.Count(string(csv), "\n"))
	}
	h, err := train.Train(t.Context(), backendtest.Go(t), net(), ds, ds, config)
	if err != nil {
		t.Fatal(err)
	}
	if states[Running] == 0 || len(states) != 1 {
		t.Errorf("states while it runs %v, want running", states)
	}
	r := opened(t, config.Dir)
	if err := r.Verify(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(drawn, []int{2, 3}) {
		t.Errorf("lines of %s %v, want 2 and 3", EpochsFile, drawn)
	}
	best := r.Best()
	if len(r.models()) != 2 || best.Validation.Images != 4 || r.Log.Config.Validation != 0.2 || r.Log.Ended == "" || !r.Log.Started.Equal(h.Started) {
		t.Errorf("models %+v, best epoch %+v, log %+v", r.models(), best, r.Log)
	}
	steps, err := r.Steps()
	if err != nil || len(steps) != 2 || steps[0].Step != 1 || steps[1].Step != 3 || !evaluated(steps[0]) || steps[0].Gradient <= 0 {
		t.Errorf("steps %+v, %v, want 1 and 3, evaluated", steps, err)
	}
	s := r.Summary()
	if r.State != Finished || len(r.Problems) > 0 || s.Epochs != 2 || s.Steps != 4 || s.Seconds != h.Seconds() || *s.Accuracy != h.Epochs[1].Test.Accuracy {
		t.Errorf("finished: %s, problems %q, %+v", r.State, r.Problems, s)
	}

	ctx, stop := context.WithCancel(t.Context())
	config.OnEpoch = nil
	config.Dir, config.OnStep = filepath.Join(t.TempDir(), "stopped"), func(train.Progress) { stop() }
	if _, err := train.Train(ctx, backendtest.Go(t), net(), ds, ds, config); !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped: %v", err)
	}
	r = opened(t, config.Dir)
	if err := r.Verify(); err != nil || r.State != Stopped || len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "before the end of its first epoch") || r.Log.Config.Seed != config.Seed {
		t.Errorf("stopped in the first epoch: %v, %s, %q, seed %d, want %d", err, r.State, r.Problems, r.Log.Config.Seed, config.Seed)
	}
}

// TestOlderLog is that the settings are read where older logs have them.
func TestOlderLog(t *testing.T) {
	const log = `{"architecture":"tiny","images":8,"augmentation":"article","batch_size":5,"learning_rate":0.25,"seed":3,"step":"winograd",
		"epochs":[{"epoch":1,"train_cost":2,"test":{"images":8,"accuracy":0.5},"seconds":4},{"epoch":2,"train_cost":1,"test":{"images":8,"accuracy":0.5},"seconds":8}]}`
	r := opened(t, written(t, "run", map[string]string{train.LogFile: log, network.ModelFile: model}))
	want := train.Config{Augment: train.Article, BatchSize: 5, LearningRate: 0.25, Seed: 3, Step: train.Winograd}
	if !reflect.DeepEqual(r.Log.Config, want) {
		t.Errorf("settings %+v, want %+v", r.Log.Config, want)
	}
	if s := r.Summary(); r.State != Finished || s.Epochs != 2 || s.Steps != 10 || s.ImagesPerSecond != 4 || s.BestEpoch != 1 {
		t.Errorf("%s, %q, %+v", r.State, r.Problems, s)
	}
}

// TestOpen is what is said of folders that a training left, or something else has changed.
func TestOpen(t *testing.T) {
	const step = `{"step":%d,"epoch":%d,"loss":1.5,"learning_rate":0.25,"images_per_second":2,"seconds":9}` + "\n"
	within := fmt.Sprintf(step, 7, 4)
	for _, row := range []struct {
		rule    string
		change  func(files map[string]string)
		state   State
		problem string
	}{
		{"whole", func(map[string]string) {}, Finished, ""},
		{"with its last step that of its last epoch", func(f map[string]string) { f[train.StepsFile] = fmt.Sprintf(step, 6, 3) }, Finished, ""},
		{"with steps after its last epoch", func(f map[string]string) { f[train.StepsFile] = within }, Stopped, ""},
		{"with all epochs asked for", func(f map[string]string) {
			f[train.LogFile] = encoded(t, func(h *train.History) { h.Config.Epochs = 3 })
		}, Finished, ""},
		{"with fewer", func(f map[string]string) {
			f[train.LogFile] = encoded(t, func(h *train.History) { h.Config.Epochs = 4 })
		}, Stopped, ""},
		{"with fewer, but ended", func(f map[string]string) {
			f[train.LogFile] = encoded(t, func(h *train.History) { h.Config.Epochs, h.Ended = 4, "no better epoch" })
		}, Finished, ""},
		{"ended, and then gone on with", func(f map[string]string) {
			f[train.LogFile], f[train.StepsFile] = encoded(t, func(h *train.History) { h.Config.Epochs, h.Ended = 3, "all" }), within
		}, Stopped, ""},
		{"without epochs", func(f map[string]string) { f[train.LogFile] = `{"images":8,"epochs":[]}` }, Stopped, "it stopped before the end of its first epoch"},
		{"without a log or model", func(f map[string]string) { clear(f); f[train.StepsFile] = within }, Stopped, "no log.json yet: it stopped before the end of its first epoch"},
		{"with a left-over lock", func(f map[string]string) { f[lock.File] = "process 1 on a machine\n" }, Finished, ""},
		{"without its log", func(f map[string]string) { delete(f, train.LogFile); f[train.TrainingFile] = "" }, Damaged, "log.json is missing; start the training again"},
		{"with a log cut short", func(f map[string]string) { f[train.LogFile] = f[train.LogFile][:90] }, Damaged, "log.json: unexpected end of JSON input; put a good copy in its place"},
		{"with a log of another kind", func(f map[string]string) { f[train.LogFile] = `{"images":"eight"}` }, Damaged, "log.json: images is a string, want int"},
		{"with an epoch missing", func(f map[string]string) {
			f[train.LogFile] = strings.Replace(f[train.LogFile], `{"epoch":2`, `{"epoch":3`, 1)
		}, Damaged, "log.json: epoch 3 in the place of epoch 2"},
		{"without its model", func(f map[string]string) { delete(f, network.ModelFile) }, Damaged, "model.safetensors is missing; put a good copy"},
		{"with an empty model", func(f map[string]string) { f[network.ModelFile] = "" }, Damaged, "model.safetensors is cut short, or no safetensors file"},
		{"with a model cut in its header", func(f map[string]string) { f[network.ModelFile] = model[:20] }, Damaged, "model.safetensors is cut short"},
		{"with a model cut in its numbers", func(f map[string]string) { f[network.ModelFile] = model[:len(model)-1] }, Damaged, "model.safetensors has 67 bytes, want 68"},
		{"with a damaged header", func(f map[string]string) { f[network.ModelFile] = strings.Replace(model, "{", "[", 1) }, Damaged, "model.safetensors has a damaged header"},
		{"without its best model", func(f map[string]string) {
			f[train.LogFile] = encoded(t, func(h *train.History) { h.BestData = "cc" })
		}, Damaged, "best.safetensors is missing; put a good copy"},
		{"with a best model cut, of an epoch before", func(f map[string]string) {
			f[train.LogFile], f[train.BestFile], f[train.TrainingFile] = encoded(t, func(h *train.History) { h.BestData = "cc" }), model[:20], ""
		}, Damaged, "best.safetensors is cut short, or no safetensors file; put a good copy"},
		{"with a best model cut, of the last epoch", func(f map[string]string) {
			f[train.LogFile], f[train.BestFile], f[train.TrainingFile] = encoded(t, func(h *train.History) { h.BestData, h.Epochs[2].Best = "cc", true }), model[:20], ""
		}, Damaged, "best.safetensors is cut short, or no safetensors file; start the training again"},
		{"with both damaged", func(f map[string]string) {
			f[train.LogFile], f[network.ModelFile] = encoded(t, func(h *train.History) { h.BestData = "cc" }), ""
		}, Damaged, "model.safetensors is cut short, or no safetensors file; put a good copy in its place\nbest.safetensors is missing"},
	} {
		t.Run(row.rule, func(t *testing.T) {
			files := made(t, history(), "")
			row.change(files)
			r := opened(t, written(t, "run", files))
			if r.State != row.state || (row.problem == "") != (len(r.Problems) == 0) || !strings.HasPrefix(strings.Join(r.Problems, "\n"), row.problem) {
				t.Errorf("%s, %q, want %s, %q", r.State, r.Problems, row.state, row.problem)
			}
			var text strings.Builder
			if err := r.Write(&text); err != nil || !strings.Contains(text.String(), strings.Join(r.Problems, "\n  ")) {
				t.Errorf("%v: shown as\n%s", err, text.String())
			}
		})
	}
	for name, dir := range map[string]string{
		"no such file":  filepath.Join(t.TempDir(), "none"),
		"no run in":     t.TempDir(),
		"not a directo": filepath.Join(written(t, "x", map[string]string{"file": ""}), "file"),
	} {
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "want a folder that `camlab train` wrote") {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// encoded is the log of history, changed.
func encoded(t *testing.T, change func(*train.History)) string {
	t.Helper()
	h := history()
	change(&h)
	return made(t, h, "")[train.LogFile]
}

func TestVerify(t *testing.T) {
	h := history()
	h.ModelData, h.BestData = fmt.Sprintf("%x", sha256.Sum256([]byte(model))), fmt.Sprintf("%x", sha256.Sum256([]byte(other)))
	whole := made(t, h, "")
	whole[train.BestFile] = other
	for _, row := range []struct {
		rule    string
		change  map[string]string
		problem string
	}{
		{"whole", nil, ""},
		{"another model", map[string]string{network.ModelFile: other}, "model.safetensors is not that of the last epoch: its sha256 is " + h.BestData + ", want " + h.ModelData + "; put"},
		{"another best model", map[string]string{train.BestFile: model}, "best.safetensors is not that of the best epoch: its sha256 is " + h.ModelData + ", want " + h.BestData + "; put"},
	} {
		files := maps.Clone(whole)
		maps.Copy(files, row.change)
		r := opened(t, written(t, "run", files))
		if r.State != Finished {
			t.Errorf("%s: %s before the models are read, want finished", row.rule, r.State)
		}
		want := map[bool]State{true: Finished, false: Damaged}[row.problem == ""]
		if err := r.Verify(); err != nil || r.State != want || !strings.HasPrefix(strings.Join(r.Problems, "\n"), row.problem) || len(r.Problems) > 1 || row.problem == "" && len(r.Problems) > 0 {
			t.Errorf("%s: %v, %s, %q, want %s, %q", row.rule, err, r.State, r.Problems, want, row.problem)
		}
	}
}

func TestVerifyOlder(t *testing.T) {
	r := opened(t, written(t, "run", made(t, history(), "")))
	if err := r.Verify(); err != nil || r.State != Finished {
		t.Errorf("a log without checksums: %v, %s, %q", err, r.State, r.Problems)
	}
}

// TestLearningRate is that an epoch's is known where the log has none only if it was constant.
func TestLearningRate(t *testing.T) {
	for _, row := range []struct {
		schedule    train.Schedule
		epoch, want float64
	}{{"", 0, 0.25}, {train.Constant, 0, 0.25}, {train.Cosine, 0, 0}, {train.Cosine, 0.125, 0.125}} {
		r := &Run{Log: history()}
		r.Log.Config.Schedule = row.schedule
		if got := r.learningRate(&train.Epoch{LearningRate: row.epoch}); got != row.want {
			t.Errorf("schedule %q, %v in the epoch: %v, want %v", row.schedule, row.epoch, got, row.want)
		}
	}
}

func TestBest(t *testing.T) {
	marked := newer()
	marked.Epochs[1].Best = true // the first stays marked
	for _, row := range []struct {
		rule string
		log  train.History
		want int
	}{
		{"highest test accuracy", history(), 2},
		{"what is marked", newer(), 1},
		{"what is marked last", marked, 2},
	} {
		if got := (&Run{Log: row.log}).Best(); got == nil || got.Epoch != row.want {
			t.Errorf("%s: epoch %+v, want %d", row.rule, got, row.want)
		}
	}
	if got := new(Run).Best(); got != nil {
		t.Errorf("no epochs: %+v", got)
	}
}
