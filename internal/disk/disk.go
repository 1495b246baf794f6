// Package disk tells how much room a folder has. It needs the standard library alone: the
// first program that make builds imports it, before any module is there.
package disk
