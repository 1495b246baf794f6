//go:build !cgo || !linux

package compiled

const keeps = false

// Keep does nothing here.
func Keep(string) {}
