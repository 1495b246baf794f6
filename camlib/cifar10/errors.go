package cifar10

import (
	"errors"
	"fmt"
	"strings"
)

// What can be wrong with the data. Errors of this package match one of these
// under [errors.Is]; use [errors.As] with [*Error] for the place.
var (
	ErrNoData    = errors.New("no data")           // neither files nor archive in the folder
	ErrMissing   = errors.New("missing file")      // some of the files, but not all
	ErrSize      = errors.New("wrong size")        // a file is too short or too long
	ErrTruncated = errors.New("truncated archive") // the archive ends early
	ErrArchive   = errors.New("bad archive")       // not gzip, not tar, or damaged inside
	ErrLabel     = errors.New("label out of range")
	ErrChecksum  = errors.New("checksum mismatch")
	ErrDownload  = errors.New("download failed") // refused by the server, or broken off
)

// Error says where the data is wrong, and what was expected there.
type Error struct {
	File   string // file, archive or address
	Record int    // record in the file, from 0; -1 when it is about the whole file
	What   string // what was found
	Want   string // what was expected, or what to do
	Kind   error  // one of the sentinels, such as [ErrLabel]
	Cause  error  // error from below, or nil; its text is part of What
}

// Error returns "cifar10: file: record n: what, want want".
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cifar10: %s: ", e.File)
	if e.Record >= 0 {
		fmt.Fprintf(&b, "record %d: ", e.Record)
	}
	fmt.Fprintf(&b, "%s, want %s", e.What, e.Want)
	return b.String()
}

// Unwrap returns the sentinel and, if any, the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}
