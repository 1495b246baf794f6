package goenv

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestMountedFolders needs to be root, to mount.
func TestMountedFolders(t *testing.T) {
	mount := func(what, options string, flags uintptr) string {
		dir := t.TempDir()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
			t.Skipf("mount: %v; needs root", err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, 0); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		})
		return dir
	}
	for _, row := range []struct {
		what    string
		options string
		flags   uintptr
		want    string // of WhyNotRuns
		write   bool
	}{
		{"noexec", "", syscall.MS_NOEXEC, "run a program in DIR: permission denied", true},
		{"full", "size=64k", 0, "write into DIR: no space left on device", false},
		{"read-only", "", syscall.MS_RDONLY, "read-only file system", false},
	} {
		t.Run(row.what, func(t *testing.T) {
			dir := mount(row.what, row.options, row.flags)
			if err := WhyNotRuns(dir); err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(row.want, "DIR", dir)) {
				t.Errorf("WhyNotRuns: %v, want %s", err, row.want)
			}
			if got := Writable(filepath.Join(dir, "x")); got != row.write {
				t.Errorf("Writable = %v, want %v", got, row.write)
			}
			if got := Folders([]string{"HOME=/", "TMPDIR=" + dir}, "/spare"); !slices.Contains(got, "TMPDIR=/tmp") {
				t.Errorf("Folders = %v, want /tmp for TMPDIR", got)
			}
			// A module cache that can be read is as good as one's own.
			if row.flags == syscall.MS_RDONLY {
				return
			}
			if err := os.MkdirAll(filepath.Join(dir, "cache", "download", "x"), 0o755); err != nil {
				t.Fatal(err)
			}
			if got := Folders([]string{"HOME=" + t.TempDir(), "GOMODCACHE=" + dir}, "/spare"); len(got) > 0 {
				t.Errorf("Folders = %v, want the module cache to stay", got)
			}
		})
	}
}
