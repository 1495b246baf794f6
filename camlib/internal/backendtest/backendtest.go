// Package backendtest gives tests the GoMLX backends. camlib.Backend would do,
// but the packages below camlib cannot import it.
package backendtest

import (
	"sync"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/simplego"
	"github.com/gomlx/gomlx/backends/xla"

	"github.com/camlab-go/camlab/internal/plugin"
)

var openXLA = sync.OnceValues(func() (backends.Backend, error) {
	path, _, err := plugin.Find("cpu")
	if err != nil {
		return nil, err
	}
	if err := plugin.ApplyFlags(path); err != nil {
		return nil, err
	}
	return xla.New(path + ",shared_buffers")
})

// XLA returns XLA on the processor. It skips the test when no plugin is installed.
func XLA(tb testing.TB) backends.Backend {
	tb.Helper()
	if _, _, err := plugin.Find("cpu"); err != nil {
		tb.Skipf("needs XLA: %v", err)
	}
	b, err := openXLA()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// Go returns GoMLX's pure-Go backend.
func Go(tb testing.TB) backends.Backend {
	tb.Helper()
	b, err := simplego.New("")
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
