// Package outdir finds out before the work whether its results can be written.
package outdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Ready creates a folder with its parents where it is missing, and writes, syncs and
// removes a small file in it: permissions alone do not tell about read-only, full or
// odd file systems. It fails also if a folder has one of the names that files will get.
func Ready(dir string, files ...string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("folder %s: %w, want one that can be made", dir, err)
	}
	if err := try(dir); err != nil {
		return fmt.Errorf("folder %s: %w, want one that can be written", dir, err)
	}
	return Free(dir, files...)
}

// Free fails if a folder has one of the names that files in dir will get.
func Free(dir string, files ...string) error {
	for _, name := range files {
		info, err := os.Lstat(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("folder %s: %w", dir, err)
		}
		if info.IsDir() {
			return fmt.Errorf("folder %s: %s is a folder, want that name free for a file: remove or rename it", dir, name)
		}
	}
	return nil
}

func try(dir string) error {
	f, err := os.CreateTemp(dir, ".try-*")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 4096))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}
