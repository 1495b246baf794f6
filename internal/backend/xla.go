//go:build cgo

package backend

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"

	"github.com/camlab-go/camlab/internal/compiled"
	"github.com/camlab-go/camlab/internal/plugin"
)

// XLA returns XLA on a device, "cpu" or "cuda", by the plugin that package
// plugin finds and with the flags that belong to it.
func XLA(device string) (compute.Backend, error) { return XLAWith(device, 0) }

// XLAWith is XLA with at least so many devices, of which a CPU has any number: they are virtual,
// and share its cores. More than the plugin's own are another backend, which none of XLA's
// tensors fits. Of graphics cards there are as many as there are.
func XLAWith(device string, devices int) (compute.Backend, error) {
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
		compiled.Keep(path)
		kind, options = XLACPU, ",shared_buffers" // tensors in Go's memory are XLA's: nothing is copied
	}
	open := func(count int) (compute.Backend, string, error) {
		fail := func(err error) (compute.Backend, string, error) {
			return nil, "", fmt.Errorf("plugin %s: %w; `camlab doctor` checks it", path, err)
		}
		var own pjrt.NamedValuesMap
		if count > 0 {
			own = pjrt.NamedValuesMap{"cpu_device_count": int64(count)}
		}
		b, err := xla.NewWithOptions(path+options, own)
		if err != nil {
			return fail(err)
		}
		p, err := pjrt.GetPlugin(path)
		if err != nil {
			return fail(err)
		}
		major, minor := p.Version()
		return b, fmt.Sprintf("XLA on %s, PJRT plugin v%d.%d", strings.ToUpper(device), major, minor), nil
	}
	b, err := once("xla:"+path+options, kind, func() (compute.Backend, string, error) { return open(0) })
	if err != nil || kind != XLACPU || devices <= b.NumDevices() {
		return b, err
	}
	name := fmt.Sprintf("xla:%s%s,%d devices", path, options, devices)
	return once(name, kind, func() (compute.Backend, string, error) { return open(devices) })
}
