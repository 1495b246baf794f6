package camlib

import (
	"slices"
	"testing"

	"github.com/camlab-go/camlab/camlib/images"
)

func TestRelativeDividesByTheLargestSize(t *testing.T) {
	raw := []float32{-4, 2, 0, 1}
	got, largest := relative(images.Map{H: 2, W: 2, Values: raw})
	if want := []float32{-1, 0.5, 0, 0.25}; !slices.Equal(got.Values, want) || largest != 4 {
		t.Errorf("%v of %v, want %v of 4", got.Values, largest, want)
	}
	if raw[0] != -4 {
		t.Error("the raw map was changed")
	}
	if zero, largest := relative(images.Map{H: 1, W: 2, Values: []float32{0, 0}}); !slices.Equal(zero.Values, []float32{0, 0}) || largest != 0 {
		t.Errorf("a map of zeros became %v of %v", zero.Values, largest)
	}
}
