// Package lock keeps two programs from writing into one folder at the same time.
package lock

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// File is the name of the file in a folder that is locked.
const File = ".lock"

// The errors of [Dir], for errors.Is.
var (
	ErrHeld        = errors.New("in use")
	ErrUnsupported = errors.New("this file system has no locks")
)

// Dir locks a folder, which must exist, until unlock is called or the program
// ends, however it does. Where another holds the lock, in this program or another,
// the error wraps [ErrHeld] and says which process; where the file system cannot
// lock, it wraps [ErrUnsupported]. unlock removes the file.
func Dir(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, File)
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, fmt.Errorf("lock: %w", err)
		}
		switch err := flock(f); {
		case errors.Is(err, ErrHeld):
			holder := make([]byte, 200)
			n, _ := f.Read(holder) // who it is only helps
			return nil, errors.Join(fmt.Errorf("%w by %s", ErrHeld, cmp.Or(string(bytes.TrimSpace(holder[:n])), "another process")), f.Close())
		case err != nil:
			return nil, errors.Join(fmt.Errorf("lock: %s: %w", path, err), f.Close())
		}
		current, err := isAt(f, path)
		if err == nil && current {
			err = sign(f)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock: %w", err), f.Close())
		}
		if current {
			return func() {
				_ = os.Remove(path) // while it is locked, so that nobody holds a lock on a removed file
				_ = f.Close()
			}, nil
		}
		if err := f.Close(); err != nil { // the holder before removed it between the opening and the lock
			return nil, fmt.Errorf("lock: %w", err)
		}
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

// sign writes who holds the lock.
func sign(f *os.File) error {
	host, err := os.Hostname()
	if err != nil {
		host = "a machine without a name"
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(fmt.Appendf(nil, "process %d on %s\n", os.Getpid(), host), 0)
	return err
}
