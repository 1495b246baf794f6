// Package backend opens the GoMLX backends, the one way that camlib, the command line and
// the tests all do it, and knows what each is.
package backend

import (
	"fmt"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
)

// Kind is what computes: it decides which of several forms of a computation is the
// fastest.
type Kind int

// The kinds. Other is any other, also a backend that this package did not open: it gets the
// forms that GoMLX has for all.
const (
	Other Kind = iota
	PureGo
	XLACPU
	XLACUDA
)

// OnCPU reports whether the processor computes.
func (k Kind) OnCPU() bool { return k == PureGo || k == XLACPU }

// named is a backend that people choose by its name.
type named struct {
	name string
	open func(devices int) (compute.Backend, error)
}

// all are the backends. A file of another one adds it in an init.
var all = []named{
	{"xla:cpu", func(devices int) (compute.Backend, error) { return XLAWith("cpu", devices) }},
	{"xla:cuda", func(int) (compute.Backend, error) { return XLA("cuda") }},
	{"go", func(int) (compute.Backend, error) { return Go() }},
}

// Open returns the backend of a name, with so many devices or more where it can have any number.
// known is false, and err nil, for a name that none has.
func Open(name string, devices int) (b compute.Backend, known bool, err error) {
	for _, n := range all {
		if n.name == name {
			b, err = n.open(devices)
			return b, true, err
		}
	}
	return nil, false, nil
}

// Names returns the names for people: xla:cpu, xla:cuda or go.
func Names() string {
	var names []string
	for _, n := range all {
		names = append(names, n.name)
	}
	last := len(names) - 1
	return fmt.Sprintf("%s or %s", strings.Join(names[:last], ", "), names[last])
}

// Go returns GoMLX's pure-Go backend. It runs one operation at a time: in compute v0.1.2
// several matrix products at once wait for each other's workers for ever (each holds one
// of the pool and waits for another).
func Go() (compute.Backend, error) {
	return once("go", PureGo, func() (compute.Backend, string, error) {
		b, err := gobackend.New("ops_sequential")
		return b, "GoMLX in pure Go", err
	})
}

// opened is a backend that this package opened.
type opened struct {
	compute.Backend
	kind        Kind
	description string
}

// Backends are kept by name: tensors made with one call's backend can be used with the
// next call's.
var (
	mu     sync.Mutex
	byName = map[string]opened{}
)

func once(name string, kind Kind, open func() (compute.Backend, string, error)) (compute.Backend, error) {
	mu.Lock()
	defer mu.Unlock()
	if b, ok := byName[name]; ok && !b.IsFinalized() {
		return b.Backend, nil
	}
	b, description, err := open()
	if err != nil {
		return nil, err
	}
	byName[name] = opened{b, kind, description}
	return b, nil
}

// find returns what is known of a backend.
func find(b compute.Backend) opened {
	mu.Lock()
	defer mu.Unlock()
	for _, o := range byName {
		if o.Backend == b {
			return o
		}
	}
	return opened{b, Other, b.Name()}
}

// KindOf returns what a backend is.
func KindOf(b compute.Backend) Kind { return find(b).kind }

// Describe names a backend: for XLA its device and its plugin's version, without the
// folder that the plugin lies in, which means nothing on another machine.
func Describe(b compute.Backend) string { return find(b).description }
