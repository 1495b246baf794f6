package cam

import (
	"errors"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/failure"
)

// What can go wrong. Errors of this package that a caller can act on match one of these
// under [errors.Is].
var (
	ErrClass      = errors.New("no such class")
	ErrTarget     = errors.New("targets do not match the images")
	ErrMethod     = errors.New("no such method")
	ErrHead       = errors.New("head is not pooling and a linear layer")
	ErrAttention  = errors.New("no attention of all tokens to all")
	ErrDerivative = errors.New("no second derivative")
	ErrNotFinite  = errors.New("not finite")

	ErrNoImages = images.ErrNone
	ErrShape    = images.ErrShape
	ErrRange    = images.ErrRange
	ErrLayer    = network.ErrLayer
)

// Refused reports whether an error says that a method does not take a network, or the layer
// that is explained: [ErrHead], [ErrAttention], [ErrDerivative] or [ErrLayer].
func Refused(err error) bool {
	return errors.Is(err, ErrHead) || errors.Is(err, ErrAttention) || errors.Is(err, ErrDerivative) || errors.Is(err, ErrLayer)
}

// fail returns "cam: what, want" as an error of a kind.
func fail(kind error, format string, args ...any) error {
	return failure.New(kind, "cam: "+format, args...)
}
