//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Package lock keeps two programs from writing into one folder at the same time.
package lock

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrHeld matches the error of [Dir] when another program works in the folder.
var ErrHeld = errors.New("in use by another run")

// Dir locks a folder, which must exist, until unlock is called or the program
// ends, however it does. A folder that is locked is an error at once that wraps
// [ErrHeld]. The lock is on the file .lock in the folder, which unlock removes. A
// file system that knows no locks locks nothing.
func Dir(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, ".lock")
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, fmt.Errorf("lock: %w", err)
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EWOULDBLOCK):
			_ = f.Close()
			return nil, fmt.Errorf("lock: folder %s: %w, want one run at a time: wait for it, or choose another folder", dir, ErrHeld)
		case errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.EINVAL):
		case err != nil:
			_ = f.Close()
			return nil, fmt.Errorf("lock: %s: %w", path, err)
		}
		if held, err := isAt(f, path); err != nil || !held {
			_ = f.Close() // the run before removed it between the opening and the lock
			if err != nil {
				return nil, fmt.Errorf("lock: %w", err)
			}
			continue
		}
		return func() {
			_ = os.Remove(path) // while it is locked, so that nobody holds a lock on a removed file
			_ = f.Close()
		}, nil
	}
}

// isAt reports whether f is the file at path.
func isAt(f *os.File, path string) (bool, error) {
	open, err := f.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(open, named), err
}
