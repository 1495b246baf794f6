// Package compile makes object code of a cell: it knows the compiled packages that
// a cell may import, asks the go command for more, and calls Go's compiler.
package compile

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/camlab-go/camlab/kernels/cell"
)

// Package is a compiled package.
type Package struct {
	Name   string `json:"name"`
	Export string `json:"export"` // file of its object code
	Dir    string `json:"dir"`    // folder of its source
}

// Compiler compiles the cells of one session.
type Compiler struct {
	// AutoGet has imports of modules that are not there fetched by go get.
	AutoGet bool

	dir, work string
	say       func(line string)
	env       []string
	importer  types.Importer

	mu       sync.Mutex
	ctx      context.Context   // of Within
	module   map[string][]byte // go.mod and go.sum, as they were
	compiler string            // the program; empty before Ready
	packages map[string]Package
	names    map[string][]string // import paths by package name, the likeliest first
}

// Files are the files of all compiled packages that are known, by import path.
func (c *Compiler) Files() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	files := make(map[string]string, len(c.packages))
	for path, p := range c.packages {
		files[path] = p.Export
	}
	return files
}

// Module is the folder of the session's module, for commands like go get.
func (c *Compiler) Module() string { return c.work }

// Importer finds the packages that cells import. One that is not among the
// compiled ones is asked of the go command, and fetched if AutoGet is set.
func (c *Compiler) Importer() types.Importer { return importerFunc(c.importPackage) }

type importerFunc func(path string) (*types.Package, error)

func (f importerFunc) Import(path string) (*types.Package, error) { return f(path) }

func (c *Compiler) importPackage(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	if err := c.provide(path); err != nil {
		return nil, err
	}
	return c.importer.Import(path)
}

// Within has the go commands for what is imported from now on end with ctx: a
// [types.Importer] takes none.
func (c *Compiler) Within(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ctx = ctx
}

// open reads the object code of a package, for its types.
func (c *Compiler) open(path string) (io.ReadCloser, error) {
	c.mu.Lock()
	p, ok := c.packages[path]
	c.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("package %s is not compiled", path)
	}
	return os.Open(p.Export)
}

// Packages are the import paths that cells can import at once.
func (c *Compiler) Packages() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var paths []string
	for path, p := range c.packages {
		if importable(path, p) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// Dir is the folder of a package's source, or empty.
func (c *Compiler) Dir(path string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.packages[path].Dir
}

// Find returns the import path of the package of a name, and whether there is one.
// Of several it is the first that has all the names that the cell uses of it: one
// of camlab before one of the standard library before one of GoMLX before others.
func (c *Compiler) Find(name string, uses ...string) (path string, ok bool) {
	c.mu.Lock()
	paths := slices.Clone(c.names[name])
	c.mu.Unlock()
	if name == "unsafe" { // which is compiled nowhere
		return name, true
	}
	for _, path := range paths {
		pkg, err := c.importPackage(path)
		if err == nil && !slices.ContainsFunc(uses, func(n string) bool { return pkg.Scope().Lookup(n) == nil }) {
			return path, true
		}
	}
	if len(paths) == 0 {
		return "", false
	}
	return paths[0], true
}

// name makes a package known by its name.
func (c *Compiler) name(path string) {
	p := c.packages[path]
	if !importable(path, p) {
		return
	}
	if c.names == nil {
		c.names = make(map[string][]string)
	}
	list := slices.Concat(c.names[p.Name], []string{path})
	slices.SortFunc(list, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	c.names[p.Name] = slices.Compact(list)
}

// rank orders packages of one name.
func rank(path string) int {
	first, _, _ := strings.Cut(path, "/")
	switch {
	case strings.HasPrefix(path, modulePath+"/"):
		return 0
	case !strings.Contains(first, "."):
		return 1
	case strings.HasPrefix(path, "github.com/gomlx/"):
		return 2
	default:
		return 3
	}
}

// importable reports whether a cell may import a package.
func importable(path string, p Package) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == "internal" || part == "vendor" {
			return false
		}
	}
	return p.Name != "main"
}

// provide makes sure that a package is compiled.
func (c *Compiler) provide(path string) error {
	c.mu.Lock()
	p, ok := c.packages[path]
	ctx := c.ctx
	c.mu.Unlock()
	if ok && !importable(path, p) {
		return fmt.Errorf("package %s is not for others to import", path)
	}
	if _, err := os.Stat(p.Export); ok && err == nil {
		return nil
	}
	if err := c.Ready(); err != nil {
		return err
	}
	if ok {
		c.say("compiling " + path + " again, Go's build cache has lost it")
	} else {
		c.say("compiling " + path)
	}
	found, err := list(ctx, c.work, c.env, path)
	if err != nil && c.AutoGet && strings.Contains(err.Error(), "no required module provides package") {
		c.say("go get " + path)
		if _, err := goCommand(ctx, c.work, c.env, "get", path); err != nil {
			return fmt.Errorf("package %s: %w", path, err)
		}
		found, err = list(ctx, c.work, c.env, path)
	}
	if err != nil {
		return fmt.Errorf("package %s: %w", path, err)
	}
	if _, ok := found[path]; !ok {
		return fmt.Errorf("package %s: the go command has not compiled it", path)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for other, p := range found {
		if old, ok := c.packages[other]; ok {
			if filepath.Base(old.Export) != filepath.Base(p.Export) {
				return fmt.Errorf("package %s needs another version of %s than the one that the kernel has; restore the session's go.mod, or restart the kernel", path, other)
			}
			c.packages[other] = p
			continue
		}
		c.packages[other] = p
		c.name(other)
	}
	return nil
}

// Compile compiles a cell into a file of the session's folder, which the caller
// removes. [Compiler.Files] then has all that it needs.
func (c *Compiler) Compile(ctx context.Context, u *cell.Unit) (archive string, err error) {
	if err := c.Ready(); err != nil {
		return "", err
	}
	fail := func(err error) (string, error) {
		return "", fmt.Errorf("compile: %s: %w", u.Name, err)
	}
	files := slices.DeleteFunc(slices.Clone(u.Imports), func(path string) bool { return path == "unsafe" }) // which has none
	for _, path := range files {
		if err := c.provide(path); err != nil {
			return fail(err)
		}
	}
	dir, err := os.MkdirTemp(c.work, ".cell-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	var cfg bytes.Buffer
	c.mu.Lock()
	for _, path := range files {
		fmt.Fprintf(&cfg, "packagefile %s=%s\n", path, c.packages[path].Export)
	}
	c.mu.Unlock()
	config := filepath.Join(dir, "importcfg")
	if err := os.WriteFile(config, cfg.Bytes(), 0o600); err != nil {
		return fail(err)
	}
	archive = filepath.Join(c.work, u.Function+".a")
	args := []string{"-o", archive, "-p", cell.PackagePath, "-importcfg", config, "-pack", "-dwarf=false", "-trimpath", dir}
	for i, text := range u.Files {
		file := filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return fail(err)
		}
		args = append(args, file)
	}
	cmd := exec.CommandContext(ctx, c.compiler, args...)
	cmd.Dir, cmd.Env = dir, append(slices.Clone(c.env), "GOGC=off") // it lives some milliseconds
	if out, err := cmd.CombinedOutput(); err != nil {
		_ = os.Remove(archive)
		if ctx.Err() != nil {
			return fail(ctx.Err())
		}
		if len(out) > 0 {
			err = errors.New(strings.TrimSpace(string(out)))
		}
		if errors.Is(err, os.ErrNotExist) || strings.Contains(string(out), "object is [go object ") {
			err = fmt.Errorf("%w: Go is not where or what it was when `camlab setup` ran: run that again, then restart the kernel", err)
		}
		return fail(err)
	}
	return archive, nil
}
