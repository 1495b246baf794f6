package camlib

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/camlab-go/camlab/internal/failure"
)

// Fetched returns the ONNX file of a trained network that `camlab fetch` makes, by the
// network's name: camlab/models/NAME.onnx in the user's cache folder. Where it is not there
// the error matches [fs.ErrNotExist], and the path is where it would be.
func Fetched(name string) (path string, err error) {
	if name == "" || name != filepath.Base(name) {
		return "", fmt.Errorf("camlib: fetched: network %q, want a name such as efficientnet-lite0", name)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("camlib: fetched: %w", err)
	}
	path = filepath.Join(cache, "camlab", "models", name+".onnx")
	if _, err = os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		err = failure.New(fs.ErrNotExist, "camlib: network %s: not there yet: `camlab fetch %s` makes it", name, name)
	}
	return path, err
}
