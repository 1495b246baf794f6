package backendtest

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Near fails the test unless got and want differ by at most tolerance times the largest
// value of want.
func Near(tb testing.TB, what string, got, want []float32, tolerance float64) {
	tb.Helper()
	if len(got) != len(want) || len(want) == 0 {
		tb.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	largest, worst, at := 0.0, 0.0, 0
	for i := range want {
		largest = max(largest, math.Abs(float64(want[i])))
		if d := math.Abs(float64(got[i] - want[i])); d > worst || math.IsNaN(d) {
			worst, at = d, i
		}
	}
	if !(worst <= tolerance*largest) {
		tb.Errorf("%s: value %d is %v, want %v: off by %.2g of the largest, %.3g; want at most %.2g",
			what, at, got[at], want[at], worst/largest, largest, tolerance)
	}
}

// Overflow makes the weights to a layer's first output, by the path of the layer's weights
// in a store, so large that what the layer adds up there is −∞.
func Overflow(tb testing.TB, store *model.Store, path string) {
	tb.Helper()
	v := store.GetVariable(model.ScopeSeparator + path)
	if v == nil {
		tb.Fatalf("no variable %s", path)
	}
	w := Variables(tb, store)[v.Path()]
	for i := 0; i < len(w); i += v.Shape().Dim(-1) {
		w[i] = -3e38
	}
	if err := v.SetValue(tensors.FromFlatDataAndDimensions(w, v.Shape().Dimensions...)); err != nil {
		tb.Fatal(err)
	}
}

// Variables returns copies of a store's variables, all of float32, by scope and name.
func Variables(tb testing.TB, store *model.Store) map[string][]float32 {
	tb.Helper()
	out := make(map[string][]float32)
	for v := range store.IterVariables() {
		value, err := v.Value()
		if err != nil {
			tb.Fatal(err)
		}
		if out[v.Path()], err = tensors.CopyFlatData[float32](value); err != nil {
			tb.Fatal(err)
		}
	}
	return out
}
