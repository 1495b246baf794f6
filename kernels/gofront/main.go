// Command gofront stands before the go command in the PATH of the notebook
// kernels, under the name go. GoNB calls go get and go build for every cell,
// and both find out every time what they found out for the cell before: which
// packages there are and where their compiled files lie. In GoNB's temporary
// folder gofront remembers that and calls the compiler and the linker itself.
//
// It answers only what it is sure of: the calls `go get` and `go build -o
// FILE`, in a folder whose go.mod, go.sum, environment and go command are those
// of the last success, for a main.go that imports nothing new. Everything else,
// and everything that fails, is done by the real go command.
//
// With CAMLAB_DEV=FOLDER a `go mod init` is followed by a `go mod edit` that
// replaces camlab by the checkout in that folder.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/camlab-go/camlab/internal/front"
)

const (
	modulePath = "github.com/camlab-go/camlab"
	devEnv     = "CAMLAB_DEV"
)

func main() {
	args := os.Args[1:]
	if len(args) > 2 && args[0] == recordArg {
		fail(record(args[1], args[2:]))
	}
	real, ok := front.Real("go")
	if !ok {
		fail(fmt.Errorf("go: no go command in PATH but %s; install Go from https://go.dev/dl", os.Args[0]))
	}
	dir, err := os.Getwd()
	if err != nil {
		fail(execute(real, args))
	}
	switch {
	case len(args) >= 2 && args[0] == "mod" && args[1] == "init" && os.Getenv(devEnv) != "":
		code := run(dir, nil, real, args...)
		if code == 0 {
			code = run(dir, nil, real, "mod", "edit", "-replace="+modulePath+"="+os.Getenv(devEnv))
		}
		os.Exit(code)
	case slices.Equal(args, []string{"get"}):
		if c, ok := openCell(dir, real, os.Environ()); ok {
			os.Exit(c.get())
		}
	case len(args) == 3 && args[0] == "build" && args[1] == "-o" && filepath.Dir(args[2]) == dir:
		if c, ok := openCell(dir, real, os.Environ()); ok && quickable(os.Environ()) {
			os.Exit(c.build(args[2]))
		}
	}
	fail(execute(real, args))
}

// execute becomes another program. It returns only when that fails.
func execute(path string, args []string) error {
	return syscall.Exec(path, append([]string{path}, args...), os.Environ())
}

// fail ends the program with an error of its own, as the shell does when it
// cannot run a command.
func fail(err error) {
	fmt.Fprintf(os.Stderr, "camlab: %v\n", err)
	os.Exit(127)
}
