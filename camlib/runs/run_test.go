package runs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
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
	config := train.Config{Epochs: 2, BatchSize: 10, Augment: train.None, Step: train.Plain, Dir: filepath.Join(t.TempDir(), "run")}
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
	s := r.Summary()
	if r.State != Finished || len(r.Problems) > 0 || s.Epochs != 2 || s.Steps != 4 || s.Seconds != h.Seconds() || *s.Accuracy != h.Epochs[1].Test.Accuracy {
		t.Errorf("finished: %s, problems %q, %+v", r.State, r.Problems, s)
	}

	ctx, stop := context.WithCancel(t.Context())
	config.Dir, config.OnStep = filepath.Join(t.TempDir(), "stopped"), func(train.Progress) { stop() }
	if _, err := train.Train(ctx, backendtest.Go(t), net(), ds, ds, config); !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped: %v", err)
	}
	r = opened(t, config.Dir)
	if err := r.Verify(); err != nil || r.State != Stopped || len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "before the end of its first epoch") {
		t.Errorf("stopped in the first epoch: %v, %s, %q", err, r.State, r.Problems)
	}
}

// TestLogHasAllOfHistory is that whatever train writes into its log is read, and
// comes out as it went in.
func TestLogHasAllOfHistory(t *testing.T) {
	h := history()
	h.Epochs[1].Warning = "something"
	want, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var l Log
	d := json.NewDecoder(bytes.NewReader(want))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		t.Fatal(err)
	}
	var a, b any
	got, err := json.Marshal(l)
	if err == nil {
		err = errors.Join(json.Unmarshal(want, &a), json.Unmarshal(got, &b))
	}
	if err != nil || fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("%v: %v\nwant %v", err, b, a)
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
		{"with its last step that of its last epoch", func(f map[string]string) { f[StepsFile] = fmt.Sprintf(step, 6, 3) }, Finished, ""},
		{"with steps after its last epoch", func(f map[string]string) { f[StepsFile] = within }, Stopped, ""},
		{"without epochs", func(f map[string]string) { f[train.LogFile] = `{"images":8,"epochs":[]}` }, Stopped, ""},
		{"without a log or model", func(f map[string]string) { clear(f); f[StepsFile] = within }, Stopped, "no log.json yet: it stopped before the end of its first epoch"},
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
	} {
		t.Run(row.rule, func(t *testing.T) {
			files := made(t, history(), "")
			row.change(files)
			r := opened(t, written(t, "run", files))
			if r.State != row.state || (row.problem == "") != (len(r.Problems) == 0) || !strings.HasPrefix(strings.Join(r.Problems, "\n"), row.problem) {
				t.Errorf("%s, %q, want %s, %q", r.State, r.Problems, row.state, row.problem)
			}
			var text strings.Builder
			if err := r.Write(&text); err != nil || !strings.Contains(text.String(), row.problem) {
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

func TestVerify(t *testing.T) {
	h := history()
	h.ModelData = fmt.Sprintf("%x", sha256.Sum256([]byte(model)))
	files := made(t, h, "")
	if r := opened(t, written(t, "run", files)); r.Verify() != nil || r.State != Finished || len(r.Problems) != 0 {
		t.Errorf("%s, %q, want finished", r.State, r.Problems)
	}
	flipped := maps.Clone(files)
	flipped[network.ModelFile] = model[:len(model)-1] + "\x3e"
	r := opened(t, written(t, "run", flipped))
	if r.State != Finished {
		t.Errorf("%s before the model is read, want finished", r.State)
	}
	if err := r.Verify(); err != nil || r.State != Damaged || len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "want "+h.ModelData) {
		t.Errorf("with a flipped bit: %v, %s, %q", err, r.State, r.Problems)
	}
}

func TestBest(t *testing.T) {
	old := opened(t, written(t, "old", made(t, history(), ""))).Log
	validated := newer()
	marked := newer()
	marked.Epochs[0].Best, marked.Epochs[1].Best = true, true // as each was, when it ended
	for rule, row := range map[string]struct {
		log  Log
		want int
	}{
		"highest test accuracy":                    {old, 2},
		"validation accuracy before test accuracy": {validated, 1},
		"what is marked last before both":          {marked, 2},
	} {
		if got := row.log.Best(); got == nil || got.Epoch != row.want {
			t.Errorf("%s: epoch %+v, want %d", rule, got, row.want)
		}
	}
	if got := new(Log).Best(); got != nil {
		t.Errorf("no epochs: %+v", got)
	}
}
