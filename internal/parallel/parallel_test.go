package parallel_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/camlab-go/camlab/internal/parallel"
)

// TestConcurrentEach: every call is made, once, and an error of one is the result.
func TestConcurrentEach(t *testing.T) {
	calls := make([]atomic.Int32, 1000)
	odd := errors.New("odd")
	err := parallel.Each(len(calls), func(i int) error {
		calls[i].Add(1)
		if i == 501 {
			return odd
		}
		return nil
	})
	if !errors.Is(err, odd) {
		t.Errorf("error %v, want that of one call", err)
	}
	for i := range calls {
		if n := calls[i].Load(); n != 1 {
			t.Fatalf("%d calls for %d, want one", n, i)
		}
	}
	if err := parallel.Each(0, func(int) error { return odd }); err != nil {
		t.Errorf("error %v of no calls", err)
	}
}
