// Package kernels makes and inspects the environment that camlab's notebooks
// run in: the isolated folder .venv with JupyterLab, GoNB and the PJRT plugin,
// one Jupyter kernelspec per backend, and the packed copy of this module that
// lets a cell import camlib in any folder, offline. It also runs notebooks and
// checks what came out of them.
package kernels

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/camlab-go/camlab/internal/front"
)

// ModulePath is the module that the kernels make importable.
const ModulePath = "github.com/camlab-go/camlab"

// Env is the environment of one checkout; everything in it lies under
// Root/.venv.
type Env struct {
	Root string // folder of the checkout's go.mod, absolute
}

// FindEnv returns the environment of the checkout that the working directory
// lies in, else of the one that the running program was installed into. The
// environment need not have been set up yet.
func FindEnv() (Env, error) {
	var starts []string
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		starts = append(starts, filepath.Dir(exe))
	}
	for _, dir := range starts {
		for {
			if text, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && bytes.HasPrefix(text, []byte("module "+ModulePath+"\n")) {
				return Env{Root: dir}, nil
			}
			parent := filepath.Dir(dir)
			if parent == dir {
				break
			}
			dir = parent
		}
	}
	return Env{}, fmt.Errorf("kernels: no checkout of %s above %s; run camlab inside one", ModulePath, strings.Join(starts, " or "))
}

// Dir is the folder of the environment.
func (e Env) Dir() string { return filepath.Join(e.Root, ".venv") }

// Bin is the path of one of the environment's programs.
func (e Env) Bin(name string) string { return filepath.Join(e.Dir(), "bin", name) }

// PluginDir is the folder of the PJRT plugin that camlab setup installs.
func (e Env) PluginDir() string { return filepath.Join(e.Dir(), "lib", "pjrt") }

// ProxyDir is the file tree that holds the packed module, in the layout of a
// Go module proxy.
func (e Env) ProxyDir() string { return filepath.Join(e.Dir(), "share", "camlab", "goproxy") }

// KernelDir is the folder of the environment's own kernelspecs.
func (e Env) KernelDir() string { return filepath.Join(e.Dir(), "share", "jupyter", "kernels") }

// GoFrontDir is the folder that only kernels have in their PATH, first: its go
// is the program of kernels/gofront, which answers GoNB's calls faster and
// leaves all others to the real go command.
func (e Env) GoFrontDir() string { return filepath.Join(e.Dir(), "share", "camlab", front.Dir) }

func (e Env) stamp(name string) string {
	return filepath.Join(e.Dir(), "share", "camlab", "stamps", name)
}

// Vars returns the environment variables, as NAME=value, under which a Go
// command in any folder resolves imports of this module from the packed copy
// and everything that it needs from the module cache, with no network. They
// are what the kernelspecs hand to the cells.
//
// The user's own proxies stay at the end, for modules of the user's own. The
// modules of go.sum are exempt from the checksum database, which cannot be
// asked offline: their contents were compared with go.sum when they entered
// the cache. All other modules are still checked.
func (e Env) Vars() ([]string, error) {
	vars, err := e.goVars()
	if err != nil {
		return nil, err
	}
	sums, err := os.ReadFile(filepath.Join(e.Root, "go.sum"))
	if err != nil {
		return nil, fmt.Errorf("kernels: %w", err)
	}
	noSum := []string{ModulePath}
	for line := range strings.Lines(string(sums)) {
		if path, _, ok := strings.Cut(line, " "); ok {
			noSum = append(noSum, path)
		}
	}
	slices.Sort(noSum)
	noSum = slices.Compact(noSum)
	if vars["GONOSUMDB"] != "" {
		noSum = append(noSum, vars["GONOSUMDB"])
	}
	flags := slices.DeleteFunc(strings.Fields(vars["GOFLAGS"]), func(f string) bool { return strings.HasPrefix(f, "-mod=") })
	proxies := []string{fileURL(e.ProxyDir()), fileURL(filepath.Join(vars["GOMODCACHE"], "cache", "download"))}
	for _, p := range strings.Split(vars["GOPROXY"], ",") {
		if p != "" && !slices.Contains(proxies, p) {
			proxies = append(proxies, p)
		}
	}
	path := []string{e.GoFrontDir(), filepath.Join(e.Dir(), "bin"), filepath.Join(vars["GOROOT"], "bin")}
	if cc, err := exec.LookPath("gcc"); err == nil {
		path = append(path, filepath.Dir(cc))
	}
	return []string{
		"GOFLAGS=" + strings.Join(append(flags, "-mod=mod"), " "),
		"GONOSUMDB=" + strings.Join(noSum, ","),
		"GOPROXY=" + strings.Join(proxies, ","),
		"PATH=" + strings.Join(path, string(os.PathListSeparator)) + string(os.PathListSeparator) + "${PATH}",
	}, nil
}

// goVars asks the go command for its settings.
func (e Env) goVars() (map[string]string, error) {
	names := []string{"GOFLAGS", "GOMODCACHE", "GONOSUMDB", "GOPROXY", "GOROOT"}
	out, err := e.output("go", append([]string{"env"}, names...)...)
	if err != nil {
		return nil, err
	}
	values := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(values) != len(names) {
		return nil, fmt.Errorf("kernels: go env printed %d lines, want %d", len(values), len(names))
	}
	vars := map[string]string{}
	for i, name := range names {
		vars[name] = values[i]
	}
	return vars, nil
}

// output runs a program in the checkout and returns its standard output; its
// error holds the end of what the program wrote on standard error.
func (e Env) output(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = e.Root
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, tail(string(exit.Stderr)))
		}
		return "", fmt.Errorf("kernels: %s: %w", filepath.Base(name), err)
	}
	return string(out), nil
}

// tail returns the last lines of a program's output as one line.
func tail(text string) string {
	const lines = 3
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], " | ")
}

func fileURL(path string) string { return "file://" + filepath.ToSlash(path) }

// expandPath is what Jupyter makes of Vars: the reference to the PATH of the
// process replaced by its value.
func expandPath(vars []string) []string {
	out := slices.Clone(vars)
	for i := range out {
		out[i] = strings.ReplaceAll(out[i], "${PATH}", os.Getenv("PATH"))
	}
	return out
}
