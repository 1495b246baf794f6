// Package lock keeps two programs from writing into one folder at the same time.
package lock

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"github.com/gofrs/flock"
)

// File is the name of the file in a folder that is locked.
const File = ".lock"

// The errors of [Dir], for errors.Is.
var (
	ErrHeld        = errors.New("in use")
	ErrUnsupported = errors.New("this file system has no locks")
)

// held keeps the locked files open: one that nobody refers to any more is closed, and so
// unlocked, by the garbage collector.
var held sync.Map

// Dir locks a folder, which must exist, until unlock is called or the program
// ends, however it does. Where another holds the lock, in this program or another,
// the error wraps [ErrHeld] and says which process, as far as that is known; where the
// file system cannot lock, it wraps [ErrUnsupported]. unlock removes the file.
func Dir(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, File)
	for {
		l := flock.New(path, flock.SetFlag(os.O_RDWR|os.O_CREATE), flock.SetPermissions(0o644))
		locked, err := l.TryLock()
		switch {
		case errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.EINVAL):
			return nil, fmt.Errorf("lock: %s: %w: %w", path, ErrUnsupported, err)
		case err != nil:
			return nil, fmt.Errorf("lock: %w", err)
		case !locked:
			return nil, fmt.Errorf("%w by %s", ErrHeld, holder(path))
		}
		current, err := isAt(l, path)
		if err == nil && current {
			err = sign(path)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock: %w", err), l.Close())
		}
		if current {
			held.Store(l, nil)
			return func() { release(l, path) }, nil
		}
		if err := l.Close(); err != nil { // the holder before removed it between the opening and the lock
			return nil, fmt.Errorf("lock: %w", err)
		}
	}
}

// Holder returns which process holds the lock of a folder, as far as that is known, or ""
// if none does. It makes no file. To find out it shares the lock for a moment if it is
// free, during which [Dir] fails.
func Holder(dir string) (string, error) {
	path := filepath.Join(dir, File)
	l := flock.New(path, flock.SetFlag(os.O_RDONLY))
	free, err := l.TryRLock()
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", nil
	case err != nil:
		return "", errors.Join(fmt.Errorf("lock: %w", err), l.Close())
	case !free:
		return holder(path), l.Close()
	}
	return "", l.Close()
}

// holder is what a locked file says. Who it is only helps; Windows does not let it be read.
func holder(path string) string {
	text, _ := os.ReadFile(path)
	return cmp.Or(string(bytes.TrimSpace(text)), "another process")
}

// isAt reports whether the locked file is the one at path.
func isAt(l *flock.Flock, path string) (bool, error) {
	open, err := l.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(open, named), err
}

// sign writes who holds the lock, where the system lets a locked file be written.
func sign(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = "a machine without a name"
	}
	return os.WriteFile(path, fmt.Appendf(nil, "process %d on %s\n", os.Getpid(), host), 0o644)
}

// release removes the file while it is locked, so that nobody holds a lock on a removed
// file. Windows removes no open file, and so none that another has locked since.
func release(l *flock.Flock, path string) {
	held.Delete(l)
	_ = os.Remove(path)
	_ = l.Close()
	if runtime.GOOS == "windows" {
		_ = os.Remove(path)
	}
}
