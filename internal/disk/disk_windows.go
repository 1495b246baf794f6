package disk

import "golang.org/x/sys/windows"

// Free returns the bytes that the user can still write into a folder.
func Free(dir string) (float64, error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, nil, nil); err != nil {
		return 0, err
	}
	return float64(free), nil
}
