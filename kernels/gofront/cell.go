package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// tmpDirEnv is set by GoNB to the folder in which it compiles cells.
const tmpDirEnv = "GONB_TMP_DIR"

// memoryDir is the folder, in GoNB's, of what is remembered. The go command
// does not look into folders that begin with a dot.
const memoryDir = ".camlab-go"

// cell is GoNB's folder with the program of one cell.
type cell struct {
	dir, real string
	source    [sha256.Size]byte // of main.go
	imports   []string
	replaced  bool // go.mod replaces a module, perhaps by a folder, which may change unseen
	memory    memory
}

// memory is what the last calls found out. It holds as long as the world does.
type memory struct {
	World   string   // see world
	Got     []string // import paths that go get has found
	Plain   bool     // the program needs go build without quick flags
	Compile *tool    // how go build called the compiler for main.go
	Link    *tool    // and the linker
	// Packages is the compiled file of every package that a build has used, by
	// import path; nil as long as Compile and Link are.
	Packages map[string]string
	// Built is the program that lies there now.
	Built struct {
		Source        [sha256.Size]byte
		Output        string
		Size, ModTime int64
	}
}

// openCell reads the folder. ok is false when it is not GoNB's, or holds a
// program with more in it than one plain file of Go.
func openCell(dir, real string, env []string) (c *cell, ok bool) {
	tmp := os.Getenv(tmpDirEnv)
	if tmp == "" || !sameFile(dir, tmp) {
		return nil, false
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, false
	}
	for _, e := range entries {
		if e.Name() != "main.go" && partOfPackage(e.Name()) {
			return nil, false
		}
	}
	for up := dir; os.Getenv("GOWORK") != "off"; up = filepath.Dir(up) {
		if _, err := os.Lstat(filepath.Join(up, "go.work")); !errors.Is(err, fs.ErrNotExist) {
			return nil, false
		}
		if up == filepath.Dir(up) {
			break
		}
	}
	source, err := os.ReadFile(filepath.Join(dir, "main.go"))
	if err != nil {
		return nil, false
	}
	c = &cell{dir: dir, real: real, source: sha256.Sum256(source)}
	if c.imports, ok = plainImports(source); !ok {
		return nil, false
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return nil, false
	}
	c.replaced = bytes.Contains(mod, []byte("=>"))
	if text, err := os.ReadFile(c.path("memory.json")); err == nil {
		if json.Unmarshal(text, &c.memory) != nil {
			c.memory = memory{}
		}
	}
	if w, err := c.world(env); err != nil || w != c.memory.World {
		c.memory = memory{}
	}
	return c, true
}

func (c *cell) path(name string) string { return filepath.Join(c.dir, memoryDir, name) }

// partOfPackage tells whether go build may read a file of that name in the
// folder of a package.
func partOfPackage(name string) bool {
	switch filepath.Ext(name) {
	case ".go", ".c", ".cc", ".cpp", ".cxx", ".m", ".h", ".hh", ".hpp", ".hxx", ".f", ".F", ".for", ".f90",
		".s", ".S", ".sx", ".swig", ".swigcxx", ".syso":
		return true
	}
	return name == "vendor" || name == "default.pgo"
}

// plainImports returns what a main.go imports. ok is false when the file has
// anything that go build treats specially: directives, cgo, embedded files,
// packages that it may not import.
func plainImports(source []byte) (imports []string, ok bool) {
	if bytes.Contains(source, []byte("//go:")) || bytes.Contains(source, []byte("+build")) {
		return nil, false
	}
	f, err := parser.ParseFile(token.NewFileSet(), "main.go", source, parser.ImportsOnly)
	if err != nil || f.Name.Name != "main" {
		return nil, false
	}
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil || path == "C" || path == "embed" || strings.HasPrefix(path, ".") {
			return nil, false
		}
		for _, part := range strings.Split(path, "/") {
			if part == "internal" || part == "vendor" {
				return nil, false
			}
		}
		imports = append(imports, path)
	}
	return imports, true
}

// world is a hash of all that decides, beside main.go, what a go command does:
// go.mod, go.sum, the environment, the go command itself.
func (c *cell) world(env []string) (string, error) {
	h := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(c.dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(text), text)
	}
	for _, v := range slices.Sorted(slices.Values(env)) {
		fmt.Fprintf(h, "%q\n", v)
	}
	info, err := os.Stat(c.real)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(h, "%q %d %d\n", c.real, info.Size(), info.ModTime().UnixNano())
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// get is `go get`: it does nothing when all imports are known to be there.
func (c *cell) get() int {
	if !c.replaced && c.memory.World != "" && c.known(c.imports, c.memory.Got) {
		return 0
	}
	code := run(c.dir, nil, c.real, "get")
	if code == 0 {
		c.remember(func(m *memory) { m.Got = union(m.Got, c.imports) })
	}
	return code
}

// known tells whether every path is in the list or among the compiled packages.
func (c *cell) known(paths, list []string) bool {
	for _, p := range paths {
		if _, ok := c.memory.Packages[p]; !ok && p != "unsafe" && !slices.Contains(list, p) {
			return false
		}
	}
	return true
}

// remember adds to the memory, or begins a new one if the call before it has
// changed the world. What cannot be written is not remembered.
func (c *cell) remember(add func(m *memory)) {
	w, err := c.world(os.Environ())
	if err != nil {
		return
	}
	if w != c.memory.World {
		c.memory = memory{World: w}
	}
	add(&c.memory)
	text, err := json.Marshal(c.memory)
	if err != nil || os.MkdirAll(c.path(""), 0o700) != nil {
		return
	}
	tmp := c.path("memory.tmp")
	if os.WriteFile(tmp, text, 0o600) != nil || os.Rename(tmp, c.path("memory.json")) != nil {
		_ = os.Remove(c.path("memory.json")) // an old memory holds no longer
	}
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
