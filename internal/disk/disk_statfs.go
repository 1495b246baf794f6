//go:build linux || darwin || freebsd

package disk

import "syscall"

// Free returns the bytes that the user can still write into a folder.
func Free(dir string) (float64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, err
	}
	return float64(stat.Bavail) * float64(stat.Bsize), nil
}
