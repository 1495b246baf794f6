// Command cell measures how long a notebook cell takes that imports camlib and
// shows one heat map: from sending it to its idle status, on a warm kernel.
//
//	go run ./bench/cell [-n 15] [-before CHECKOUT]
//
// Two kernels get the cells in turn, because a machine drifts: the one of this
// checkout, "after", and one to compare it with, "before". That is the kernel
// of another checkout that has been set up, or else this one without the go
// command of kernels/gofront.
//
// The parts are then measured by doing by hand what GoNB does, in a folder like
// GoNB's; what the cell takes beyond them is "rest": GoNB itself, Jupyter's
// messages and the end of the process.
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/camlab-go/camlab/bench/turns"
	"github.com/camlab-go/camlab/kernels"
)

var (
	//go:embed cells.py
	script []byte
	//go:embed cell.txt
	cell []byte
	//go:embed parts.txt
	partsCell string
)

// spec is the part of a kernel.json that is read here; text is all of it.
type spec struct {
	name string
	text []byte
	// parts is the program that does the cell's parts.
	parts string
	Env   map[string]string `json:"env"`
}

// seconds is a time by the clock and of the processors. The second hardly
// changes with what else the machine does.
type seconds [2]float64

func main() {
	n := flag.Int("n", 15, "cells to time on each kernel")
	before := flag.String("before", "", "checkout whose kernel to compare with; empty is this one without kernels/gofront")
	flag.Parse()
	if err := run(*n, *before); err != nil {
		fmt.Fprintf(os.Stderr, "bench: cell: %v\n", err)
		os.Exit(1)
	}
}

func run(n int, before string) error {
	if n < 1 {
		return fmt.Errorf("-n %d, want 1 or more", n)
	}
	env, err := kernels.FindEnv()
	if err != nil {
		return err
	}
	specs, err := findSpecs(env, before)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "camlab-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	cells, err := timeCells(env, tmp, specs, n)
	if err != nil {
		return err
	}
	parts := make(map[string]map[string][]seconds)
	const warm = 2
	for i := -warm; i < (n+1)/2; i++ {
		for _, s := range specs {
			p, err := timeParts(filepath.Join(tmp, "parts-"+s.name), s, i+500)
			if err != nil {
				return fmt.Errorf("parts of %s: %w", s.name, err)
			}
			if i < 0 {
				continue
			}
			if parts[s.name] == nil {
				parts[s.name] = make(map[string][]seconds)
			}
			for name, t := range p {
				parts[s.name][name] = append(parts[s.name][name], t)
			}
		}
	}
	return print(specs, cells, parts)
}

// findSpecs returns the kernelspecs "before" and "after".
func findSpecs(env kernels.Env, before string) ([]spec, error) {
	read := func(name string, env kernels.Env) (spec, error) {
		s := spec{name: name, parts: partsCell}
		file := filepath.Join(env.KernelDir(), kernels.XLACPU, "kernel.json")
		text, err := os.ReadFile(file)
		if err != nil {
			return s, fmt.Errorf("%w; `make setup` makes it", err)
		}
		s.text = text
		return s, json.Unmarshal(text, &s)
	}
	after, err := read("after", env)
	if err != nil {
		return nil, err
	}
	other := env
	if before != "" {
		if other.Root, err = filepath.Abs(before); err != nil {
			return nil, err
		}
	}
	b, err := read("before", other)
	if err != nil {
		return nil, err
	}
	if own, err := os.ReadFile(filepath.Join(other.Root, "bench", "cell", "parts.txt")); err == nil {
		b.parts = string(own) // names of that checkout
	}
	if before == "" {
		b.Env["PATH"] = strings.TrimPrefix(b.Env["PATH"], env.KernelBin("")+string(os.PathListSeparator))
		var all map[string]any
		if err := json.Unmarshal(b.text, &all); err != nil {
			return nil, err
		}
		all["env"] = b.Env
		if b.text, err = json.Marshal(all); err != nil {
			return nil, err
		}
	}
	return []spec{b, after}, nil
}

// timeCells returns the seconds of each kernel's cells.
func timeCells(env kernels.Env, tmp string, specs []spec, n int) (map[string][]float64, error) {
	folder := filepath.Join(tmp, "kernels")
	var names []string
	for _, s := range specs {
		names = append(names, s.name)
		dir := filepath.Join(folder, s.name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, "kernel.json"), s.text, 0o644); err != nil {
			return nil, err
		}
	}
	file := filepath.Join(tmp, "cell.txt")
	if err := os.WriteFile(file, cell, 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command(env.Bin("python"), append([]string{"-", folder, strconv.Itoa(n), file}, names...)...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(script), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("jupyter_client: %w", err)
	}
	times := make(map[string][]float64)
	for line := range bytes.Lines(out) {
		var r struct {
			Name    string
			Seconds float64
		}
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("jupyter_client: %w", err)
		}
		times[r.Name] = append(times[r.Name], r.Seconds)
	}
	return times, nil
}

// order of the parts in the table.
var order = []string{"goimports", "go get", "compile and link", "process start", "read weights", "plugin load", "sample", "XLA compile", "run", "picture"}

// timeParts does once, in a folder that it makes, what GoNB does for a cell.
func timeParts(dir string, s spec, index int) (map[string]seconds, error) {
	program := filepath.Join(dir, "program")
	env := append(os.Environ(), "GONB_TMP_DIR="+dir)
	path := os.Getenv("PATH")
	for name, value := range s.Env {
		value = strings.ReplaceAll(value, "${PATH}", path)
		env = append(env, name+"="+value)
	}
	command := func(name string, args ...string) ([]byte, seconds, error) {
		for _, d := range filepath.SplitList(strings.ReplaceAll(s.Env["PATH"], "${PATH}", path)) {
			if found, err := exec.LookPath(filepath.Join(d, name)); err == nil {
				name = found
				break
			}
		}
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.Env = env
		if name == program { // a variable that changes would be news to the go command
			cmd.Env = append(slices.Clip(env), "STARTED="+strconv.FormatInt(time.Now().UnixNano(), 10))
		}
		start := time.Now()
		out, err := cmd.Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%s: %w: %s", filepath.Base(name), err, exit.Stderr)
		}
		if err != nil {
			return nil, seconds{}, err
		}
		used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime() // with those of the programs that it ran
		return out, seconds{time.Since(start).Seconds(), used.Seconds()}, nil
	}
	if _, err := os.Stat(dir); err != nil {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
		if _, _, err := command("go", "mod", "init", filepath.Base(dir)); err != nil {
			return nil, err
		}
	}
	source := strings.ReplaceAll(s.parts, "INDEX", strconv.Itoa(index))
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o644); err != nil {
		return nil, err
	}
	parts := make(map[string]seconds)
	var out []byte
	for _, step := range []struct {
		name string
		call []string
	}{
		{"goimports", []string{"goimports", "-w", filepath.Join(dir, "main.go")}},
		{"go get", []string{"go", "get"}},
		{"compile and link", []string{"go", "build", "-o", program}},
		{"", []string{program}},
	} {
		var took seconds
		var err error
		if out, took, err = command(step.call[0], step.call[1:]...); err != nil {
			return nil, err
		}
		if step.name != "" {
			parts[step.name] = took
		}
	}
	if err := json.Unmarshal(out, &parts); err != nil {
		return nil, err
	}
	// The first run is a compilation and a run like the second.
	both, second := parts["XLA compile and first run"], parts["run"]
	parts["XLA compile"] = seconds{both[0] - second[0], both[1] - second[1]}
	return parts, nil
}

func print(specs []spec, cells map[string][]float64, parts map[string]map[string][]seconds) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, value func(kernel string) float64) {
		fmt.Fprint(w, name)
		for _, s := range specs {
			fmt.Fprintf(w, "\t%.3f", value(s.name))
		}
	}
	head := func(name, of string) {
		fmt.Fprint(w, name)
		for _, s := range specs {
			fmt.Fprintf(w, "\t%s%s", s.name, of)
		}
	}
	head("seconds", "")
	fmt.Fprintln(w, "\t")
	row(fmt.Sprintf("cell, median of %d", len(cells[specs[0].name])), func(k string) float64 { return turns.Median(cells[k]) })
	fmt.Fprintln(w, "\t")
	row("fastest", func(k string) float64 { return slices.Min(cells[k]) })
	fmt.Fprintln(w, "\t")
	row("slowest", func(k string) float64 { return slices.Max(cells[k]) })
	fmt.Fprintln(w, "\t\t\t")
	head("parts, by hand", "")
	head("", ", CPU")
	fmt.Fprintln(w, "\t")
	sums := make(map[string]*seconds)
	for _, s := range specs {
		sums[s.name] = new(seconds)
	}
	for _, name := range order {
		for i := range 2 {
			label := name
			if i == 1 {
				label = ""
			}
			row(label, func(k string) float64 {
				var all []float64
				for _, t := range parts[k][name] {
					all = append(all, t[i])
				}
				m := turns.Median(all)
				sums[k][i] += m
				return m
			})
		}
		fmt.Fprintln(w, "\t")
	}
	row("sum", func(k string) float64 { return sums[k][0] })
	row("", func(k string) float64 { return sums[k][1] })
	fmt.Fprintln(w, "\t")
	row("rest", func(k string) float64 { return turns.Median(cells[k]) - sums[k][0] })
	fmt.Fprintln(w, "\t")
	return w.Flush()
}
