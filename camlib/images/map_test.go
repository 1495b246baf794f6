package images_test

import (
	"testing"

	"github.com/camlab-go/camlab/camlib/images"
)

func TestMapMean(t *testing.T) {
	for _, test := range []struct {
		values []float32
		want   float64
	}{
		{nil, 0},
		{[]float32{1, 2, 3, -4}, 0.5},
		{[]float32{1 << 24, 1, 1, 1}, (1<<24 + 3) / 4.0}, // float32 would lose the ones
	} {
		if got := (images.Map{H: 2, W: 2, Values: test.values}).Mean(); got != test.want {
			t.Errorf("mean of %v is %v, want %v", test.values, got, test.want)
		}
	}
}
