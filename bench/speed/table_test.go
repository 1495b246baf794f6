package main

import (
	"strings"
	"testing"

	"github.com/camlab-go/camlab/bench/turns"
)

// TestTable: medians, spreads and the ratio of each round, by hand.
func TestTable(t *testing.T) {
	r := &race{rows: []string{"step", "nothing"}, kinds: []kind{ours, pyTorch, jax}, values: make(map[key][]sample)}
	turn := func(k kind, seconds ...float64) {
		for _, s := range seconds {
			r.add(0, k, sample{answer{Seconds: s}, request{Images: 12, Batch: 4}})
		}
	}
	turn(ours, 1, 2, 4)
	turn(pyTorch, 3, 2, 8)
	turn(jax, 12, 12, 12)
	var s strings.Builder
	r.table("Speed", "images/s", rate).markdown(&s)
	r.table("Time", "s", seconds).markdown(&s)
	for _, want := range []string{
		// camlab's 12, 6, 3 against PyTorch's 4, 6, 1.5: 3, 1, 2 times, median 2
		"### Speed (images/s)\n\n|  | camlab | PyTorch | JAX | camlab is better by |\n|---|---|---|---|---|\n" +
			"| step | 6 (3–12) | 4 (1.5–6) | 1 (1–1) | **2.00 ×** (PyTorch) |\n| nothing | – | – | – | – |\n",
		"| step | 2 (1–4) | 3 (2–8) | 12 (12–12) | **2.00 ×** (PyTorch) |\n",
	} {
		if !strings.Contains(s.String(), want) {
			t.Errorf("table lacks %q:\n%s", want, s.String())
		}
	}
	if m := turns.Median([]float64{4, 1, 3, 2}); m != 2.5 {
		t.Errorf("median %v, want 2.5", m)
	}
}

// TestResultsAreKept: a part that is measured later does not lose the others.
func TestResultsAreKept(t *testing.T) {
	folder := t.TempDir()
	first, err := readResults(folder)
	if err != nil {
		t.Fatal(err)
	}
	one := table{Title: "One", Unit: "s", Columns: []column{{ours.name, "v1"}}, Rows: []row{{Name: "work", Cells: map[string][]float64{ours.name: {2}}}}}
	first.Parts["training"] = []table{one}
	first.machine("training")
	if err := first.write(folder); err != nil {
		t.Fatal(err)
	}
	second, err := readResults(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(second.Parts["training"]) != 1 || second.Parts["training"][0].Rows[0].Cells[ours.name][0] != 2 || second.Machine["training"] == "" {
		t.Errorf("read %+v, want what was written", second)
	}
}
