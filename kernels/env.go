// Package kernels makes and inspects the environment that camlab's notebooks
// run in: the isolated folder .venv with JupyterLab and the PJRT plugin, one Jupyter
// kernelspec per backend, the program in which cells run, and the packed copy of this
// module that lets a cell import camlib in any folder, offline. It also runs notebooks
// and checks what came out of them.
package kernels

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/camlab-go/camlab/internal/front"
	"github.com/camlab-go/camlab/internal/goenv"
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

// KernelBin is the path of a program that kernels start: kernelProgram, and of GoNB's
// kernels gonb (kernels/gonbfront) and go (kernels/gofront), which answers GoNB's calls
// faster and leaves all others to the real go command.
func (e Env) KernelBin(name string) string {
	return filepath.Join(e.Dir(), "share", "camlab", front.Dir, name)
}

// CellsDir is the folder of the program in which cells run, made by compile.Prepare.
func (e Env) CellsDir() string { return filepath.Join(e.Dir(), "share", "camlab", "cells") }

func (e Env) stamp(name string) string {
	return filepath.Join(e.Dir(), "share", "camlab", "stamps", name)
}

// spare is the folder for what has no other place, of package goenv.
func (e Env) spare() string { return filepath.Join(e.Dir(), "cache") }

// Vars returns the environment variables, as NAME=value, under which a Go
// command in any folder resolves imports of this module from the packed copy
// and everything that it needs from the module cache, with no network. They
// are what the kernelspecs hand to the cells: every variable that the go
// command heeds has a value, so that none that Jupyter was started with holds.
// The caches are those of the setup, which has filled them.
//
// The user's own proxies stay at the end, for modules of the user's own. The
// modules of go.sum are exempt from the checksum database, which cannot be
// asked offline: their contents were compared with go.sum when they entered
// the cache. All other modules are still checked. Nor does any setting have
// them fetched directly: of the patterns that do (GONOPROXY, GOPRIVATE) those that
// match one are left out, and with them the public proxy, which is not to be
// told the names of the others that they match.
func (e Env) Vars() ([]string, error) {
	vars, err := e.goVars()
	if err != nil {
		return nil, err
	}
	sums, err := os.ReadFile(filepath.Join(e.Root, "go.sum"))
	if err != nil {
		return nil, fmt.Errorf("kernels: %w", err)
	}
	needed := []string{ModulePath}
	for line := range strings.Lines(string(sums)) {
		if path, _, ok := strings.Cut(line, " "); ok {
			needed = append(needed, path)
		}
	}
	slices.Sort(needed)
	needed = slices.Compact(needed)
	proxies := []string{fileURL(e.ProxyDir()), fileURL(filepath.Join(vars["GOMODCACHE"], "cache", "download"))}
	own := strings.Split(vars["GOPROXY"], ",")
	var direct []string
	for pattern := range strings.SplitSeq(goenv.Direct(os.Environ()), ",") {
		if slices.ContainsFunc(needed, func(path string) bool { return module.MatchPrefixPatterns(pattern, path) }) {
			own = append(slices.DeleteFunc(own, func(p string) bool { return strings.HasPrefix(p, publicProxy) }), "direct")
		} else if pattern != "" {
			direct = append(direct, pattern)
		}
	}
	for _, p := range own {
		if p != "" && !slices.Contains(proxies, p) {
			proxies = append(proxies, p)
		}
	}
	noSum := needed
	if vars["GONOSUMDB"] != "none" {
		noSum = append(noSum, vars["GONOSUMDB"])
	}
	path := []string{e.KernelBin(""), filepath.Join(e.Dir(), "bin"), filepath.Join(vars["GOROOT"], "bin")}
	if cc, err := exec.LookPath("gcc"); err == nil {
		path = append(path, filepath.Dir(cc))
	}
	all := goenv.Settings(os.Environ())
	set := func(name, value string) {
		i := slices.IndexFunc(all, func(v string) bool { return strings.HasPrefix(v, name+"=") })
		all[i] = name + "=" + value
	}
	set("GOFLAGS", strings.TrimSpace(vars["GOFLAGS"]+" -mod=mod"))
	set("GONOPROXY", cmp.Or(strings.Join(direct, ","), "none"))
	set("GOPRIVATE", "")
	set("GONOSUMDB", strings.Join(noSum, ","))
	set("GOPROXY", strings.Join(proxies, ","))
	set("GOCACHE", vars["GOCACHE"])
	set("GOMODCACHE", vars["GOMODCACHE"])
	return append(all, "PATH="+strings.Join(path, string(os.PathListSeparator))+string(os.PathListSeparator)+"${PATH}"), nil
}

// publicProxy is where everybody's modules come from.
const publicProxy = "https://proxy.golang.org"

// goVars asks the go command for its settings.
func (e Env) goVars() (map[string]string, error) {
	names := []string{"GOCACHE", "GOFLAGS", "GOMODCACHE", "GONOSUMDB", "GOPROXY", "GOROOT"}
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

// Command returns a program to be run in the checkout, in the environment of
// package goenv: every program that camlab starts for the environment's sake is.
func (e Env) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = e.Root, goenv.Environ(e.spare())
	return cmd
}

// Folders returns what stands for folders of this process's environment that cannot
// be used, as goenv.Folders does.
func (e Env) Folders() []string { return goenv.Folders(os.Environ(), e.spare()) }

// mkdirTemp makes a folder in which programs can be run.
func (e Env) mkdirTemp(pattern string) (string, error) {
	dir := "" // TMPDIR's
	for _, v := range e.Folders() {
		if other, ok := strings.CutPrefix(v, "TMPDIR="); ok {
			dir = other
		}
	}
	return os.MkdirTemp(dir, pattern)
}

// output runs a program in the checkout and returns its standard output; its
// error holds the end of what the program wrote on standard error.
func (e Env) output(name string, args ...string) (string, error) {
	out, err := e.Command(context.Background(), name, args...).Output()
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

// kernelEnv is the environment of a kernel: what Jupyter makes of Vars, and gonbfront
// of that.
func (e Env) kernelEnv(vars []string) []string {
	env := os.Environ()
	for _, v := range vars {
		env = append(env, strings.ReplaceAll(v, "${PATH}", os.Getenv("PATH")))
	}
	return append(env, goenv.Folders(env, e.spare())...)
}
