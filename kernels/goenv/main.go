// Command goenv runs a program in the environment that go commands of camlab's run
// in (internal/goenv), as env(1) does:
//
//	.venv/share/camlab/kernel-bin/goenv go vet ./...
//
// The makefile starts all its go commands by it, and builds it first, from Go's
// standard library alone.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/camlab-go/camlab/internal/front"
	"github.com/camlab-go/camlab/internal/goenv"
)

func main() {
	err := run(os.Args[1:])
	fmt.Fprintf(os.Stderr, "camlab: goenv: %v\n", err)
	os.Exit(127)
}

// run becomes the program. It returns only when that fails.
func run(args []string) error {
	if len(args) == 0 {
		return errors.New("no program named, want one and its arguments")
	}
	spare, err := front.Spare()
	if err != nil {
		return err
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	return syscall.Exec(path, args, goenv.Environ(spare))
}
