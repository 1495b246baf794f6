package camlib_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/camlab-go/camlab/camlib"
)

// TestFetched is where a fetched network lies, and what is said where it does not.
func TestFetched(t *testing.T) {
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} { // of Linux, macOS and Windows
		t.Setenv(name, t.TempDir())
	}
	path, err := camlib.Fetched("resnet")
	if want := "camlib: network resnet: not there yet: `camlab fetch resnet` makes it"; err == nil || err.Error() != want || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want %s", err, want)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if again, err := camlib.Fetched("resnet"); err != nil || again != path || filepath.Base(path) != "resnet.onnx" {
		t.Errorf("%s, error %v, want %s", again, err, path)
	}
	for _, name := range []string{"", "../resnet", "a/b"} {
		if _, err := camlib.Fetched(name); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("name %q: error %v, want another than of a network that is not there", name, err)
		}
	}
}
