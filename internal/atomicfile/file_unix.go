//go:build !windows

package atomicfile

import (
	"path/filepath"

	"github.com/google/renameio/v2"
)

// File is a file in the making. It gets its place by CloseAtomicallyReplace; Cleanup
// removes it if it has none.
type File = renameio.PendingFile

// Create begins the file at path, in the same folder.
func Create(path string) (*File, error) {
	return renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithPermissions(perm))
}
