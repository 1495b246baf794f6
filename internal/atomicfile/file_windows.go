package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file in the making. It gets its place by CloseAtomicallyReplace; Cleanup
// removes it if it has none.
type File struct {
	*os.File
	path string
}

func create(dir, path string) (*File, error) {
	f, err := os.CreateTemp(dir, "."+filepath.Base(path))
	if err != nil {
		return nil, err
	}
	return &File{f, path}, nil
}

// CloseAtomicallyReplace closes the file and moves it to its place.
func (f *File) CloseAtomicallyReplace() error {
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), f.path)
}

// Cleanup removes the file if it has not got its place.
func (f *File) Cleanup() error {
	if err := f.Close(); errors.Is(err, fs.ErrClosed) {
		err = nil
	} else if err != nil {
		return err
	}
	if err := os.Remove(f.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
