package disk

import (
	"path/filepath"
	"testing"
)

// TestFree is that a folder has between no room and a thousand million gigabytes, and that
// one which is not there has none that is known.
func TestFree(t *testing.T) {
	dir := t.TempDir()
	if free, err := Free(dir); err != nil || free < 0 || free > 1e18 {
		t.Errorf("%g bytes, %v", free, err)
	}
	if free, err := Free(filepath.Join(dir, "none")); err == nil {
		t.Errorf("%g bytes in a folder that is not there", free)
	}
}
