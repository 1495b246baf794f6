//go:build race

package backendtest

// Race says that the race detector is on, whose own memory grows with what it watches.
const Race = true
