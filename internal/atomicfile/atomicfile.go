// Package atomicfile writes files that appear whole or not at all.
//
// It is renameio, which does not build on Windows because a rename there is not always
// atomic; there it is a rename all the same.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

// perm is the mode of new files, before the umask; a file that is replaced keeps its own.
const perm = 0o644

// WriteFile writes data to a file, by way of a temporary one beside it.
func WriteFile(path string, data []byte) error { return WriteFileBy(filepath.Dir(path), path, data) }

// WriteFileBy is [WriteFile] by way of a temporary file in another folder of the same file
// system.
func WriteFileBy(dir, path string, data []byte) error {
	return write(dir, path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Write is [WriteFile] of what a function writes.
func Write(path string, content func(w io.Writer) error) error {
	return write(filepath.Dir(path), path, content)
}

func write(dir, path string, content func(w io.Writer) error) error {
	f, err := create(dir, path)
	if err != nil {
		return err
	}
	if err := content(f); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", path, err), f.Cleanup())
	}
	return errors.Join(f.CloseAtomicallyReplace(), f.Cleanup())
}

// Create begins the file at path, in the same folder.
func Create(path string) (*File, error) { return create(filepath.Dir(path), path) }
