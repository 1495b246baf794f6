// Package disk tells how much room a folder has.
package disk
