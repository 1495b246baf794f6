// Command cell measures how long notebook cells take, from sending one to its idle
// status: those of the kernel whose cells stay in one process, of GoNB's kernel, and of
// ipykernel doing the same work in PyTorch.
//
//	go run ./bench/cell [-n 7] [-before CHECKOUT]
//
// Each round begins with fresh kernels, which get the cells in turn, because a machine
// drifts. GoNB's kernel is that of `make setup-gonb`, ipykernel that of the environment
// of `make bench`; one that is not there is left out. The kernel of another checkout
// that has been set up can be a fourth.
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/camlab-go/camlab/bench/turns"
	"github.com/camlab-go/camlab/kernels"
)

var (
	//go:embed cells.py
	script []byte
	//go:embed peer.py
	peer string
	//go:embed stays.txt
	stays string
	//go:embed gonb.txt
	gonb string
	//go:embed python.txt
	python string
)

// peersDir is the environment of the libraries that camlab is compared with.
const peersDir = ".venv-peers"

func main() {
	n := flag.Int("n", 7, "rounds")
	before := flag.String("before", "", "checkout whose kernel to compare with")
	flag.Parse()
	if err := run(*n, *before); err != nil {
		fmt.Fprintf(os.Stderr, "bench: cell: %v\n", err)
		os.Exit(1)
	}
}

// contestant is a kernel with its cells.
type contestant struct {
	name  string
	spec  []byte // kernel.json
	cells string
}

func run(n int, before string) error {
	if n < 1 {
		return fmt.Errorf("-n %d, want 1 or more", n)
	}
	env, err := kernels.FindEnv()
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "camlab-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	all, err := contestants(env, before)
	if err != nil {
		return err
	}
	times, err := timeCells(env, tmp, all, n)
	if err != nil {
		return err
	}
	print(all, times)
	return nil
}

// contestants are the kernels that are there.
func contestants(env kernels.Env, before string) (all []contestant, err error) {
	add := func(name, cells, file string) error {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(os.Stderr, "%s is left out: no %s\n", name, file)
			return nil
		}
		all = append(all, contestant{name, text, cells})
		return err
	}
	spec := func(env kernels.Env, name string) string { return filepath.Join(env.KernelDir(), name, "kernel.json") }
	err = errors.Join(add("camlab", stays, spec(env, kernels.XLACPU)), add("gonb", gonb, spec(env, kernels.XLACPU+string(kernels.GoNB))))
	if before != "" {
		other := kernels.Env{}
		if other.Root, err = filepath.Abs(before); err != nil {
			return nil, err
		}
		err = errors.Join(err, add("before", gonb, spec(other, kernels.XLACPU)))
	}
	program := filepath.Join(env.Root, peersDir, "bin", "python")
	if exec.Command(program, "-c", "import ipykernel, torch, matplotlib, safetensors").Run() != nil {
		fmt.Fprintf(os.Stderr, "ipykernel is left out: no PyTorch with ipykernel in %s, which `make bench` makes\n", peersDir)
		return all, err
	}
	text, jsonErr := json.Marshal(map[string]any{"argv": []string{program, "-m", "ipykernel", "-f", "{connection_file}"}, "display_name": "Python", "language": "python"})
	return append(all, contestant{"ipykernel", text, python}), errors.Join(err, jsonErr)
}

// cellsOf cuts a file at its lines ### into names and codes.
func cellsOf(text string) (cells [][2]string) {
	for part := range strings.SplitSeq(strings.TrimPrefix(text, "### "), "\n### ") {
		name, code, _ := strings.Cut(part, "\n")
		cells = append(cells, [2]string{name, strings.TrimSpace(code)})
	}
	return cells
}

// key is a cell of a kernel.
type key struct{ kernel, cell string }

func timeCells(env kernels.Env, tmp string, all []contestant, n int) (map[key][]float64, error) {
	cells := make(map[string][][2]string)
	files := map[string][]byte{"peer.py": []byte(strings.NewReplacer("CHECKOUT", env.Root, "THREADS", strconv.Itoa(runtime.NumCPU())).Replace(peer))}
	for _, c := range all {
		cells[c.name] = cellsOf(c.cells)
		files[filepath.Join("kernels", c.name, "kernel.json")] = c.spec
	}
	var err error
	if files["cells.json"], err = json.Marshal(cells); err != nil {
		return nil, err
	}
	for name, text := range files {
		path := filepath.Join(tmp, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(env.Bin("python"), "-", filepath.Join(tmp, "kernels"), tmp, strconv.Itoa(n), filepath.Join(tmp, "cells.json"))
	cmd.Stdin, cmd.Stderr = bytes.NewReader(script), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("jupyter_client: %w", err)
	}
	times := make(map[key][]float64)
	for line := range bytes.Lines(out) {
		var r struct {
			Kernel, Cell string
			Seconds      float64
		}
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("jupyter_client: %w", err)
		}
		times[key{r.Kernel, r.Cell}] = append(times[key{r.Kernel, r.Cell}], r.Seconds)
	}
	return times, nil
}

// print writes the table of docs: medians, with the fastest and the slowest.
func print(all []contestant, times map[key][]float64) {
	fmt.Print("| cell, seconds |")
	for _, c := range all {
		fmt.Printf(" %s |", c.name)
	}
	fmt.Print("\n|---|" + strings.Repeat("---|", len(all)) + "\n")
	for _, cell := range cellsOf(all[0].cells) {
		fmt.Printf("| %s |", cell[0])
		for _, c := range all {
			t := times[key{c.name, cell[0]}]
			if len(t) == 0 {
				fmt.Print(" |")
				continue
			}
			fmt.Printf(" %.3f (%.3f to %.3f) |", turns.Median(t), slices.Min(t), slices.Max(t))
		}
		fmt.Println()
	}
}
