package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// quickFlags halve the time of a link: no debugging tables, which nothing
// reads in a notebook (stack traces do not need them), and Go's own linker
// rather than gcc's for programs with C in them. A program for which that does
// not work is linked without them.
func quickFlags() string {
	if runtime.GOOS == "linux" {
		return "-ldflags=-s -w -linkmode=internal"
	}
	return "-ldflags=-s -w"
}

// quickable tells whether the environment leaves the way of building to us.
func quickable(env []string) bool {
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		switch name {
		case "GOOS", "GOARCH", "GCCGO", "GO_EXTLINK_ENABLED", "GOEXPERIMENT", "CGO_LDFLAGS":
			if value != "" {
				return false
			}
		case "GOFLAGS":
			for _, flag := range strings.Fields(value) {
				known := false
				for _, prefix := range []string{"-mod=", "-buildvcs=", "-trimpath", "-modcacherw"} {
					known = known || strings.HasPrefix(flag, prefix)
				}
				if !known {
					return false
				}
			}
		}
	}
	return true
}

// build is `go build -o output`.
func (c *cell) build(output string) int {
	if c.memory.Plain {
		return c.plain(output)
	}
	if !c.replaced && c.complete() {
		if c.upToDate(output) {
			return 0
		}
		if c.compile() {
			if c.link(output) {
				c.built(output)
				return 0
			}
			c.remember(func(m *memory) { m.Compile, m.Link, m.Packages = nil, nil, nil })
		}
		return c.plain(output) // says what is wrong
	}
	args := []string{"build", quickFlags()}
	records := c.path("records")
	if !c.replaced {
		if self, err := os.Executable(); err == nil && !strings.ContainsAny(self+c.dir, "'\"\\\n") && os.RemoveAll(records) == nil && os.MkdirAll(records, 0o700) == nil {
			args = append(args, fmt.Sprintf("-toolexec='%s' %s '%s'", self, recordArg, records))
		}
	}
	if run(c.dir, io.Discard, c.real, append(args, "-o", output)...) == 0 {
		c.learn(records)
		c.built(output)
		return 0
	}
	code := c.plain(output)
	if code == 0 {
		c.remember(func(m *memory) { m.Plain = true })
	}
	return code
}

// plain runs the real go build, untouched.
func (c *cell) plain(output string) int { return run(c.dir, nil, c.real, "build", "-o", output) }

// built remembers the program that has been written, so that the same main.go
// need not be built again.
func (c *cell) built(output string) {
	info, err := os.Stat(output)
	if err != nil {
		return
	}
	c.remember(func(m *memory) {
		m.Built.Source, m.Built.Output, m.Built.Size, m.Built.ModTime = c.source, output, info.Size(), info.ModTime().UnixNano()
	})
}

func (c *cell) upToDate(output string) bool {
	b := c.memory.Built
	info, err := os.Lstat(output)
	return err == nil && b.Source == c.source && b.Output == output && b.Size == info.Size() && b.ModTime == info.ModTime().UnixNano()
}

// tool is a call of the compiler or linker.
type tool struct {
	Path string
	Args []string
	Dir  string
	Root string // GOROOT, which the go command sets for it
}

func (t *tool) last() string { return t.Args[len(t.Args)-1] }

// with returns the arguments with other values of some flags; a flag whose new
// value is empty is left out.
func (t *tool) with(values map[string]string) (args []string) {
	for i := 0; i < len(t.Args); i++ {
		a := t.Args[i]
		v, ok := values[a]
		if !ok || i+1 == len(t.Args) {
			args = append(args, a)
			continue
		}
		i++
		if v != "" {
			args = append(args, a, v)
		}
	}
	return args
}

// run runs the tool and drops what it says. There is little to collect for its
// garbage collector: it is a short run in some 100 MB.
func (t *tool) run(dir string, args []string) int {
	env := append(os.Environ(), "GOGC=off")
	if t.Root != "" {
		env = append(env, "GOROOT="+t.Root)
	}
	return runEnv(dir, env, io.Discard, t.Path, args...)
}

func readTool(records, name string) *tool {
	var t tool
	text, err := os.ReadFile(filepath.Join(records, name+".json"))
	if err != nil || json.Unmarshal(text, &t) != nil || len(t.Args) == 0 {
		return nil
	}
	return &t
}

// recordArg makes gofront a program for go build's -toolexec: it is followed by
// a folder, a tool and the tool's arguments, and runs the tool after writing
// down what main.go's compiler and the linker are called with.
const recordArg = "-camlab-record"

func record(dir string, call []string) error {
	path, args := call[0], call[1:]
	if found, err := exec.LookPath(path); err == nil {
		path = found // gcc comes without its folder
	}
	name := strings.TrimSuffix(filepath.Base(path), ".exe")
	if name == "link" && value(args, "-importcfg") != "" || name == "compile" && value(args, "-p") == "main" {
		t := tool{Path: path, Args: args, Root: os.Getenv("GOROOT")}
		t.Dir, _ = os.Getwd()
		// What cannot be written is not learned, and the next build is a real one again.
		if text, err := json.Marshal(t); err == nil {
			_ = os.WriteFile(filepath.Join(dir, name+".json"), text, 0o600)
		}
		if text, err := os.ReadFile(value(args, "-importcfg")); err == nil {
			_ = os.WriteFile(filepath.Join(dir, name+".cfg"), text, 0o600)
		}
	}
	return execute(path, args)
}

// value returns the value of a flag, written in two arguments.
func value(args []string, flag string) string {
	for i, a := range args[:max(0, len(args)-1)] {
		if a == flag {
			return args[i+1]
		}
	}
	return ""
}

// learn remembers how go build has called compiler and linker. Packages that
// earlier builds in the same world have used stay known.
func (c *cell) learn(records string) {
	compile, link := readTool(records, "compile"), readTool(records, "link")
	cfg, err := os.ReadFile(filepath.Join(records, "link.cfg"))
	if err != nil || compile == nil || link == nil || !sameFile(filepath.Join(compile.Dir, filepath.Base(compile.last())), filepath.Join(c.dir, "main.go")) {
		return
	}
	object := link.last()
	work := filepath.Dir(filepath.Dir(object)) // go build's folder, which is gone
	main, packages, rest := "", make(map[string]string), []string(nil)
	for line := range strings.Lines(string(cfg)) {
		entry, isPackage := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "packagefile ")
		path, file, ok := strings.Cut(entry, "=")
		switch {
		case !isPackage:
			rest = append(rest, line)
		case !ok:
			return
		case file == object:
			main = path
		case strings.HasPrefix(file, work+string(filepath.Separator)):
			return // just compiled; the next build finds it in the build cache
		default:
			packages[path] = file
		}
	}
	if main == "" {
		return
	}
	c.remember(func(m *memory) {
		maps.Copy(packages, missing(m.Packages, packages))
		var list strings.Builder
		for _, path := range slices.Sorted(maps.Keys(packages)) {
			fmt.Fprintf(&list, "packagefile %s=%s\n", path, packages[path])
		}
		m.Compile, m.Link, m.Packages = nil, nil, nil
		if os.WriteFile(c.path("compile.cfg"), []byte(list.String()), 0o600) != nil {
			return
		}
		fmt.Fprintf(&list, "packagefile %s=%s\n%s", main, c.path("main.a"), strings.Join(rest, ""))
		if os.WriteFile(c.path("link.cfg"), []byte(list.String()), 0o600) != nil {
			return
		}
		m.Compile, m.Link, m.Packages = compile, link, packages
	})
}

// missing returns the entries of old whose keys are not in new.
func missing(old, new map[string]string) map[string]string {
	rest := maps.Clone(old)
	maps.DeleteFunc(rest, func(path, _ string) bool { _, ok := new[path]; return ok })
	return rest
}

// complete tells whether all is known that the compiler and linker need.
func (c *cell) complete() bool {
	m := &c.memory
	if m.Compile == nil || m.Link == nil || !c.known(c.imports, nil) {
		return false
	}
	for _, file := range m.Packages {
		if _, err := os.Stat(file); err != nil { // cleaned out of the build cache
			return false
		}
	}
	return true
}

// compile compiles main.go as go build did, with more packages to import. What
// the compiler says is dropped: go build will say it better.
func (c *cell) compile() bool {
	args := c.memory.Compile.with(map[string]string{"-o": c.path("main.a"), "-importcfg": c.path("compile.cfg"), "-buildid": ""})
	return c.memory.Compile.run(c.dir, args) == 0
}

// link links as go build did. The program gets an identity that go build does
// not know: it must never take the program for one of its own.
func (c *cell) link(output string) bool {
	tmp := c.path("a.out")
	args := c.memory.Link.with(map[string]string{"-o": tmp, "-importcfg": c.path("link.cfg")})
	args[len(args)-1] = c.path("main.a")
	for i, a := range args {
		if strings.HasPrefix(a, "-buildid=") {
			args[i] = "-buildid=camlab"
		}
	}
	return c.memory.Link.run(c.dir, args) == 0 && os.Rename(tmp, output) == nil
}
