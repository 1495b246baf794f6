package exec_test

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/exec"
)

// TestNamedOutputs is that values come by their names, for each shape of the inputs, also
// where an output is left out.
func TestNamedOutputs(t *testing.T) {
	g, err := exec.New(backendtest.Go(t), model.NewStore(), func(_ *model.Scope, in []*Node) exec.Outputs {
		out := exec.Outputs{"z": in[0], "a": MulScalar(in[0], 2), "m": nil}
		if in[0].Shape().Dim(0) == 3 {
			out["m"] = IsFinite(in[0])
		}
		return out
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // compiled, and kept
		for _, x := range [][]float32{{1, 2}, {3, 4, 5}} {
			values, err := g.Call(tensors.FromValue(x))
			if err != nil {
				t.Fatal(err)
			}
			if d := values.Dims("a"); !slices.Equal(d, []int{len(x)}) {
				t.Errorf("dimensions %v, want [%d]", d, len(x))
			}
			var a, z []float32
			finite := []bool{true}
			if err := values.Read(map[string]any{"a": &a, "z": &z, "m": &finite}); err != nil {
				t.Fatal(err)
			}
			if a[0] != 2*x[0] || !slices.Equal(z, x) || (finite != nil) != (len(x) == 3) {
				t.Errorf("of %v: a %v, z %v, m %v", x, a, z, finite)
			}
		}
	}
}

func TestReadErrors(t *testing.T) {
	g, err := exec.New(backendtest.Go(t), model.NewStore(), func(_ *model.Scope, in []*Node) exec.Outputs {
		if in[0].Rank() == 2 {
			panic(errors.New("no matrix, please"))
		}
		return exec.Outputs{"x": in[0]}
	})
	if err != nil {
		t.Fatal(err)
	}
	values, err := g.Call(tensors.FromValue([]float32{1}))
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	if err := values.Read(map[string]any{"x": &text}); err == nil || !strings.HasPrefix(err.Error(), "exec: x: a slice of type *[]string, want") {
		t.Errorf("strings: error %v", err)
	}
	if _, err := g.Call(tensors.FromValue([][]float32{{1}})); err == nil || !strings.HasPrefix(err.Error(), "no matrix, please") {
		t.Errorf("a panic while building: error %v, want what it said first", err)
	}
}

// TestConcurrentCache is that a value is computed once for each key, and a failure is not kept.
func TestConcurrentCache(t *testing.T) {
	var c exec.Cache[string, int]
	var computed atomic.Int64
	done := make(chan int)
	for range 8 {
		go func() {
			v, _ := c.Get("seven", func() (int, error) { computed.Add(1); return 7, nil })
			done <- v
		}()
	}
	for range 8 {
		if v := <-done; v != 7 {
			t.Errorf("%d, want 7", v)
		}
	}
	if n := computed.Load(); n != 1 {
		t.Errorf("computed %d times, want once", n)
	}
	stop := errors.New("stop")
	if _, err := c.Get("eight", func() (int, error) { return 0, stop }); !errors.Is(err, stop) {
		t.Errorf("error %v, want that of computing", err)
	}
	if v, err := c.Get("eight", func() (int, error) { return 8, nil }); v != 8 || err != nil {
		t.Errorf("after a failure %d (%v), want 8", v, err)
	}
}
