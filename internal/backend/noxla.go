//go:build !cgo

package backend

import (
	"github.com/gomlx/compute"

	"github.com/camlab-go/camlab/internal/plugin"
)

// XLA fails: without cgo no plugin can be loaded, and Find says so.
func XLA(device string) (compute.Backend, error) {
	_, _, err := plugin.Find(device)
	return nil, err
}

// XLAWith fails as XLA does.
func XLAWith(device string, _ int) (compute.Backend, error) { return XLA(device) }
