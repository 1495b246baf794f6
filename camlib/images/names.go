package images

import (
	"fmt"
	"slices"
	"strings"
)

// nameOf returns the name of a constant, or its type and number if it has none.
func nameOf[T ~int](v T, kind string, names []string) string {
	if v < 0 || int(v) >= len(names) {
		return fmt.Sprintf("%s(%d)", kind, int(v))
	}
	return names[v]
}

// text is the name of a constant for a file, for [encoding.TextMarshaler].
func text[T ~int](v T, kind string, names []string) ([]byte, error) {
	name := nameOf(v, kind, names)
	_, err := parse[T](strings.ToLower(kind), names, name)
	return []byte(name), err
}

// MarshalText returns the name.
func (l Layout) MarshalText() ([]byte, error) { return text(l, "Layout", layoutNames) }

// MarshalText returns the name.
func (f Fit) MarshalText() ([]byte, error) { return text(f, "Fit", fitNames) }

// MarshalText returns the name.
func (i Interpolation) MarshalText() ([]byte, error) {
	return text(i, "Interpolation", interpolationNames)
}

// UnmarshalText is [ParseLayout].
func (l *Layout) UnmarshalText(name []byte) (err error) {
	*l, err = ParseLayout(string(name))
	return err
}

// UnmarshalText is [ParseFit].
func (f *Fit) UnmarshalText(name []byte) (err error) {
	*f, err = ParseFit(string(name))
	return err
}

// UnmarshalText is [ParseInterpolation].
func (i *Interpolation) UnmarshalText(name []byte) (err error) {
	*i, err = ParseInterpolation(string(name))
	return err
}

// parse returns the constant of a name.
func parse[T ~int](what string, names []string, name string) (T, error) {
	i := slices.Index(names, name)
	if i < 0 {
		return 0, fmt.Errorf("images: %s %q, want one of %s", what, name, strings.Join(names, ", "))
	}
	return T(i), nil
}
