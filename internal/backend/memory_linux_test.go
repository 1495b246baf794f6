//go:build cgo

package backend_test

import (
	"syscall"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestFreedMemoryIsKept is that XLA's arrays do not come page by page from the system in
// every run: neither those that fit a heap of a glibc thread's arena, 64 MB, nor larger ones.
func TestFreedMemoryIsKept(t *testing.T) {
	for _, side := range []int{2048, 3072, 4608} { // a matrix of 16, 36 or 81 MB between two products
		exec, err := NewExec(backendtest.XLA(t), func(x *Node) *Node { // x [side, 8]
			return ReduceAllSum(MatMul(Einsum("ik,jk->ij", x, x), x))
		})
		if err != nil {
			t.Fatal(err)
		}
		x := make([][]float32, side)
		for i := range x {
			x[i] = make([]float32, 8)
		}
		run := func() {
			out, err := exec.Call(x)
			if err != nil {
				t.Fatal(err)
			}
			out[0].MustFinalizeAll()
		}
		for range 3 {
			run()
		}
		const runs = 20
		before := faults(t)
		for range runs {
			run()
		}
		pages := int64(side) * int64(side) * 4 / 4096
		if got := (faults(t) - before) / runs; got > pages/4 {
			t.Errorf("%d×%d: %d page faults a run, want next to none of the %d of a matrix that is new", side, side, got, pages)
		}
	}
}

// faults is how many pages this process has got without reading a disk.
func faults(t *testing.T) int64 {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return usage.Minflt
}
