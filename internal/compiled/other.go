//go:build !cgo || !linux

package compiled

// Keep does nothing here.
func Keep(string) {}
