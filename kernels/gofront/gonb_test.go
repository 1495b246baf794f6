package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/internal/front"
)

var program string // the program under test, with the race detector

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "gofront-test-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, front.Dir, "go")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-race", "-o", program, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// gonb is a folder like GoNB's and a PATH like a kernel's. The go command that
// gofront finds is the real one behind a script that writes down its arguments.
type gonb struct {
	*testing.T
	dir, log string
	env      []string
}

func newGonb(t *testing.T) *gonb {
	t.Helper()
	real, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	return newGonbWith(t, fmt.Sprintf("exec %q \"$@\"\n", real))
}

// newGonbWith has a script in place of the real go command.
func newGonbWith(t *testing.T, script string) *gonb {
	t.Helper()
	g := &gonb{T: t, dir: t.TempDir(), log: filepath.Join(t.TempDir(), "log")}
	bin := t.TempDir()
	text := "#!/bin/sh\nprintf '%s|' \"$@\" >>" + g.log + "\necho >>" + g.log + "\n" + script
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	path := strings.Join([]string{filepath.Dir(program), bin, os.Getenv("PATH")}, ":")
	g.env = append(os.Environ(), "PATH="+path, "GOFLAGS=-mod=mod", "GOWORK=", "GORACE=atexit_sleep_ms=0", tmpDirEnv+"="+g.dir)
	return g
}

func (g *gonb) command(args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = g.dir, g.env
	return cmd
}

// run runs gofront and returns what it wrote and what it called the real go
// command with, apart from gofront's own additions.
func (g *gonb) run(args ...string) (output, calls string, code int) {
	g.Helper()
	os.Remove(g.log)
	cmd := g.command(args...)
	out, err := cmd.CombinedOutput()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		g.Fatal(err)
	}
	log, _ := os.ReadFile(g.log) // there is none when there were no calls
	for line := range strings.Lines(string(log)) {
		var call []string
		for _, a := range strings.Split(strings.TrimSuffix(line, "|\n"), "|") {
			switch {
			case strings.HasPrefix(a, "-ldflags="):
				a = "quick"
			case strings.HasPrefix(a, "-toolexec="):
				a = "learn"
			}
			call = append(call, strings.ReplaceAll(a, g.dir+"/", ""))
		}
		calls += strings.Join(call, " ") + "\n"
	}
	return string(out), calls, cmd.ProcessState.ExitCode()
}

// want runs gofront and wants it to succeed with these calls.
func (g *gonb) want(calls string, args ...string) {
	g.Helper()
	out, got, code := g.run(args...)
	if code != 0 || got != calls {
		g.Fatalf("go %s: status %d, calls\n%swant status 0, calls\n%s%s", strings.Join(args, " "), code, got, calls, out)
	}
}

// The calls to the real go command that a build can make.
const (
	none    = ""
	get     = "get\n"
	learn   = "build quick learn -o cell\n"
	noLearn = "build quick -o cell\n"
	plain   = "build -o cell\n"
)

func (g *gonb) build(calls string) {
	g.Helper()
	g.want(calls, "build", "-o", filepath.Join(g.dir, "cell"))
}

// prints runs the program that was built.
func (g *gonb) prints(want string) {
	g.Helper()
	out, err := exec.Command(filepath.Join(g.dir, "cell")).CombinedOutput()
	if err != nil || string(out) != want {
		g.Fatalf("the program printed %q, %v, want %q", out, err, want)
	}
}

func (g *gonb) write(name, text string) {
	g.Helper()
	if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o644); err != nil {
		g.Fatal(err)
	}
}

// source writes a main.go with some imports and statements. The name of the
// folder makes it new to the build cache.
func (g *gonb) source(imports, body string) {
	g.Helper()
	list := ""
	for _, p := range strings.Fields(imports) {
		list += fmt.Sprintf("import %q\n", p)
	}
	g.write("main.go", "package main\n\n"+list+"\nfunc main() {\n"+body+"\n}\n// "+g.dir+"\n")
}

// warm is a folder in which all is known for a program that imports fmt.
func warm(t *testing.T) *gonb {
	t.Helper()
	g := newGonb(t)
	g.want("mod init gonb_test\n", "mod", "init", "gonb_test")
	g.source("fmt", `fmt.Println("one")`)
	g.want(get, "get")
	g.build(learn)
	g.prints("one\n")
	return g
}
