package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/camlab-go/camlab/bench/turns"
)

// table is rows of contestants' values, one for each round.
type table struct {
	Title   string   `json:"title"`
	Unit    string   `json:"unit"`
	Columns []column `json:"columns"`
	Rows    []row    `json:"rows"`
}

type column struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

type row struct {
	Name  string               `json:"name"`
	Cells map[string][]float64 `json:"cells"` // by contestant
	Batch map[string]int       `json:"batch"` // which each was best at
}

// What tables read off a sample.
func rate(s sample) float64     { return float64(s.request.Images) / s.Seconds }
func seconds(s sample) float64  { return s.Seconds }
func prepared(s sample) float64 { return s.Prepared }
func peak(s sample) float64     { return float64(s.Peak) / 1e6 }

// table reads a race.
func (r *race) table(title, unit string, value func(s sample) float64) table {
	t := table{Title: title, Unit: unit}
	for _, k := range r.kinds {
		t.Columns = append(t.Columns, column{k.name, r.versions[k.name]})
	}
	for i, name := range r.rows {
		line := row{name, make(map[string][]float64), make(map[string]int)}
		for _, k := range r.kinds {
			for _, s := range r.values[key{i, k.name}] {
				line.Cells[k.name] = append(line.Cells[k.name], value(s))
				line.Batch[k.name] = max(s.request.Inner, s.request.Batch)
			}
		}
		t.Rows = append(t.Rows, line)
	}
	return t
}

// higher tells whether more is better.
func (t table) higher() bool { return strings.HasSuffix(t.Unit, "/s") }

// against returns how many times better camlab is than a peer: the median over the rounds.
func (t table) against(r row, peer string) float64 {
	mine, theirs := r.Cells[ours.name], r.Cells[peer]
	var ratios []float64
	for i := range min(len(mine), len(theirs)) {
		ratio := mine[i] / theirs[i]
		if !t.higher() {
			ratio = 1 / ratio
		}
		ratios = append(ratios, ratio)
	}
	return turns.Median(ratios)
}

// markdown writes a table: medians, in brackets the least and the largest, and camlab
// against the best peer and, where it took part, against the build before.
func (t table) markdown(w io.Writer) {
	fmt.Fprintf(w, "### %s (%s)\n\n|  |", t.Title, t.Unit)
	for _, c := range t.Columns {
		fmt.Fprintf(w, " %s |", c.Name)
	}
	fmt.Fprintf(w, " camlab is better by |\n|---|%s---|\n", strings.Repeat("---|", len(t.Columns)))
	for _, r := range t.Rows {
		fmt.Fprintf(w, "| %s |", r.Name)
		best, against := "", 0.0
		for _, c := range t.Columns {
			v := r.Cells[c.Name]
			if len(v) == 0 {
				fmt.Fprint(w, " – |")
				continue
			}
			fmt.Fprintf(w, " %s", number(turns.Median(v)))
			if len(v) > 1 {
				fmt.Fprintf(w, " (%s–%s)", number(slices.Min(v)), number(slices.Max(v)))
			}
			fmt.Fprint(w, " |")
			if c.Name != ours.name && c.Name != earlier.name && len(r.Cells[ours.name]) > 0 {
				if a := t.against(r, c.Name); best == "" || a < against {
					best, against = c.Name, a
				}
			}
		}
		if best == "" {
			fmt.Fprint(w, " – |\n")
			continue
		}
		fmt.Fprintf(w, " **%.2f ×** (%s)", against, best)
		if len(r.Cells[earlier.name]) > 0 {
			fmt.Fprintf(w, ", %.2f × (before)", t.against(r, earlier.name))
		}
		fmt.Fprint(w, " |\n")
	}
	fmt.Fprintln(w)
}

func number(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.3g", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// machine says when and where a part was measured.
func (r *results) machine(part string) {
	cpu := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		field := func(name string) string {
			_, rest, _ := strings.Cut(string(info), name)
			rest, _, _ = strings.Cut(rest, "\n")
			return strings.Trim(rest, "\t :")
		}
		var vector []string
		for _, f := range strings.Fields(field("\nflags")) {
			if slices.Contains([]string{"avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16"}, f) {
				vector = append(vector, f)
			}
		}
		cpu = fmt.Sprintf("%s (%s)", field("\nmodel name"), strings.Join(vector, ", "))
	}
	r.Machine[part] = fmt.Sprintf("%s, %s, %d processors, %s", time.Now().Format(time.DateOnly), cpu, runtime.NumCPU(), runtime.Version())
}

// write writes RESULTS.md and results.json.
func (r *results) write(folder string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "results.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	var s strings.Builder
	s.WriteString(`# Speed beside other libraries

Written by ` + "`make bench`" + `. The programs take turns, A B C A B C …, so that a drift of the machine affects all of them. A value is the median of the rounds; the least and the largest are in brackets. "Better by" compares camlab's value with that of the best other program in the same round, and is the median over the rounds. Where the row names no batch size, each program has the one that is best for it.

`)
	versions := make(map[string]string)
	for _, p := range parts {
		tables := r.Parts[p.name]
		if len(tables) == 0 {
			continue
		}
		fmt.Fprintf(&s, "## %s\n\n%s.\n\n", strings.ToUpper(p.name[:1])+p.name[1:], r.Machine[p.name])
		for _, t := range tables {
			t.markdown(&s)
			for _, c := range t.Columns {
				if c.Version != "" {
					versions[c.Name] = c.Version
				}
			}
		}
	}
	s.WriteString("## Versions\n\n")
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		fmt.Fprintf(&s, "- %s: %s\n", name, versions[name])
	}
	return os.WriteFile(filepath.Join(folder, "RESULTS.md"), []byte(s.String()), 0o644)
}
