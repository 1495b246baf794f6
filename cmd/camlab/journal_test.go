package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/camlab-go/camlab/internal/backendtest"
)

// goesOn are runs with several chunks, of several methods.
func goesOn(out string, more ...string) []string {
	return append([]string{"explain", "--split", "sample", "--index", sampleIndex(100), "--method", "cam,gradcam", "--out", out}, more...)
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

// ended returns what waiting for a started program comes to.
func ended(c *exec.Cmd) <-chan error {
	done := make(chan error)
	go func() { done <- c.Wait() }()
	return done
}

// TestExplainGoesOn stops a run between any two units and wants the next one to
// leave the bytes of a run that was not stopped.
func TestExplainGoesOn(t *testing.T) {
	slow(t)
	backendtest.XLA(t)
	whole := t.TempDir()
	if _, err := command(t, goesOn(whole)...); err != nil {
		t.Fatal(err)
	}
	want := files(t, whole)
	if len(want) != 100*2+5 {
		t.Fatalf("%d files, want two pictures of each image, three arrays, the manifest and the records", len(want))
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
	slow(t)
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
		done := ended(c)
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

// TestExplainConcurrentFolder stops a run after some of the arrays got their places, by a
// folder that comes about while it runs.
func TestExplainConcurrentFolder(t *testing.T) {
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
