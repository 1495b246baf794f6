// Package backendtest gives tests the GoMLX backends, and compares what they compute.
package backendtest

import (
	"testing"

	"github.com/gomlx/compute"

	"github.com/camlab-go/camlab/internal/backend"
	"github.com/camlab-go/camlab/internal/plugin"
)

// XLA returns XLA on the processor. It skips the test when no plugin is
// installed.
func XLA(tb testing.TB) compute.Backend {
	tb.Helper()
	if _, _, err := plugin.Find("cpu"); err != nil {
		tb.Skipf("needs XLA: %v", err)
	}
	b, err := backend.XLA("cpu")
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// Go returns GoMLX's pure-Go backend.
func Go(tb testing.TB) compute.Backend {
	tb.Helper()
	b, err := backend.Go()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// Any returns XLA on the processor where its plugin is installed, else the pure-Go
// backend: for tests of what does not depend on the backend.
func Any(tb testing.TB) compute.Backend {
	tb.Helper()
	if _, _, err := plugin.Find("cpu"); err != nil {
		return Go(tb)
	}
	return XLA(tb)
}
