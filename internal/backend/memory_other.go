//go:build cgo && !linux

package backend

// keepMemory is for glibc.
func keepMemory() {}
