package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/internal/lock"
)

// TestFetchLeavesNothing is that a fetch that fails leaves nothing, nor what one that was
// killed has left, and that two do not work in one place.
func TestFetchLeavesNothing(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)
	python := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(python, []byte("#!/bin/sh\nif test -e env; then echo env is there; else echo no torch; fi\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	caches, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(caches, "camlab", "models", ".fetch-efficientnet-lite0")
	write := func(name string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(work, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(work, name), []byte("left"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("env/lib/torch.so") // of one that was killed
	unlock, err := lock.Dir(work)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, "fetch", "efficientnet-lite0", "--python", python); !errors.Is(err, lock.ErrHeld) {
		t.Errorf("a second one: error %v, want %v", err, lock.ErrHeld)
	}
	if _, err := os.Stat(filepath.Join(work, "env", "lib", "torch.so")); err != nil {
		t.Error("the second one has removed what the first one makes")
	}
	unlock()
	_, err = command(t, "fetch", "efficientnet-lite0", "--python", python)
	if err == nil || !strings.Contains(err.Error(), "exit status 3: no torch; want a Python with torch") {
		t.Errorf("error %v, want what Python says", err)
	}
	if left, err := os.ReadDir(filepath.Dir(work)); err != nil || len(left) > 0 {
		t.Errorf("left over: %v (%v)", left, err)
	}
}
