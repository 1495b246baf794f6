package camlib

import (
	"errors"
	"fmt"
	"os"

	"github.com/gomlx/compute"

	"github.com/camlab-go/camlab/internal/backend"
	"github.com/camlab-go/camlab/internal/plugin"
)

// Names of backends. [Backend] knows these.
const (
	XLACPU  = "xla:cpu"  // XLA on the processor
	XLACUDA = "xla:cuda" // XLA on an NVIDIA graphics card
	PureGo  = "go"       // GoMLX's own backend: needs no plugin, tens of times slower
)

// Backend returns the GoMLX backend of that name, one of XLACPU, XLACUDA and
// PureGo. An empty name is GOMLX_BACKEND if that is set, as it is in the
// notebooks' kernels, else XLACPU if its plugin is installed, else PureGo.
//
// Every call for the same backend returns the same one, until it is finalized, so
// that whatever one call opened, tensors and weights, fits the next.
//
// The plugin is the one that `camlab setup` found or installed; nothing is
// downloaded. When it is missing the error wraps [ErrNoPlugin] and says how to
// get it.
func Backend(name string) (compute.Backend, error) { return BackendWith(name, 0) }

// BackendWith is Backend with so many devices or more, for what shares its work among devices,
// such as [github.com/camlab-go/camlab/camlib/train.Config] and
// [github.com/camlab-go/camlab/camlib/cam.Options]. XLA's CPU has any number of virtual
// ones: with up to four it is Backend's; with more it is another one, which Backend's tensors
// do not fit. The others have as many as they have, which the NumDevices of a backend says.
func BackendWith(name string, devices int) (compute.Backend, error) {
	if name == "" {
		name = os.Getenv(compute.ConfigEnvVar)
	}
	if name == "" {
		b, err := backend.XLAWith("cpu", devices)
		if errors.Is(err, ErrNoPlugin) {
			return open(backend.Go())
		}
		return open(b, err)
	}
	if name == "xla" {
		name = XLACPU
	}
	b, known, err := backend.Open(name, devices)
	if !known {
		return nil, fmt.Errorf("camlib: backend %q, want %s", name, backend.Names())
	}
	return open(b, err)
}

// open returns what it is given, an error with this package's name and place.
func open(b compute.Backend, err error) (compute.Backend, error) {
	if err != nil {
		return nil, fmt.Errorf("camlib: backend: %w", err)
	}
	return b, nil
}

// ErrNoPlugin is what the error of [Backend] wraps when XLA's plugin is not installed.
var ErrNoPlugin = plugin.ErrNotFound

// IsPureGo reports whether a backend is the PureGo one.
func IsPureGo(b compute.Backend) bool { return backend.KindOf(b) == backend.PureGo }

// Describe names a backend and its plugin's version.
func Describe(b compute.Backend) string { return backend.Describe(b) }
