//go:build unix

package disk

import "golang.org/x/sys/unix"

// Free returns the bytes that the user can still write into a folder.
func Free(dir string) (float64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0, err
	}
	return float64(stat.Bavail) * float64(stat.Bsize), nil
}
