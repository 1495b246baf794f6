package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/lock"
	"github.com/camlab-go/camlab/internal/npy"
	"github.com/camlab-go/camlab/internal/shared"
)

// sampleIndex is the --index of the first n images of the sample.
func sampleIndex(n int) string {
	var index []string
	for _, i := range cifar10.Sample().Index[:n] {
		index = append(index, strconv.Itoa(i))
	}
	return strings.Join(index, ",")
}

// goesOn are runs with several chunks, of several methods.
func goesOn(out string, more ...string) []string {
	return append([]string{"explain", "--split", "sample", "--index", sampleIndex(100), "--method", "cam,gradcam", "--out", out}, more...)
}

// pngBytes is image i of the sample as a file.
func pngBytes(t *testing.T, i int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, cifar10.Sample().Image(i)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func readManifest(t *testing.T, dir string) (m manifest) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// same wants two folders to hold the same files, of the same bytes.
func same(t *testing.T, what, dir string, want map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(want) {
		t.Errorf("%s: %d files, want %d", what, len(entries), len(want))
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if w, ok := want[e.Name()]; err != nil || !ok || w != string(b) {
			t.Errorf("%s: %s: error %v, or not the bytes of a run that was not stopped", what, e.Name(), err)
		}
	}
}

// lines counts the units in a folder's journal, which begins with the settings.
func lines(dir string) int {
	b, _ := os.ReadFile(filepath.Join(dir, unfinished, "journal")) // there is none yet, or no more
	return bytes.Count(b, []byte("\n")) - 1
}

// stopAfter runs a command line until its journal in dir has n units, and returns
// its error and what it said.
func stopAfter(t *testing.T, n int, dir string, args []string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var said bytes.Buffer
	done := make(chan error)
	go func() {
		root := newRoot()
		root.SetArgs(args)
		root.SetOut(&bytes.Buffer{})
		root.SetErr(&said)
		done <- root.ExecuteContext(ctx)
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return said.String(), err
		case <-tick.C:
			if lines(dir) >= n {
				cancel()
			}
		}
	}
}

// TestExplainGoesOn stops a run between any two units and wants the next one to
// leave the bytes of a run that was not stopped.
func TestExplainGoesOn(t *testing.T) {
	backendtest.XLA(t)
	whole := t.TempDir()
	if _, err := command(t, goesOn(whole)...); err != nil {
		t.Fatal(err)
	}
	want := files(t, whole)
	if len(want) != 100*2+4 {
		t.Fatalf("%d files, want two pictures of each image, three arrays and the manifest", len(want))
	}
	out := t.TempDir()
	stopped := 0
	for n := range 6 {
		said, err := stopAfter(t, n, out, goesOn(out))
		if n > 0 && lines(out) >= 0 && !errors.Is(err, context.Canceled) {
			t.Fatalf("after %d units: %v, want it stopped", n, err)
		}
		if err == nil {
			break
		}
		stopped++
		if lines(out) > 0 && !strings.HasPrefix(err.Error(), "explain: stopped; ") {
			t.Errorf("error %q, want how to go on", err)
		}
		if n > 1 && !strings.Contains(said, "which goes on after") {
			t.Errorf("start %d said %q, want where it goes on", n, said)
		}
		if _, err := os.Stat(filepath.Join(out, "manifest.json")); err == nil {
			t.Fatal("a manifest in the folder of a stopped run")
		}
	}
	if stopped < 3 {
		t.Errorf("stopped %d times, want several", stopped)
	}
	if _, err := command(t, goesOn(out)...); err != nil {
		t.Fatal(err)
	}
	same(t, "stopped", out, want)
}

// TestExplainKilled kills the program with SIGKILL at many moments.
func TestExplainKilled(t *testing.T) {
	if args := os.Getenv("CAMLAB_TEST_EXPLAIN"); args != "" { // the program that is killed
		os.Args = strings.Split(args, "\n")
		main()
		return
	}
	backendtest.XLA(t)
	whole := t.TempDir()
	if _, err := command(t, goesOn(whole)...); err != nil {
		t.Fatal(err)
	}
	want := files(t, whole)
	out := t.TempDir()
	kills := 0
	for n := 0; ; n++ {
		c := exec.Command(os.Args[0], "-test.run=^TestExplainKilled$")
		c.Env = append(os.Environ(), "CAMLAB_TEST_EXPLAIN="+strings.Join(append([]string{"camlab"}, goesOn(out)...), "\n"))
		var said bytes.Buffer
		c.Stderr = &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- c.Wait() }()
		var err error
		wait := func() (ended bool) {
			select {
			case err = <-done:
				return true
			case <-time.After(time.Millisecond):
				return false
			}
		}
		ended := false
		for !ended && lines(out) < n { // so many units are done
			ended = wait()
		}
		for pictures := -1; !ended && n%2 == 1 && pictures != 0; { // and the next is being drawn
			p, _ := filepath.Glob(filepath.Join(out, "*.png"))
			if pictures < 0 {
				pictures = len(p)
			} else if len(p) > pictures || lines(out) < 0 {
				break
			}
			ended = wait()
		}
		if !ended {
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			err = <-done
			kills++
		}
		if err == nil {
			break
		}
		if ended {
			t.Fatalf("ended by itself: %v: %s", err, said.String())
		}
	}
	if kills < 4 {
		t.Errorf("killed %d times, want several", kills)
	}
	same(t, "killed", out, want)
}

// TestExplainOtherSettings wants what a stopped run of other settings left never to
// be mixed with a run's results.
func TestExplainOtherSettings(t *testing.T) {
	backendtest.XLA(t)
	photos := t.TempDir()
	for i := range 66 {
		write(t, filepath.Join(photos, fmt.Sprintf("%02d.png", i)), pngBytes(t, i))
	}
	model := filepath.Join(t.TempDir(), "other.safetensors")
	if err := article.New(7).Save(model); err != nil {
		t.Fatal(err)
	}
	first := func(out string) []string {
		return []string{"explain", photos, "--method", "gradcam", "--out", out}
	}
	for _, test := range []struct {
		differ string
		args   []string
		change func(t *testing.T)
	}{
		{"--class", []string{"--class", "top 2"}, nil},
		{"--layer, --method", []string{"--method", "layercam", "--layer", "conv4"}, nil},
		{"--model, the model's weights", []string{"--model", model}, nil},
		{"the images", nil, func(t *testing.T) { write(t, filepath.Join(photos, "03.png"), pngBytes(t, 90)) }},
		{"the images", nil, func(t *testing.T) {
			if err := os.Remove(filepath.Join(photos, "65.png")); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(test.differ, func(t *testing.T) {
			out, fresh := t.TempDir(), t.TempDir()
			if _, err := stopAfter(t, 1, out, first(out)); !errors.Is(err, context.Canceled) || lines(out) < 1 {
				t.Fatalf("%d units, %v; want a stopped run", lines(out), err)
			}
			if test.change != nil {
				test.change(t)
			}
			var said bytes.Buffer
			root := newRoot()
			root.SetArgs(append(first(out), test.args...))
			root.SetOut(&bytes.Buffer{})
			root.SetErr(&said)
			if err := root.ExecuteContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			if want := "with other settings (" + test.differ + "), which begins anew"; !strings.Contains(said.String(), want) {
				t.Errorf("said %q, want %q", said.String(), want)
			}
			if _, err := command(t, append(first(fresh), test.args...)...); err != nil {
				t.Fatal(err)
			}
			got := files(t, out)
			for name, content := range files(t, fresh) {
				if got[name] != content {
					t.Errorf("%s is not what a fresh folder gets", name)
				}
			}
		})
	}
}

// TestExplainRepairs damages what a stopped run left.
func TestExplainRepairs(t *testing.T) {
	backendtest.XLA(t)
	args := func(out string) []string {
		return []string{"explain", "--split", "sample", "--index", sampleIndex(33), "--method", "cam,gradcam,layercam", "--out", out}
	}
	whole, begun := t.TempDir(), t.TempDir()
	if _, err := command(t, args(whole)...); err != nil {
		t.Fatal(err)
	}
	want := files(t, whole)
	if _, err := stopAfter(t, 2, begun, args(begun)); !errors.Is(err, context.Canceled) || lines(begun) < 2 {
		t.Fatalf("%d units, %v", lines(begun), err)
	}
	flip := func(name string, at int) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, unfinished, name)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if at < 0 {
				at += len(b)
			}
			b[at] ^= 1
			write(t, path, b)
		}
	}
	cut := func(name string, by int64) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, unfinished, name)
			info, err := os.Stat(path)
			if err == nil {
				err = os.Truncate(path, max(0, info.Size()-by))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, test := range []struct {
		what   string
		damage func(t *testing.T, dir string)
	}{
		{"nothing", func(*testing.T, string) {}},
		{"last line torn", cut("journal", 10)},
		{"end of line missing", cut("journal", 1)},
		{"journal empty", cut("journal", 1<<30)},
		{"settings damaged", flip("journal", 20)},
		{"first unit damaged", flip("journal", 5000)},
		{"last unit damaged", flip("journal", -5)},
		{"logits damaged", flip("logits.npy", npy.HeaderSize+5)},
		{"map damaged", flip("maps_cam.npy", npy.HeaderSize+7000)},
		{"map short", cut("maps_gradcam.npy", 100)},
		{"map empty", cut("maps_cam.npy", 1<<30)},
		{"map gone", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, unfinished, "maps_cam.npy")); err != nil {
				t.Fatal(err)
			}
		}},
		{"map of an earlier run beside a missing one", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, unfinished, "maps_cam.npy")); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "maps_cam.npy"), make([]byte, 1<<20))
		}},
		{"picture gone", func(t *testing.T, dir string) {
			p, err := filepath.Glob(filepath.Join(dir, "*_gradcam.png"))
			if err == nil {
				err = os.Remove(p[0])
			}
			if err != nil {
				t.Fatal(err)
			}
		}},
		{"picture empty", func(t *testing.T, dir string) {
			p, err := filepath.Glob(filepath.Join(dir, "*_cam.png"))
			if err != nil {
				t.Fatal(err)
			}
			write(t, p[0], nil)
		}},
		{"arrays in their places, no manifest", func(t *testing.T, dir string) {
			if _, err := command(t, args(dir)...); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(dir, "manifest.json")); err != nil {
				t.Fatal(err)
			}
		}},
		{"other things in the folder", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, unfinished, ".maps_cam.png123"), []byte("left over"))
			write(t, filepath.Join(dir, ".lock"), nil) // of a killed run
		}},
	} {
		t.Run(test.what, func(t *testing.T) {
			out := t.TempDir()
			if err := os.CopyFS(out, os.DirFS(begun)); err != nil {
				t.Fatal(err)
			}
			test.damage(t, out)
			if _, err := command(t, args(out)...); err != nil {
				t.Fatal(err)
			}
			same(t, test.what, out, want)
		})
	}
}

// TestExplainStoppedAtTheEnd stops a run after some of the arrays got their places.
func TestExplainStoppedAtTheEnd(t *testing.T) {
	args := func(out string) []string {
		return []string{"explain", "--split", "sample", "--index", sampleIndex(3), "--method", "cam,gradcam", "--out", out}
	}
	out := t.TempDir()
	if _, err := command(t, args(out)...); err != nil {
		t.Fatal(err)
	}
	want := files(t, out)

	// A folder in the manifest's place appears after the run looked for one.
	again := t.TempDir()
	blocked := filepath.Join(again, "maps_gradcam.npy")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() {
		for ctx.Err() == nil && lines(again) < 0 {
			time.Sleep(time.Millisecond)
		}
		_ = os.Mkdir(blocked, 0o755)
	})
	_, err := command(t, args(again)...)
	cancel()
	group.Wait()
	if err == nil || !strings.Contains(err.Error(), "3 of 3 images are done, and the same command goes on") {
		t.Fatalf("error %v, want that the arrays have no place", err)
	}
	if _, err := os.Stat(filepath.Join(again, "logits.npy")); err != nil {
		t.Errorf("%v, want the first array in its place", err)
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, args(again)...); err != nil {
		t.Fatal(err)
	}
	same(t, "stopped at the end", again, want)
}

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
	if text, said := run(); text != first || !strings.Contains(said, already) {
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
}

// TestExplainBrokenPictures has one picture end early, which its header does not
// show, and one with no header.
func TestExplainBrokenPictures(t *testing.T) {
	photos, out, fresh := t.TempDir(), t.TempDir(), t.TempDir()
	for i := range 40 {
		write(t, filepath.Join(photos, fmt.Sprintf("%02d.png", i)), pngBytes(t, i))
	}
	const methods = "cam,gradcam"
	if _, err := command(t, "explain", photos, "--method", methods, "--out", fresh); err != nil {
		t.Fatal(err)
	}
	broken := pngBytes(t, 5)
	write(t, filepath.Join(photos, "05.png"), broken[:len(broken)/2])
	for range 2 { // a second start tells the same
		text, err := command(t, "explain", photos, "--method", methods, "--out", out, "--json")
		if err == nil || !strings.Contains(err.Error(), "1 of 40 pictures could not be read") || !strings.Contains(err.Error(), "05.png") {
			t.Fatalf("error %v, want which picture could not be read", err)
		}
		saved, err := os.ReadFile(filepath.Join(out, "manifest.json"))
		if err != nil || string(saved) != text {
			t.Errorf("%v, or --json printed another manifest", err)
		}
	}
	m := readManifest(t, out)
	if len(m.Images) != 39 || len(m.Failed) != 1 || m.Failed[0].Name != "05" || m.Failed[0].Error == "" || m.Images[5].Name != "06" {
		t.Errorf("%d images, failed %v; want 39, and 05", len(m.Images), m.Failed)
	}
	for file, row := range map[string]int{"logits.npy": 10, "maps_cam.npy": 256, "maps_gradcam.npy": 256} {
		all, _ := array(t, filepath.Join(fresh, file))
		got, shape := array(t, filepath.Join(out, file))
		if shape[0] != 39 {
			t.Fatalf("%s shaped %v, want 39 rows", file, shape)
		}
		sameRows(t, file, got, slices.Delete(all, 5*row, 6*row), row)
	}
	if len(m.Maps[0].Score) != 39 || len(m.Maps[1].Outcome) != 39 || m.Maps[1].Shape[0] != 39 {
		t.Errorf("maps %+v, want 39 of each method", m.Maps)
	}

	// None that can be read: nothing is left.
	none := filepath.Join(t.TempDir(), "new")
	if _, err := command(t, "explain", filepath.Join(photos, "05.png"), "--out", none); err == nil || !strings.Contains(err.Error(), "05.png") {
		t.Errorf("error %v, want the picture's name", err)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("a folder was left")
	}

	// What a header shows is found before anything is computed.
	write(t, filepath.Join(photos, "07.png"), []byte("no picture"))
	write(t, filepath.Join(photos, "09.png"), nil)
	if _, err := command(t, "explain", photos, "--out", none); err == nil || !strings.Contains(err.Error(), "2 of 40 files cannot be used") || !strings.Contains(err.Error(), "07.png") || !strings.Contains(err.Error(), "09.png") {
		t.Errorf("error %v, want both files' names", err)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("a folder was left")
	}
}

// TestExplainBorders wants the chunks' bytes to be those of one call for all images.
func TestExplainBorders(t *testing.T) {
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

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
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

// names are what people and programs call their files.
var names = []string{
	"写真", "שלום עולם", "مرحبا", "한국어", "हिन्दी", "ไทย", "中国", "𠮷野家", "ελληνικά", "кириллица",
	"😀", "👨‍👩‍👧 party", "e\u0301te\u0301", "été", "IMG_1\u202fPM", "no\u00a0break", "a\tb", "a\x1b[31mb", "bell\x07", "new\nline", "a\rb",
	strings.Repeat("x", 250), strings.Repeat("x", 249) + "y", strings.Repeat("é", 120), strings.Repeat("n\u0303", 80), strings.Repeat("写", 80),
	"right\u200fmark", "override\u202e", "zero\u200bwidth", "\ufeffmark", "c1\u0085", "caf\xe9", "caf\xe8", "\xff\xfe", "ends in \xc3",
	"-rf", "--help", ".hidden", " lead", "trail ", "~t", "a:b?c*", `back\slash`, `q"'<&>`, "%s%d%n", "$(x)`y`", "..", "...",
	"Cat", "cat", "CAT", "a", "a_airplane", "a_airplane_cam", "manifest", "maps_cam", "logits",
}

// TestExplainNames gives pictures any names, and wants every one drawn, listed and
// told from the others.
func TestExplainNames(t *testing.T) {
	photos, out := t.TempDir(), t.TempDir()
	picture := pngBytes(t, 0)
	taken := 0
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(photos, name+".png"), picture, 0o644); err == nil && !strings.HasPrefix(name+".png", ".") {
			taken++ // what is hidden is passed over, and a file system of another system may refuse some
		}
	}
	if entries, err := os.ReadDir(photos); err != nil || len(entries) != len(names) {
		t.Logf("%d of %d names are on this file system", len(entries), len(names))
	}
	if _, err := command(t, "explain", photos, "--method", "cam,gradcam", "--class", "top 2", "--out", out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(out, "manifest.json"))
	if err != nil || !utf8.Valid(text) || !json.Valid(text) {
		t.Fatalf("%v, or the manifest is no JSON in UTF-8", err)
	}
	m := readManifest(t, out)
	if len(m.Images) != taken {
		t.Fatalf("%d images, want %d", len(m.Images), taken)
	}
	listed := make(map[string]bool)
	files := make(map[string]bool)
	for _, im := range m.Images {
		if len(im.Pictures) != 4 || files[im.File] {
			t.Errorf("%q: pictures %q, file %q; want two of each method, and a file of its own", im.Name, im.Pictures, im.File)
		}
		files[im.File] = true
		for _, p := range im.Pictures {
			if listed[folded(p)] {
				t.Errorf("%s is listed twice, or differs from another in case alone", p)
			}
			listed[folded(p)] = true
			f, err := os.Open(filepath.Join(out, p))
			if err != nil {
				t.Error(err)
				continue
			}
			img, err := png.Decode(f)
			if err = errors.Join(err, f.Close()); err != nil {
				t.Errorf("%s: %v", p, err)
			} else if b := img.Bounds(); b.Dx() > 700 || b.Dy() > 400 {
				t.Errorf("%s is of %d×%d pixels: the name spoiled the layout", p, b.Dx(), b.Dy())
			}
		}
	}
	if p, err := filepath.Glob(filepath.Join(out, "*.png")); err != nil || len(p) != 4*taken {
		t.Errorf("%d pictures in the folder, want %d", len(p), 4*taken)
	}
	if _, shape := array(t, filepath.Join(out, "maps_cam.npy")); shape[0] != taken {
		t.Errorf("maps shaped %v", shape)
	}
}

// TestSharedNames are the cases of the material.
func TestSharedNames(t *testing.T) {
	dir := filepath.Join(shared.Cases(t), "names")
	out := t.TempDir()
	if _, err := command(t, "explain", dir, "--out", out); err != nil {
		t.Fatal(err)
	}
	for _, im := range readManifest(t, out).Images {
		if len(im.Pictures) != 1 || !isFile(filepath.Join(out, im.Pictures[0])) {
			t.Errorf("%q: %v", im.Name, im.Pictures)
		}
	}
}

func TestFileNames(t *testing.T) {
	plain := []string{"3", "holiday", "IMG 1", "写真", "frog.small"}
	if got := fileNames(plain, maxImageName, " "); !slices.Equal(got, plain) {
		t.Errorf("%q became %q, want them as they are", plain, got)
	}
	if got := fileNames([]string{"traffic light"}, maxClassName, "_"); got[0] != "traffic_light" {
		t.Errorf("%q, want an underscore", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfDistinct(rapid.OneOf(rapid.SampledFrom(names), rapid.StringOfN(rapid.SampledFrom([]rune("aAeéE\u0301/\\.-_ ~\x00\u202e写")), 0, 6, -1)), rapid.ID[string]).Draw(t, "names")
		longest := rapid.SampledFrom([]int{maxClassName, maxImageName}).Draw(t, "longest")
		used := make(map[string]string)
		for i, s := range fileNames(names, longest, rapid.SampledFrom([]string{" ", "_"}).Draw(t, "space")) {
			if s == "" || len(s) > longest || !utf8.ValidString(s) || strings.ContainsAny(s, "/\\\x00") || strings.ContainsAny(s[:1], "-. ~") {
				t.Errorf("%q became %q", names[i], s)
			}
			if other, ok := used[folded(s)]; ok {
				t.Errorf("%q and %q both became %q", names[i], other, s)
			}
			used[folded(s)] = names[i]
		}
	})
}

// TestExplainSameNames has an image and a class make the name of another's.
func TestExplainSameNames(t *testing.T) {
	network, err := article.Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	model, err := camlib.New(network, backendtest.Go(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	j, _, err := openJournal(dir, settings{}, []string{"logits.npy", "maps_cam.npy"})
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	classes := slices.Clone(network.Classes)
	classes[0], classes[1] = "b_c", "c" // of a_b and a
	white := cifar10.Sample().Image(0).(*image.NRGBA)
	white.Set(0, 0, color.White)
	w := &explaining{
		subjects: &subjects{files: []string{"a_b", "a"}, infos: []explained{{Name: "a_b"}, {Name: "a"}}},
		flags:    &explainFlags{class: "all"}, journal: j, model: model, manifest: &manifest{Classes: classes},
		slugs: fileNames(classes, maxClassName, "_"),
	}
	method, err := cam.Lookup("cam")
	if err != nil {
		t.Fatal(err)
	}
	w.methods = []cam.Method{method}
	w.chunk = chunk{start: 0, end: 2, which: []int{0, 1}}
	for range 2 {
		w.chunk.images = append(w.chunk.images, white)
	}
	u := unit{Pictures: make([][]string, 2)}
	if err := w.explain(t.Context(), 0, &u); err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, name := range slices.Concat(u.Pictures...) {
		if seen[name] || !isFile(filepath.Join(dir, name)) {
			t.Errorf("%s stands for two pictures, or none", name)
		}
		seen[name] = true
	}
	if len(seen) != 20 || u.Pictures[0][1] != "a_b_c_cam.png" || u.Pictures[1][0] == "a_b_c_cam.png" {
		t.Errorf("pictures %v, want twenty", u.Pictures)
	}
}
