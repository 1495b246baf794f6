package compile

import (
	"context"
	"fmt"
	"go/importer"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Open begins a session with a folder that Prepare makes; see [Compiler.Ready].
// work is the session's own folder: it becomes a Go module that requires camlab, and
// holds what is compiled. say gets a line about what takes long.
func Open(dir, work string, env []string, say func(line string)) *Compiler {
	c := &Compiler{ctx: context.Background(), AutoGet: true, say: say, dir: dir, work: work, env: env}
	c.importer = importer.ForCompiler(token.NewFileSet(), "gc", c.open)
	return c
}

// Ready reads what Prepare has made, once it is there, and makes the session's folder
// a module, also where it has been taken away since: programs that tidy up temporary
// files do. The error says what is missing, and what to do.
func (c *Compiler) Ready() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.compiler == "" {
		if err := c.read(); err != nil {
			return fmt.Errorf("compile: %s: %w; run `camlab setup`", c.dir, err)
		}
	}
	if _, err := os.Stat(filepath.Join(c.work, "go.mod")); err == nil {
		return nil
	}
	if err := os.MkdirAll(c.work, 0o700); err != nil {
		return fmt.Errorf("compile: the session's folder: %w", err)
	}
	for _, name := range []string{"go.sum", "go.mod"} {
		file := filepath.Join(c.work, name)
		if err := os.WriteFile(file, c.module[name], 0o644); err != nil {
			_ = os.Remove(file) // half of it
			return fmt.Errorf("compile: the session's folder: %w", err)
		}
	}
	return nil
}

// read reads what Prepare has made.
func (c *Compiler) read() error {
	s, err := readState(c.dir)
	if err != nil {
		return err
	}
	c.module = make(map[string][]byte)
	for _, name := range []string{"go.mod", "go.sum"} {
		if c.module[name], err = os.ReadFile(filepath.Join(c.dir, name)); err != nil {
			return err
		}
	}
	c.packages = s.Packages
	for _, path := range slices.Sorted(maps.Keys(c.packages)) {
		c.name(path)
	}
	c.compiler = s.Compiler
	return nil
}

// Host is the program in which the cells run, in a folder made by Prepare.
func Host(dir string) string { return filepath.Join(dir, hostName) }

// Host is the program in which the cells run.
func (c *Compiler) Host() string { return Host(c.dir) }
