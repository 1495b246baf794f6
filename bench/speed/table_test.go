package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/bench/turns"
)

// TestTable: medians, spreads and the ratio of each round, by hand.
func TestTable(t *testing.T) {
	r := &race{rows: []string{"step", "nothing"}, kinds: []kind{ours, earlier, pyTorch, jax}, values: make(map[key][]sample)}
	turn := func(k kind, seconds ...float64) {
		for _, s := range seconds {
			r.add(0, k, sample{answer{Seconds: s}, request{Images: 12, Batch: 4}})
		}
	}
	turn(ours, 1, 2, 4)
	turn(earlier, 1, 1, 1)
	turn(pyTorch, 3, 2, 8)
	turn(jax, 12, 12, 12)
	var s strings.Builder
	r.table("Speed", "images/s", rate).markdown(&s)
	r.table("Time", "s", seconds).markdown(&s)
	for _, want := range []string{
		// camlab's 12, 6, 3 against PyTorch's 4, 6, 1.5: 3, 1, 2 times, median 2; before, 12: half
		"### Speed (images/s)\n\n|  | camlab | camlab before | PyTorch | JAX | camlab is better by |\n|---|---|---|---|---|---|\n" +
			"| step | 6 (3–12) | 12 (12–12) | 4 (1.5–6) | 1 (1–1) | **2.00 ×** (PyTorch), 0.50 × (before) |\n| nothing | – | – | – | – | – |\n",
		"| step | 2 (1–4) | 1 (1–1) | 3 (2–8) | 12 (12–12) | **2.00 ×** (PyTorch), 0.50 × (before) |\n",
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

// TestRaceGoesOn: a peer whose process ends, or that cannot do its work again, is taken out
// of the race, and the others' turns count.
func TestRaceGoesOn(t *testing.T) {
	folder := t.TempDir()
	python := filepath.Join(folder, "python")
	// Its arguments are those of Python: peers.py, the peer, the folder.
	err := os.WriteFile(python, []byte(`#!/bin/sh
echo '{"version": "1"}'
turns=0
while read -r request; do
	turns=$((turns + 1))
	case $2-$turns in
	PyTorch-3) exit 3 ;;
	TensorFlow-3) echo '{"skip": "too large"}' ;;
	*) echo '{"seconds": 2}' ;;
	esac
done
`), 0o755)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{folder: folder, flags: flags{python: python}}
	r, err := b.race(t.Context(), []kind{pyTorch, jax, tensorFlow}, 0, 3, []item{{name: "first"}, {name: "second"}})
	if err != nil {
		t.Fatal(err)
	}
	for row := range 2 {
		if got := len(r.values[key{row, jax.name}]); got != 3 {
			t.Errorf("row %d: %d turns of JAX, want 3", row, got)
		}
		for _, k := range []kind{pyTorch, tensorFlow} {
			if got := r.values[key{row, k.name}]; len(got) > 0 || !b.missing[k.name] {
				t.Errorf("row %d: %s failed in its third turn and has %d turns, missing %v", row, k.name, len(got), b.missing[k.name])
			}
		}
	}
}
