// Command gokernel is the kernel of Go notebooks whose cells stay: one process keeps
// the values of all cells. It speaks Jupyter's protocol (package jupyter), keeps what
// cells have declared (package cell) and the life of that process (package wire),
// which it starts anew if it ends.
package main

import (
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
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return nil
		}
		return err
	}
	if *file == "" || *cells == "" {
		return errors.New("want --kernel, Jupyter's connection file, and --cells, a folder that `camlab setup` has made; Jupyter starts this program")
	}
	connection, err := jupyter.ReadConnection(*file)
	if err != nil {
		return err
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
