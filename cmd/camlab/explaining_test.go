package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/lock"
)

// TestExplainTwice wants a finished run not to be done again, unless something is
// missing or other.
func TestExplainTwice(t *testing.T) {
	photos, out := t.TempDir(), t.TempDir()
	for i := range 3 {
		write(t, filepath.Join(photos, fmt.Sprintf("%d.png", i)), pngBytes(t, i))
	}
	run := func() (text, said string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		root := newRoot()
		root.SetArgs([]string{"explain", photos, "--out", out, "--json"})
		root.SetOut(&stdout)
		root.SetErr(&stderr)
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		return stdout.String(), stderr.String()
	}
	first, _ := run()
	want := files(t, out)
	const already = "has these results already"
	const another = "has the results of another run, in whose place these come"
	if text, said := run(); text != first || !strings.Contains(said, already) || strings.Contains(said, another) {
		t.Errorf("a second start said %q, want that all is there, and the same manifest", said)
	}
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range want {
			if !yield(name) {
				return
			}
		}
	}) {
		if err := os.Remove(filepath.Join(out, name)); err != nil {
			t.Fatal(err)
		}
		if _, said := run(); strings.Contains(said, already) {
			t.Errorf("without %s all was said to be there", name)
		}
		same(t, "without "+name, out, want)
	}
	write(t, filepath.Join(photos, "1.png"), pngBytes(t, 9))
	if text, said := run(); text == first || strings.Contains(said, already) {
		t.Error("another picture of the same name went unnoticed")
	}
	if _, said, err := commandSaying(t, "explain", photos, "--out", out, "--method", "gradcam"); err != nil || !strings.Contains(said, another) {
		t.Errorf("another run said %q (%v), want that the folder has another's results", said, err)
	}
}

// TestExplainBorders wants the chunks' bytes to be those of one call for all images.
func TestExplainBorders(t *testing.T) {
	slow(t)
	backend := backendtest.XLA(t)
	network, err := article.Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 33, 70} {
		for _, layer := range []string{"", "conv4"} { // in closed form, and by gradients
			if layer != "" && n != 70 {
				continue // XLA compiles for each
			}
			out := t.TempDir()
			args := []string{"explain", "--split", "sample", "--index", sampleIndex(n), "--method", "gradcam,randomcam", "--out", out}
			explained := network
			if layer != "" {
				args = append(args, "--layer", layer)
				if explained, err = network.At(layer); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := command(t, args...); err != nil {
				t.Fatal(err)
			}
			e, err := cam.New(backend, explained, cam.Options{})
			if err != nil {
				t.Fatal(err)
			}
			x, err := images.FromDataset(cifar10.Sample(), 0, n)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range readManifest(t, out).Maps {
				method, err := cam.Lookup(f.Method)
				if err != nil {
					t.Fatal(err)
				}
				r, err := e.Explain(t.Context(), method, x, cam.Predicted)
				if err != nil {
					t.Fatal(err)
				}
				if closed := f.Method == "gradcam" && layer == ""; slices.Contains(r.Closed, !closed) {
					t.Errorf("layer %q, %s: closed forms %v, want %v for all", layer, f.Method, r.Closed, closed)
				}
				got, shape := array(t, filepath.Join(out, f.File))
				if !reflect.DeepEqual(shape, r.Shape()) || !reflect.DeepEqual(f.Shape, shape) {
					t.Fatalf("%d images, %s: shaped %v and %v in the manifest, want %v", n, f.Method, shape, f.Shape, r.Shape())
				}
				for i, v := range r.Maps {
					if math.Float32bits(float32(got[i])) != math.Float32bits(v) {
						t.Errorf("%d images, layer %q, %s: value %d is %v, want %v to the last bit", n, layer, f.Method, i, got[i], v)
						break
					}
				}
			}
		}
	}
}

// TestExplainCannotWrite wants folders that cannot be written to be noticed before
// anything is computed.
func TestExplainCannotWrite(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, nil)
	with := func(name string) string {
		out := filepath.Join(dir, "with "+name)
		if err := os.MkdirAll(filepath.Join(out, name), 0o755); err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, test := range []struct{ out, want string }{
		{file, "not a directory"},
		{filepath.Join(file, "below"), "not a directory"},
		{with("manifest.json"), "manifest.json is a folder, want that name free for a file"},
		{with("maps_cam.npy"), "maps_cam.npy is a folder"},
		{with("logits.npy"), "logits.npy is a folder"},
		{with("3_airplane_cam.png"), "3_airplane_cam.png is a folder"},
		{with(".lock"), ".lock"},
		{"/proc/camlab", "/proc/camlab"},
	} {
		if strings.HasPrefix(test.out, "/proc") {
			if _, err := os.Stat("/proc/self"); err != nil {
				continue
			}
		}
		_, err := command(t, "explain", "--split", "sample", "--index", "3", "--out", test.out)
		if err == nil || !strings.HasPrefix(err.Error(), "explain: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("--out %s: %v, want %q", test.out, err, test.want)
		}
		if _, err := os.Stat(filepath.Join(test.out, unfinished)); err == nil {
			t.Errorf("--out %s: it began to compute", test.out)
		}
	}
	for _, args := range [][]string{
		{"leaderboard", "--split", "sample", "--out", file},
		{"leaderboard", "--split", "sample", "--out", with("leaderboard.csv")},
	} {
		if _, err := command(t, args...); err == nil || !strings.HasPrefix(err.Error(), "leaderboard: --out: folder ") {
			t.Errorf("%v: %v, want that it cannot be written", args, err)
		}
	}
}

// TestExplainDiskFull fills a file system, and goes on when it has become larger.
func TestExplainDiskFull(t *testing.T) {
	args := func(out string) []string {
		return []string{"explain", "--split", "sample", "--index", sampleIndex(70), "--method", "cam", "--out", out}
	}
	out, whole := t.TempDir(), t.TempDir()
	if text, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1100k", "tmpfs", out).CombinedOutput(); err != nil {
		t.Skipf("mount: %v: %s", err, text)
	}
	t.Cleanup(func() {
		if text, err := exec.Command("umount", out).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, text)
		}
	})
	if _, err := command(t, args(out)...); err == nil || !strings.Contains(err.Error(), "no space left on device; 32 of 70 images are done, and the same command goes on") {
		t.Fatalf("error %v, want that the disk is full, and what is done", err)
	}
	if _, err := os.Stat(filepath.Join(out, "manifest.json")); err == nil {
		t.Error("a manifest, though not all is there")
	}
	if text, err := exec.Command("mount", "-o", "remount,size=64m", out).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, text)
	}
	for _, dir := range []string{out, whole} {
		if _, err := command(t, args(dir)...); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "full disk", out, files(t, whole))
}

// TestExplainLeavesOthersFiles that stand where an unfinished run would: it says so.
func TestExplainLeavesOthersFiles(t *testing.T) {
	for what, test := range map[string]struct {
		put  func(t *testing.T, work string)
		want string
	}{
		"a file": {func(t *testing.T, work string) { write(t, work, []byte("mine")) }, "not a directory"},
		"a folder of the user's": {func(t *testing.T, work string) {
			mkdir(t, work)
			write(t, filepath.Join(work, "thesis.txt"), []byte("mine"))
		}, `holds "thesis.txt", which is not of an unfinished run`},
		"a folder where the journal is to be": {func(t *testing.T, work string) { mkdir(t, filepath.Join(work, "journal")) }, "journal"},
	} {
		t.Run(what, func(t *testing.T) {
			out := t.TempDir()
			test.put(t, filepath.Join(out, unfinished))
			_, err := command(t, "explain", "--backend", "go", "--split", "sample", "--index", "3", "--out", out)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that says %q", err, test.want)
			}
			if text, err := os.ReadFile(filepath.Join(out, unfinished, "thesis.txt")); what == "a folder of the user's" && (err != nil || string(text) != "mine") {
				t.Errorf("the user's file: %q, %v", text, err)
			}
		})
	}
}

// TestExplainMethodTwice is that a method asked for twice is made once, and that an
// array of a finished run that was cut is made anew.
func TestExplainMethodTwice(t *testing.T) {
	out := t.TempDir()
	args := []string{"explain", "--backend", "go", "--split", "sample", "--index", "3", "--method", "gradcam,cam,gradcam", "--out", out}
	if _, err := command(t, args...); err != nil {
		t.Fatal(err)
	}
	if got := readManifest(t, out).Methods; !slices.Equal(got, []string{"gradcam", "cam"}) {
		t.Errorf("methods %v, want each once", got)
	}
	want := files(t, out)
	if err := os.Truncate(filepath.Join(out, "maps_cam.npy"), 100); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, args...); err != nil {
		t.Fatal(err)
	}
	same(t, "an array that was cut", out, want)
}

// TestExplainLocked wants two runs in one folder refused, and shards not.
func TestExplainLocked(t *testing.T) {
	out := t.TempDir()
	unlock, err := lock.Dir(out)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := command(t, "explain", "--split", "sample", "--index", "3", "--out", out); !errors.Is(err, lock.ErrHeld) {
		t.Errorf("error %v, want that the folder is in use", err)
	}
	if _, err := command(t, "explain", "--split", "sample", "--index", "3,7", "--shard", "1/2", "--out", out); err != nil {
		t.Errorf("a shard, in a folder of its own: %v", err)
	}
}
