package card

import (
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// fields are the names of a card's fields in JSON.
var fields = func() (names []string) {
	for f := range reflect.TypeFor[Card]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}()

// Check returns an error if a field is out of its range or does not fit the others.
func (c Card) Check() error {
	if c.Preset != "" && presets[c.Preset] == nil {
		return fail("preset: %q, want one of %s", c.Preset, strings.Join(Presets(), ", "))
	}
	if _, err := c.Layout.MarshalText(); err != nil {
		return fail("layout: %w", err)
	}
	n := c.channels()
	if n == 0 {
		return fail("channels: %q, want RGB, BGR or gray", c.Channels)
	}
	if !(c.Scale > 0 && c.Scale <= math.MaxFloat32) {
		return fail("scale: %v, want a number above 0, such as 1 for pixels from 0 to 1 or 255", c.Scale)
	}
	for _, list := range []struct {
		name   string
		values []float64
	}{{"mean", c.Mean}, {"std", c.Std}} {
		if len(list.values) != n {
			return fail("%s: %d numbers, want %d, one for each channel of %s", list.name, len(list.values), n, c.Channels)
		}
		for i, v := range list.values {
			if !(math.Abs(v) <= math.MaxFloat32) {
				return fail("%s: number %d is %v, want a finite one", list.name, i+1, v)
			}
		}
	}
	for i, v := range c.Std {
		if !(v >= math.SmallestNonzeroFloat32) {
			return fail("std: number %d is %v, want one above 0", i+1, v)
		}
	}
	if _, ok := c.pad(); !ok && c.Pad != "" {
		return fail("pad: %q, want a color as #rrggbb", c.Pad)
	}
	if err := c.Preparation().Check(); err != nil {
		return fail("height, width, fit, short_side, interpolation: %w", err)
	}
	return c.checkNames()
}

// checkNumbers returns an error if a network that takes whole numbers would get others.
func (c Card) checkNumbers(in Input) error {
	limits, whole := integers[in.Type]
	if !whole {
		return nil
	}
	for i, mean := range c.Mean {
		for pixel := range 256 {
			v := (c.Scale*float64(pixel)/255 - mean) / c.Std[i]
			if math.Abs(v-math.Round(v)) > 1e-6 || v < limits[0] || v > limits[1] {
				return fail("scale, mean, std: make %.3g of a pixel of %d (of 255), want whole numbers from %g to %g, since the network takes %s: preset raw makes them", v, pixel, limits[0], limits[1], in.Type)
			}
		}
	}
	return nil
}

func (c Card) checkNames() error {
	if i := slices.IndexFunc(c.Classes, func(name string) bool { return strings.TrimSpace(name) == "" }); i >= 0 {
		return fail("classes: name %d is empty, want a name for each score", i+1)
	}
	if f := c.ClassesFile; f != "" && !filepath.IsLocal(f) {
		return fail("classes_file: %q, want a file beside the card or below it", f)
	}
	for _, name := range c.Guessed {
		if !slices.Contains(fields, name) || name == "guessed" {
			return fail("guessed: %q, want names of the card's fields: %s", name, strings.Join(fields[:len(fields)-1], ", "))
		}
	}
	return nil
}
