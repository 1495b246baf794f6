//go:build cgo

package backend

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"

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
	kind, options := XLACUDA, ""
	if device == "cpu" {
		keepMemory()
		kind, options = XLACPU, ",shared_buffers" // tensors in Go's memory are XLA's: nothing is copied
	}
	return once("xla:"+path+options, kind, func() (compute.Backend, string, error) {
		fail := func(err error) (compute.Backend, string, error) {
			return nil, "", fmt.Errorf("plugin %s: %w; `camlab doctor` checks it", path, err)
		}
		b, err := xla.New(path + options)
		if err != nil {
			return fail(err)
		}
		p, err := pjrt.GetPlugin(path)
		if err != nil {
			return fail(err)
		}
		major, minor := p.Version()
		return b, fmt.Sprintf("XLA on %s, PJRT plugin v%d.%d", strings.ToUpper(device), major, minor), nil
	})
}
