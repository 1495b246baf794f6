//go:build !windows

package atomicfile

import "github.com/google/renameio/v2"

// File is a file in the making. It gets its place by CloseAtomicallyReplace; Cleanup
// removes it if it has none.
type File = renameio.PendingFile

func create(dir, path string) (*File, error) {
	return renameio.NewPendingFile(path, renameio.WithTempDir(dir), renameio.WithPermissions(perm), renameio.WithExistingPermissions())
}
