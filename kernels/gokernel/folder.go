package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/camlab-go/camlab/internal/lock"
)

const (
	folderPrefix = "camlab-kernel-"
	// youngTime is how long a folder may be without its lock.
	youngTime = time.Minute
)

// makeFolder makes a folder of the kernel's own among the temporary files, until
// remove is called. Those of kernels that were killed are removed first.
func makeFolder() (dir string, remove func(), err error) {
	sweep()
	if dir, err = os.MkdirTemp("", folderPrefix); err != nil {
		return "", nil, fmt.Errorf("a folder of its own: %w, want TMPDIR to name a folder that can be written", err)
	}
	unlock, err := lock.Dir(dir)
	if err != nil {
		unlock = func() {} // no locks here: nobody's folders are removed
	}
	return dir, func() {
		os.RemoveAll(dir)
		unlock()
	}, nil
}

// sweep removes the folders of kernels that are gone: their locks are free.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*")) // the pattern is well formed
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < youngTime {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, lock.File)); errors.Is(err, os.ErrNotExist) {
			continue // of a kernel where there are no locks
		}
		if unlock, err := lock.Dir(dir); err == nil {
			os.RemoveAll(dir)
			unlock()
		}
	}
}
