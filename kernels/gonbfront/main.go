// Command gonbfront stands before GoNB in the kernelspecs, under the name gonb. GoNB
// compiles cells into a folder that it makes in TMPDIR, and runs them there; gonbfront
// looks whether that can be done, and whether Go's caches can be used, before it
// becomes GoNB (goenv.Folders). The settings of Go are those of the kernelspec.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/camlab-go/camlab/internal/front"
	"github.com/camlab-go/camlab/internal/goenv"
)

func main() {
	err := run(os.Args)
	fmt.Fprintf(os.Stderr, "camlab: gonb: %v\n", err)
	os.Exit(127)
}

// run becomes GoNB. It returns only when that fails.
func run(args []string) error {
	real, ok := front.Real("gonb")
	if !ok {
		return errors.New("not in PATH; run `camlab setup`")
	}
	spare, err := front.Spare()
	if err != nil {
		return err
	}
	others := goenv.Folders(os.Environ(), spare)
	for _, v := range others {
		name, value, _ := strings.Cut(v, "=")
		fmt.Fprintf(os.Stderr, "camlab: %s=%s cannot be used, %q takes its place; `camlab doctor` says why\n", name, os.Getenv(name), value)
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	if dir := os.TempDir(); !goenv.Runs(dir) {
		return fmt.Errorf("TMPDIR: %w, want a folder in which programs can be run", goenv.WhyNotRuns(dir))
	}
	return syscall.Exec(real, append([]string{real}, args[1:]...), os.Environ())
}
