// Command parity compares what two backends compute: maps of the article's network by all
// methods with a closed form, and the first steps of trainings.
//
//	go run ./bench/parity [-of xla:cuda] [-beside xla:cpu] [-images 8] [-steps 20]
//
// Each backend has a process of its own, because XLA takes its flags from the environment once
// for all plugins. It ends with status 1 if something differs by more than it may, and says what
// it did not check.
package main

import (
	"bytes"
	"context"
	"encoding/gob"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"text/tabwriter"
	"time"

	"github.com/camlab-go/camlab/camlib"
)

func main() {
	of := flag.String("of", camlib.XLACUDA, "backend to check")
	beside := flag.String("beside", camlib.XLACPU, "backend to hold it to")
	w := whole
	flag.IntVar(&w.Images, "images", w.Images, "images to make maps of")
	flag.IntVar(&w.Steps, "steps", w.Steps, "steps of a training")
	alone := flag.String("measure", "", "backend; measure it and write what comes of it to standard output (for this program's own use)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var err error
	if *alone != "" {
		err = answer(ctx, *alone, w)
	} else {
		err = run(ctx, *of, *beside, w)
	}
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: parity: %v\n", err)
		os.Exit(1)
	}
}

// answer measures a backend for another process.
func answer(ctx context.Context, name string, w work) error {
	b, err := camlib.Backend(name)
	if err != nil {
		return err
	}
	m, err := measure(ctx, b, w)
	if err != nil {
		return err
	}
	return gob.NewEncoder(os.Stdout).Encode(m)
}

// ask has another process measure a backend.
func ask(ctx context.Context, name string, w work) (*measured, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-measure", name, "-images", fmt.Sprint(w.Images), "-steps", fmt.Sprint(w.Steps))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	m := new(measured)
	if err := gob.NewDecoder(bytes.NewReader(out)).Decode(m); err != nil {
		return nil, fmt.Errorf("%s: what it measured: %w", name, err)
	}
	return m, nil
}

func run(ctx context.Context, of, beside string, w work) error {
	if w.Images < 1 || w.Steps < 1 || w.Steps*w.Batch > sampled {
		return fmt.Errorf("-images %d, -steps %d, want 1 or more, and at most %d steps", w.Images, w.Steps, sampled/w.Batch)
	}
	start := time.Now()
	got, err := ask(ctx, of, w)
	if err != nil {
		return err
	}
	middle := time.Now()
	want, err := ask(ctx, beside, w)
	if err != nil {
		return err
	}
	fmt.Printf("%s (%.0f s) beside %s (%.0f s)\n\n", got.Backend, middle.Sub(start).Seconds(), want.Backend, time.Since(middle).Seconds())
	l := exact
	if of == camlib.XLACUDA || beside == camlib.XLACUDA {
		l = tf32
	}
	rows := compare(got, want, l)
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "checked\toff by\tat most\t")
	bad := 0
	for _, r := range rows {
		note := ""
		if !r.fits() {
			note = "TOO FAR"
			bad++
		}
		fmt.Fprintf(t, "%s\t%.2g\t%.2g\t%s\n", r.what, r.off, r.limit, note)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Println("\nnot checked:")
	for _, text := range unchecked(got) {
		fmt.Println("-", text)
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d rows are too far off", bad, len(rows))
	}
	return nil
}
