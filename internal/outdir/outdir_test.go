package outdir_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/internal/outdir"
)

func TestReady(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	for range 2 { // it may be there
		if err := outdir.Ready(dir, "manifest.json"); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v; want an empty folder", left, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := outdir.Ready(dir, "manifest.json"); err != nil {
		t.Errorf("a file that will be replaced: %v", err)
	}
}

func TestNotReady(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "maps.npy"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ what, dir, want string }{
		{"a file in its place", file, "not a directory"},
		{"a file in its parent's place", filepath.Join(file, "out"), "not a directory"},
		{"a folder in a file's place", dir, "maps.npy is a folder, want that name free for a file"},
		{"a file system of the kernel", "/proc/camlab", "folder /proc/camlab: "},
		{"one that is there", "/proc/self", "want one that can be written"},
	} {
		if _, err := os.Stat("/proc/self"); err != nil && strings.HasPrefix(test.dir, "/proc") {
			continue // not Linux
		}
		if err := outdir.Ready(test.dir, "maps.npy"); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.what, err, test.want)
		}
	}
}

// TestMounts tries file systems that only root can mount.
func TestMounts(t *testing.T) {
	mount := func(t *testing.T, args ...string) {
		t.Helper()
		if text, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
			t.Skipf("mount: %v: %s", err, text)
		}
		t.Cleanup(func() {
			if text, err := exec.Command("umount", args[len(args)-1]).CombinedOutput(); err != nil {
				t.Errorf("umount: %v: %s", err, text)
			}
		})
	}
	t.Run("read-only", func(t *testing.T) {
		dir := t.TempDir()
		mount(t, "-t", "tmpfs", "-o", "ro", "tmpfs", dir)
		if err := outdir.Ready(dir); err == nil || !strings.Contains(err.Error(), "read-only file system, want one that can be written") {
			t.Error(err)
		}
	})
	t.Run("full", func(t *testing.T) {
		dir := t.TempDir()
		mount(t, "-t", "tmpfs", "-o", "size=64k", "tmpfs", dir)
		if err := os.WriteFile(filepath.Join(dir, "big"), make([]byte, 1<<20), 0o644); err == nil {
			t.Fatal("the file system is larger than asked for")
		}
		if err := outdir.Ready(dir); err == nil || !strings.Contains(err.Error(), "no space left on device") {
			t.Error(err)
		}
		if left, err := filepath.Glob(filepath.Join(dir, ".try-*")); err != nil || len(left) != 0 {
			t.Errorf("left %v", left)
		}
	})
}
