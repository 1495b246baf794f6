package main

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestParityOfBackends: XLA and pure Go compute the same, and a backend that did not would be
// found out, whatever it did.
func TestParityOfBackends(t *testing.T) {
	little := work{Images: 2, Steps: 2, Batch: 4}
	want, err := measure(t.Context(), backendtest.Go(t), little)
	if err != nil {
		t.Fatal(err)
	}
	wrong := func(what string, got *measured) {
		t.Helper()
		n := 0
		for _, r := range compare(got, want, tf32) {
			if !r.fits() {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s: %d rows do not fit, want one", what, n)
		}
	}
	if rows := compare(want, want, limits{}); len(rows) != 1+len(closed())+3 {
		t.Errorf("%d rows, want scores, %d methods, losses twice and weights", len(rows), len(closed()))
	}
	for what, change := range map[string]func(m *measured){
		"a score":      func(m *measured) { m.Scores = changed(m.Scores, 1.1) },
		"a NaN":        func(m *measured) { m.Maps = with(m.Maps, "cam", changed(m.Maps["cam"], math.NaN())) },
		"an empty map": func(m *measured) { m.Maps = with(m.Maps, "gradcam", nil) },
		"other weights": func(m *measured) {
			m.Trainings = with(m.Trainings, bySGD, training{m.Trainings[bySGD].Losses, m.Trainings[byAdam].Moved})
		},
		"a loss": func(m *measured) {
			m.Trainings = with(m.Trainings, byAdam, training{changed(m.Trainings[byAdam].Losses, 1.1), nil})
		},
		"a step fewer": func(m *measured) {
			m.Trainings = with(m.Trainings, byAdam, training{m.Trainings[byAdam].Losses[1:], nil})
		},
	} {
		m := *want
		change(&m)
		wrong(what, &m)
	}

	xla := backendtest.XLA(t)
	got, err := measure(t.Context(), xla, little)
	if err != nil {
		t.Fatal(err)
	}
	rows := compare(got, want, exact)
	for _, r := range rows {
		if !r.fits() {
			t.Errorf("%s: off by %.2g, want at most %.2g", r.what, r.off, r.limit)
		}
	}
	if n := len(rows); n != 1+len(closed())+3+2 {
		t.Errorf("%d rows, want two more of two devices", n)
	}
	if text := strings.Join(unchecked(got), "\n"); !strings.Contains(text, "scorecam") || !strings.Contains(text, "best's network") || strings.Contains(text, "several devices") || strings.Contains(text, " cam,") {
		t.Errorf("it says that it did not check\n%s", text)
	}
	if text := strings.Join(unchecked(want), "\n"); !strings.Contains(text, "several devices: this backend has 1") {
		t.Errorf("of pure Go it says that it did not check\n%s", text)
	}
}

// changed is values with the largest of them multiplied.
func changed(values []float32, by float64) []float32 {
	values = slices.Clone(values)
	values[slices.Index(values, slices.Max(values))] *= float32(by)
	return values
}

// with is a map with another value.
func with[V any](m map[string]V, key string, value V) map[string]V {
	other := make(map[string]V)
	for k, v := range m {
		other[k] = v
	}
	other[key] = value
	return other
}
