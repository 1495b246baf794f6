// Package backend opens the GoMLX backends, the one way that camlib, the command
// line and the tests all do it.
package backend

import (
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
)

// Go returns GoMLX's pure-Go backend. It runs one operation at a time: several
// matrix products at once wait for each other's workers for ever in GoMLX
// v0.26.0 (each holds one of its pool and waits for another).
func Go() (compute.Backend, error) {
	return once("go", func() (compute.Backend, error) { return gobackend.New("ops_sequential") })
}

// opened holds the backends that are open: a second one of a kind would refuse
// the weights and tensors that the first has seen.
var (
	mu     sync.Mutex
	opened = map[string]compute.Backend{}
)

func once(key string, open func() (compute.Backend, error)) (compute.Backend, error) {
	mu.Lock()
	defer mu.Unlock()
	if b, ok := opened[key]; ok && !b.IsFinalized() {
		return b, nil
	}
	b, err := open()
	if err == nil {
		opened[key] = b
	}
	return b, err
}

// IsGo reports whether a backend is the pure-Go one.
func IsGo(b compute.Backend) bool {
	return b.String() == gobackend.BackendName
}
