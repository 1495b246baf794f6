package figure_test

import (
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/figure"
)

func TestScaleTicks(t *testing.T) {
	for _, c := range []struct {
		rule   string
		lo, hi float64
		n      int
		want   string
	}{
		{"zero and both ends", -7.25, 7.25, 4, "-7.25 -5 0 5 7.25"},
		{"none too near an end", 0, 10.3, 6, "0 2 4 6 8 10.3"},
		{"small values", 0, 0.0313, 4, "0 0.01 0.02 0.0313"},
		{"large values without exponent", 0, 12345, 3, "0 5000 10000 12345"},
		{"very small with exponent", 0, 2e-7, 2, "0 1e-07 2e-07"},
		{"no extent", 3, 3, 4, "3"},
		{"no negative zero", -1, 1, 2, "-1 0 1"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			labels, at := figure.ScaleTicks(c.lo, c.hi, c.n, 0.1)
			if got := strings.Join(labels, " "); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			for i := 1; i < len(at); i++ {
				if at[i] <= at[i-1] {
					t.Errorf("places %v, want rising", at)
				}
			}
		})
	}
}
