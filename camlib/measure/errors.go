package measure

import (
	"errors"
	"fmt"
	"math"
)

// What can go wrong. Errors of this package that a caller can act on match one
// of these under [errors.Is].
var (
	ErrImages    = errors.New("no images that the network takes")
	ErrMaps      = errors.New("maps do not fit the images")
	ErrClass     = errors.New("maps are of another class")
	ErrNotFinite = errors.New("not finite")
	ErrExplain   = errors.New("metric has to make maps itself")
	ErrValues    = errors.New("values do not fit")
	ErrLayer     = errors.New("no such layer")
)

// failure is an error of one kind: its text says what happened and what was
// wanted, the kind is for errors.Is.
type failure struct{ kind, text error }

func (f *failure) Error() string   { return f.text.Error() }
func (f *failure) Unwrap() []error { return []error{f.kind, f.text} }

// fail returns "measure: what, want" as an error of a kind.
func fail(kind error, format string, args ...any) error {
	return &failure{kind, fmt.Errorf("measure: "+format, args...)}
}

// within says where an error happened, unless it is one of ours, which says all.
func within(err error, where string, args ...any) error {
	if errors.As(err, new(*failure)) {
		return err
	}
	return fmt.Errorf("measure: %s: %w", fmt.Sprintf(where, args...), err)
}

// notFinite returns the position of the first value that is infinite or NaN, or
// -1.
func notFinite[T float32 | float64](values []T) int {
	for i, v := range values {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return i
		}
	}
	return -1
}
