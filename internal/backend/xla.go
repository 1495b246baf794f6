//go:build cgo

package backend

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"

	"github.com/camlab-go/camlab/internal/plugin"
)

// XLA returns XLA on a device, "cpu" or "cuda", by the plugin that package
// plugin finds and with the flags that belong to it.
func XLA(device string) (compute.Backend, error) {
	path, _, err := plugin.Find(device)
	if err != nil {
		return nil, err
	}
	if err := plugin.ApplyFlags(path); err != nil {
		return nil, err
	}
	options := ""
	if device == "cpu" {
		keepMemory()
		options = ",shared_buffers" // tensors in Go's memory are XLA's: nothing is copied
	}
	return once("xla:"+path+options, func() (compute.Backend, error) {
		b, err := xla.New(path + options)
		if err != nil {
			return nil, fmt.Errorf("plugin %s: %w; `camlab doctor` checks it", path, err)
		}
		return b, nil
	})
}
