// Package parallel spreads work over the processor's cores.
package parallel

import (
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Each calls f for 0 to n−1, on all cores at once, and returns the first error.
func Each(n int, f func(i int) error) error {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		group.Go(func() error { return f(i) })
	}
	return group.Wait()
}
