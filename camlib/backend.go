package camlib

import (
	"errors"
	"fmt"
	"os"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/simplego"
	"github.com/gomlx/gomlx/backends/xla"

	"github.com/camlab-go/camlab/camlib/cnn"
	"github.com/camlab-go/camlab/internal/plugin"
)

// The backends that [Backend] knows.
const (
	XLACPU  = "xla:cpu"  // XLA on the processor
	XLACUDA = "xla:cuda" // XLA on an NVIDIA graphics card
	PureGo  = "go"       // GoMLX's own backend: needs no plugin, about a hundred times slower, cannot train
)

// Backend returns the GoMLX backend of that name, one of XLACPU, XLACUDA and
// PureGo. An empty name is GOMLX_BACKEND if that is set, as it is in the
// notebooks' kernels, else XLACPU if its plugin is installed, else PureGo.
//
// The plugin is the one that `camlab setup` found or installed; nothing is
// downloaded. When it is missing the error wraps [ErrNoPlugin] and says how to
// get it.
func Backend(name string) (backends.Backend, error) {
	if name == "" {
		name = os.Getenv(backends.ConfigEnvVar)
	}
	if name == "" {
		b, err := xlaBackend("cpu")
		if errors.Is(err, ErrNoPlugin) {
			return pureGo()
		}
		return b, err
	}
	switch name {
	case XLACPU, "xla":
		return xlaBackend("cpu")
	case XLACUDA:
		return xlaBackend("cuda")
	case PureGo:
		return pureGo()
	}
	return nil, fmt.Errorf("camlib: backend %q, want %s, %s or %s", name, XLACPU, XLACUDA, PureGo)
}

// ErrNoPlugin is what the error of [Backend] wraps when XLA's plugin is not installed.
var ErrNoPlugin = plugin.ErrNotFound

func xlaBackend(device string) (backends.Backend, error) {
	path, _, err := plugin.Find(device)
	if err != nil {
		return nil, fmt.Errorf("camlib: backend xla:%s: %w", device, err)
	}
	if err := plugin.ApplyFlags(path); err != nil {
		return nil, fmt.Errorf("camlib: backend xla:%s: %w", device, err)
	}
	options := ""
	if device == "cpu" {
		options = ",shared_buffers" // tensors in Go's memory are XLA's: nothing is copied
	}
	b, err := xla.New(path + options)
	if err != nil {
		return nil, fmt.Errorf("camlib: backend xla:%s: plugin %s: %w; `camlab doctor` checks it", device, path, err)
	}
	return b, nil
}

func pureGo() (backends.Backend, error) {
	b, err := simplego.New("")
	if err != nil {
		return nil, fmt.Errorf("camlib: backend %s: %w", PureGo, err)
	}
	return b, nil
}

// IsPureGo tells whether a backend is the PureGo one.
func IsPureGo(b backends.Backend) bool {
	_, ok := b.(*simplego.Backend)
	return ok
}

// Describe names a backend and its plugin's version.
func Describe(b backends.Backend) string { return cnn.DescribeBackend(b) }
