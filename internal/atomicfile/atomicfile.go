// Package atomicfile writes files that appear whole or not at all.
//
// It is renameio, which does not build on Windows because a rename there is not always
// atomic; there it is a rename all the same.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
)

// perm is the mode of new files, before the umask.
const perm = 0o644

// WriteFile writes data to a file.
func WriteFile(path string, data []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Write writes what write does to a file, by way of a temporary one beside it.
func Write(path string, write func(w io.Writer) error) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", path, err), f.Cleanup())
	}
	return errors.Join(f.CloseAtomicallyReplace(), f.Cleanup())
}
