package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/plugin"
)

func TestEvaluateKeepsTheScriptsContract(t *testing.T) {
	text, err := command(t, "evaluate", "--split", "sample", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var e map[string]any
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"loss", "accuracy", "macro_f1", "per_class", "images", "model_sha256", "backend"} {
		if _, ok := e[key]; !ok {
			t.Errorf("no %q in %s", key, text)
		}
	}
	if e["images"] != 1000. || len(e["per_class"].([]any)) != 10 {
		t.Errorf("%v images, %v classes; want 1000 and 10", e["images"], len(e["per_class"].([]any)))
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestMeasureAndLeaderboard are the two commands on a few images.
func TestMeasureAndLeaderboard(t *testing.T) {
	slow(t)
	if _, _, err := plugin.Find("cpu"); err != nil {
		t.Skip(err)
	}
	text, err := command(t, "measure", "--split", "sample", "--images", "6", "--method", "cam,gradcam", "--metric", "road,sparseness", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var lines []measured
	if err := json.Unmarshal([]byte(text), &lines); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 4 || lines[1].Method != "cam" || lines[1].Metric != "sparseness" || lines[1].Value.N != 6 || lines[1].Value.Low > lines[1].Value.Mean {
		t.Errorf("lines %+v, want two methods by two metrics", lines)
	}
	for _, test := range []struct{ flag, value, want string }{
		{"--metric", "beauty", `measure: metric "beauty", want all, or some of average-drop, increase,`},
		{"--images", "0", "measure: --images 0, want 1 to 1000"},
	} {
		if _, err := command(t, "measure", "--split", "sample", test.flag, test.value); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %q: error %v, want %q", test.flag, test.value, err, test.want)
		}
	}
	out := t.TempDir()
	text, err = command(t, "leaderboard", "--split", "sample", "--images", "8", "--again", "2", "--mosaics", "2", "--method", "gradcam", "--out", out)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "gradcam") || !strings.Contains(text, "mean rank") {
		t.Errorf("output %q, want the ranks", text)
	}
	for _, name := range []string{"leaderboard.md", "leaderboard.csv", "leaderboard.json"} {
		if b, err := os.ReadFile(filepath.Join(out, name)); err != nil || !strings.Contains(string(b), "grid-pointing") {
			t.Errorf("%s: error %v, %d bytes, want a board", name, err, len(b))
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	root := newRoot()
	root.SetArgs([]string{"leaderboard", "--split", "sample", "--images", "2", "--again", "1", "--mosaics", "1", "--method", "gradcam", "--out", out})
	root.SetOut(io.Discard)
	root.SetErr(writerFunc(func(p []byte) (int, error) {
		if strings.Contains(string(p), "random") { // the row after gradcam's begins
			cancel()
		}
		return len(p), nil
	}))
	if err := root.ExecuteContext(ctx); !errors.Is(err, context.Canceled) || !strings.HasSuffix(err.Error(), "the 1 rows that were done are in "+out) {
		t.Errorf("%v", err)
	}
}

// TestOverflowIsNoAnswer: every command that runs a network whose weights are finite and
// whose activations are not ends with an error that names the layer.
func TestOverflowIsNoAnswer(t *testing.T) {
	m, err := article.Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	backendtest.Overflow(t, m.Store, "conv3/weights")
	file := filepath.Join(t.TempDir(), "big.safetensors")
	if err := m.Save(file); err != nil {
		t.Fatal(err)
	}
	fails := func(args ...string) {
		t.Helper()
		out := filepath.Join(t.TempDir(), "out")
		if !slices.Contains([]string{"evaluate", "measure"}, args[0]) {
			args = append(args, "--out", out)
		}
		text, err := command(t, append(args, "--model", file, "--split", "sample")...)
		if err == nil || text != "" || !strings.Contains(err.Error(), "image 0: infinite or NaN from conv3 on, want finite numbers") {
			t.Errorf("%v: output %q, error %v, want none and an error that names conv3", args, text, err)
		}
	}
	fails("explain", "--index", "3,7", "--method", "cam,scorecam", "--backend", "go")
	if _, _, err := plugin.Find("cpu"); err != nil {
		t.Skip(err)
	}
	fails("explain", "--index", "3,7")
	fails("explain", "--index", "3", "--layer", "conv2", "--method", "gradcam", "--class", "all")
	fails("evaluate")
	fails("measure", "--images", "2")
	fails("leaderboard", "--images", "2")
}
