//go:build cgo

package plugin

// Loads tells whether this program can load a plugin: cgo does it, by dlopen.
const Loads = true
