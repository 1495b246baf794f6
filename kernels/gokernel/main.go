// Command gokernel is the kernel of Go notebooks whose cells stay: one process keeps
// the values of all cells. It speaks Jupyter's protocol (package jupyter), keeps what
// cells have declared (package cell) and the life of that process (package wire),
// which it starts anew if it ends.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	programs "github.com/camlab-go/camlab/internal/front"
	"github.com/camlab-go/camlab/internal/goenv"
	"github.com/camlab-go/camlab/internal/lock"
	"github.com/camlab-go/camlab/kernels/compile"
	"github.com/camlab-go/camlab/kernels/jupyter"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "camlab: gokernel: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := pflag.NewFlagSet("gokernel", pflag.ContinueOnError)
	file := flags.String("kernel", "", "Jupyter's connection file")
	cells := flags.String("cells", "", "the folder with what cells are compiled with and run in, made by `camlab setup`")
	notebook := flags.String("export", "", "write a notebook's cells as a Go program to standard output, and end")
	checkout := flags.String("checkout", "", "a checkout of camlab that cells import as it is now, instead of what setup has packed; --cells is then made anew")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return nil
		}
		return err
	}
	if *notebook != "" && *cells != "" {
		program, err := export(*cells, *notebook)
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(program)
		return err
	}
	if *file == "" || *cells == "" {
		return errors.New("want --kernel, Jupyter's connection file, and --cells, a folder that `camlab setup` has made; Jupyter starts this program")
	}
	connection, err := jupyter.ReadConnection(*file)
	if err != nil {
		return err
	}
	if err := useFolders(); err != nil {
		return err
	}
	if *checkout != "" {
		if err := prepare(*cells, *checkout); err != nil { // a mistake in the checkout: each cell says it
			ready := open
			open = func(cells, work string, say func(line string)) compiler {
				return unready{ready(cells, work, say), fmt.Errorf("%w; mend it and restart the kernel", err)}
			}
		}
	}
	k, err := newKernel(*cells)
	if err != nil {
		return err
	}
	defer k.close()
	name := strings.TrimSuffix(filepath.Base(*file), ".json")
	k.setID(strings.TrimPrefix(name, "kernel-"))
	server, err := jupyter.Listen(connection, k)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		for s := range signals {
			if s == os.Interrupt {
				k.Interrupt()
				continue
			}
			k.close()
			server.Close()
		}
	}()
	if os.Getenv("JPY_PARENT_PID") != "" {
		go orphaned(server)
	}
	go k.warm()
	server.Serve()
	server.Close()
	return nil
}

// useFolders has other folders take the place of those of the environment that cannot
// be used, such as a TMPDIR in which programs cannot be run.
func useFolders() error {
	spare, err := programs.Spare()
	if err != nil {
		return err
	}
	for _, v := range goenv.Folders(os.Environ(), spare) {
		name, value, _ := strings.Cut(v, "=")
		fmt.Fprintf(os.Stderr, "camlab: %s=%s cannot be used, %q takes its place; `camlab doctor` says why\n", name, os.Getenv(name), value)
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes what cells need of a checkout, one kernel after the other.
func prepare(cells, checkout string) error {
	parent := cells + ".lock"
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	for {
		unlock, err := lock.Dir(parent)
		if errors.Is(err, lock.ErrHeld) {
			time.Sleep(200 * time.Millisecond)
			continue
		}
		if err != nil {
			return err
		}
		defer unlock()
		_, err = compile.Prepare(context.Background(), cells, compile.Source{Checkout: checkout}, os.Environ())
		return err
	}
}

// orphaned ends the kernel when the process that has started it is gone.
func orphaned(s *jupyter.Server) {
	parent := os.Getppid()
	for os.Getppid() == parent {
		time.Sleep(time.Second)
	}
	s.Close()
}

// survive is deferred by goroutines of the kernel: a fault of one ends none.
func survive(where string) {
	if r := recover(); r != nil {
		fmt.Fprintf(os.Stderr, "camlab: %s: panic: %v\n%s", where, r, debug.Stack())
	}
}

func uniqueID() string { return strings.ToLower(rand.Text()) }
