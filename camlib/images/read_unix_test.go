//go:build unix

package images_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/camlab-go/camlab/camlib/images"
)

// TestNotAFile is that what is no file is not opened: a pipe would wait forever.
func TestNotAFile(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe.png")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	huge := filepath.Join(dir, "huge.png")
	if err := errors.Join(os.WriteFile(huge, bomb(10, 10, 8, 2), 0o600), os.Truncate(huge, 1<<40)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir: "a folder, want a file with a PNG", pipe: "a named pipe, want a file", "/dev/zero": "a device, want a file",
		huge: "a file of 1099511 MB, want at most 128000000 pixels", filepath.Join(dir, "none.png"): "no such file",
	} {
		if _, err := images.Read(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", path, err, want)
		}
	}
}
