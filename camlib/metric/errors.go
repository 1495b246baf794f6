package metric

import (
	"errors"
	"fmt"

	"github.com/camlab-go/camlab/internal/failure"
)

// What can go wrong. Errors of this package that a caller can act on match one
// of these under [errors.Is], those of images one of package images, and those of layers
// [network.ErrLayer].
var (
	ErrMaps      = errors.New("maps do not fit the images")
	ErrClass     = errors.New("maps are of another class")
	ErrNotFinite = errors.New("not finite")
	ErrExplain   = errors.New("metric has to make maps itself")
	ErrValues    = errors.New("values do not fit")
	ErrMetric    = errors.New("no such metric")
)

// fail returns "metric: what, want" as an error of a kind.
func fail(kind error, format string, args ...any) error {
	return failure.New(kind, "metric: "+format, args...)
}

// within says where an error happened, unless it is one of ours, which says all.
func within(err error, where string, args ...any) error {
	if failure.Is(err) {
		return err
	}
	return fmt.Errorf("metric: %s: %w", fmt.Sprintf(where, args...), err)
}
