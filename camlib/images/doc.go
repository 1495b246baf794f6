// Package images holds what goes into networks and what comes out of them as pictures:
// batches of images ([Batch]), labeled images ([Dataset]), and maps of numbers over an
// image ([Map]). [Read] reads picture files.
//
// It knows no network and no data set, and imports no GoMLX.
package images

import (
	"errors"

	"github.com/camlab-go/camlab/internal/failure"
)

// Errors of this package that a caller can act on match one of these under [errors.Is].
var (
	ErrNone     = errors.New("no images")
	ErrShape    = errors.New("wrong image shape")
	ErrRange    = errors.New("pixel out of range")
	ErrTooLarge = errors.New("picture too large") // larger than [ReadOptions].MaxPixels
)

// fail returns "images: what, want" as an error that matches a kind.
func fail(kind error, format string, args ...any) error {
	return failure.New(kind, "images: "+format, args...)
}
