package kernels

import (
	"errors"
	"testing"
)

// TestFastestFlags: the first that is as good as the best, and never one that fails.
func TestFastestFlags(t *testing.T) {
	broken := timing{"broken", maxSeconds, errors.New("unknown flag")}
	for _, c := range []struct {
		times []timing
		want  string
	}{
		{[]timing{{"a", 1.04, nil}, {"b", 1, nil}}, "a"},
		{[]timing{{"a", 1.06, nil}, {"b", 1, nil}}, "b"},
		{[]timing{broken, {"b", 1, nil}}, "b"},
		{[]timing{broken}, "broken"},
	} {
		if got := fastest(c.times); got.flags != c.want {
			t.Errorf("of %v: %s, want %s", c.times, got.flags, c.want)
		}
	}
}
