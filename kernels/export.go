package kernels

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// ExportNotebook returns a Go program that does what the cells of a notebook do, for
// a module that requires camlab. The kernel's program makes it: it alone knows what
// of a cell is Go.
func (e Env) ExportNotebook(ctx context.Context, file string) ([]byte, error) {
	fail := func(err error) ([]byte, error) {
		return nil, fmt.Errorf("kernels: export: %s: %w", filepath.Base(file), err)
	}
	if !e.stays() {
		return fail(fmt.Errorf("it needs the kernel whose cells stay in one process, which `camlab setup` makes where there is Go 1.26 on linux/amd64"))
	}
	vars, err := e.Vars()
	if err != nil {
		return fail(err)
	}
	cmd := exec.CommandContext(ctx, e.KernelBin(kernelProgram), "--cells", e.CellsDir(), "--export", file)
	cmd.Env = e.kernelEnv(vars)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	program, err := cmd.Output()
	if err != nil {
		if text := strings.TrimSpace(stderr.String()); text != "" {
			err = fmt.Errorf("%s", strings.TrimPrefix(text, "camlab: gokernel: "))
		}
		return fail(err)
	}
	return program, nil
}
