package cam

import (
	"errors"
	"fmt"
)

// What can go wrong. Errors of this package that a caller can act on match one
// of these under [errors.Is].
var (
	ErrNoImages  = errors.New("no images")
	ErrShape     = errors.New("wrong image shape")
	ErrRange     = errors.New("pixel out of range")
	ErrClass     = errors.New("no such class")
	ErrTarget    = errors.New("targets do not match the images")
	ErrMethod    = errors.New("no such method")
	ErrLayer     = errors.New("no such layer")
	ErrHead      = errors.New("head is not pooling and a linear layer")
	ErrNotFinite = errors.New("not finite")
)

// failure is an error of one kind: its text says what happened and what was
// wanted, the kind is for errors.Is.
type failure struct{ kind, text error }

func (f *failure) Error() string   { return f.text.Error() }
func (f *failure) Unwrap() []error { return []error{f.kind, f.text} }

// fail returns "cam: what, want" as an error of a kind.
func fail(kind error, format string, args ...any) error {
	return &failure{kind, fmt.Errorf("cam: "+format, args...)}
}
