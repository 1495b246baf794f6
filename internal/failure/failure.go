// Package failure is errors of a kind: their text says all, and the kind, one of a
// package's sentinels, is for errors.Is; and the check for the commonest of them.
package failure

import (
	"errors"
	"fmt"
)

type failure struct{ kind, text error }

func (f *failure) Error() string   { return f.text.Error() }
func (f *failure) Unwrap() []error { return []error{f.kind, f.text} }

// New returns an error of a kind with the text that fmt.Errorf makes of the rest.
func New(kind error, format string, args ...any) error {
	return &failure{kind, fmt.Errorf(format, args...)}
}

// Is tells whether err is or wraps an error of [New], whose text needs no place added.
func Is(err error) bool { return errors.As(err, new(*failure)) }
