package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
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

func TestNothingNewNeedsNoGoCommand(t *testing.T) {
	g := warm(t)
	g.source("fmt", `fmt.Println("two")`)
	g.want(none, "get")
	g.build(none)
	g.prints("two\n")

	program := filepath.Join(g.dir, "cell")
	before, _ := os.Stat(program)
	g.build(none)
	if after, _ := os.Stat(program); !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Error("the same main.go was built again")
	}
	g.write("cell", "something else")
	g.build(none)
	g.prints("two\n")

	g.source("fmt strconv unsafe", `fmt.Println(strconv.Itoa(3), unsafe.Sizeof(int64(0)))`) // fmt uses strconv itself
	g.want(none, "get")
	g.build(none)
	g.prints("3 8\n")
}

func TestNewImportsAreLearned(t *testing.T) {
	g := warm(t)
	g.source("fmt encoding/hex", `fmt.Println(hex.EncodeToString([]byte{7}))`)
	g.want(get, "get")
	g.build(learn)
	g.prints("07\n")
	g.source("fmt", `fmt.Println("fewer")`)
	g.want(none, "get")
	g.build(none)
	g.prints("fewer\n")
	g.source("fmt text/tabwriter", `fmt.Println(tabwriter.Escape)`)
	g.want(get, "get")
	g.build(learn)
	g.source("fmt text/tabwriter encoding/hex", `fmt.Println(tabwriter.Escape, hex.ErrLength)`)
	g.want(none, "get")
	g.build(none)
	g.prints("255 encoding/hex: odd length hex string\n")
}

func TestAnotherWorldIsLearnedAnew(t *testing.T) {
	g := warm(t)
	for _, row := range []struct {
		what   string
		change func(g *gonb)
	}{
		{"go.mod", func(g *gonb) { g.write("go.mod", "module gonb_test\n\ngo 1.24\n") }},
		{"go.sum", func(g *gonb) {
			g.write("go.sum", "example.com/a v1.0.0/go.mod h1:b5ufEkwEZTk9Xqnpl1CmfG4rB4LGmaPZrvzZJCGhHNg=\n")
		}},
		{"the environment", func(g *gonb) { g.env = append(g.env, "GOAMD64=v2") }},
		{"a file that cannot be read", func(g *gonb) { g.write(memoryDir+"/memory.json", "{") }},
	} {
		t.Run(row.what, func(t *testing.T) {
			g.T = t
			row.change(g)
			g.source("fmt", fmt.Sprintf("fmt.Println(%q)", row.what))
			g.want(get, "get")
			g.build(learn)
			g.prints(row.what + "\n")
			g.want(none, "get")
		})
	}
	t.Run("the build cache", func(t *testing.T) {
		g.T = t
		file := filepath.Join(g.dir, memoryDir, "memory.json")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		i := bytes.Index(text, []byte(`"fmt":"`)) + len(`"fmt":"`)
		g.write(memoryDir+"/memory.json", string(text[:i])+"/gone"+string(text[i:]))
		g.source("fmt", `fmt.Println("two")`)
		g.build(learn)
		g.prints("two\n")
	})
}

// TestRealGoIsNotMisled has the real go command build a program again after
// gofront has put another one in its place.
func TestRealGoIsNotMisled(t *testing.T) {
	g := warm(t)
	g.source("fmt", `fmt.Println("two")`)
	g.build(none)
	g.source("fmt", `fmt.Println("one")`)
	for _, flags := range [][]string{{quickFlags()}, nil} {
		args := append(append([]string{"build"}, flags...), "-o", filepath.Join(g.dir, "cell"))
		cmd := exec.Command("go", args...)
		cmd.Dir, cmd.Env = g.dir, g.env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		g.prints("one\n")
	}
}

func TestErrorsAreTheRealGosOwn(t *testing.T) {
	g := warm(t)
	for _, row := range []struct{ when, imports, body string }{
		{"the compiler alone would do", "fmt", `fmt.Println(undefined)`},
		{"an import is new", "fmt text/tabwriter", `fmt.Println(tabwriter.Undefined)`},
		{"an import is not used", "fmt os", `fmt.Println()`},
		{"the syntax is wrong", "fmt", `fmt.Println(`},
		{"an import may not be used", "internal/abi fmt", `fmt.Println(abi.FuncPCABI0)`},
	} {
		t.Run(row.when, func(t *testing.T) {
			g.T = t
			g.source(row.imports, row.body)
			args := []string{"build", "-o", filepath.Join(g.dir, "cell")}
			cmd := exec.Command("go", args...)
			cmd.Dir, cmd.Env = g.dir, g.env
			want, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatal("go build succeeded")
			}
			out, calls, code := g.run(args...)
			if out != string(want) || code != cmd.ProcessState.ExitCode() || !strings.HasSuffix(calls, plain) {
				t.Errorf("status %d, calls\n%soutput\n%s\nwant status %d, the last call %soutput\n%s", code, calls, out, cmd.ProcessState.ExitCode(), plain, want)
			}
			g.source("fmt", fmt.Sprintf("fmt.Println(%q)", row.when))
			g.build(none)
			g.prints(row.when + "\n")
		})
	}
}

// TestOnlyPlainProgramsAreHurried has the real go command called, untouched,
// where a program may be more than one file of Go.
func TestOnlyPlainProgramsAreHurried(t *testing.T) {
	g := warm(t)
	for _, row := range []struct {
		what   string
		prints bool
		change func(g *gonb)
	}{
		{"a second file", true, func(g *gonb) { g.write("more.go", "package main\n") }},
		{"a directive", true, func(g *gonb) {
			g.write("main.go", "package main\n\nimport \"fmt\"\n\n//go:noinline\nfunc main() { fmt.Println(2) }\n")
		}},
		{"a build constraint", true, func(g *gonb) {
			g.write("main.go", "// +build linux\n\npackage main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(2) }\n")
		}},
		{"cgo", true, func(g *gonb) {
			g.write("main.go", "package main\n\n// int two() { return 2; }\nimport \"C\"\nimport \"fmt\"\n\nfunc main() { fmt.Println(C.two()) }\n")
		}},
		{"a profile", false, func(g *gonb) { g.write("default.pgo", "") }},
		{"a workspace", false, func(g *gonb) { g.write("go.work", "go 1.24\nuse .\n") }},
		{"another folder than GoNB's", true, func(g *gonb) { g.env = append(g.env, tmpDirEnv+"="+os.TempDir()) }},
		{"no GoNB", true, func(g *gonb) { g.env = append(g.env, tmpDirEnv+"=") }},
	} {
		t.Run(row.what, func(t *testing.T) {
			g.T = t
			env := g.env
			g.source("fmt", "fmt.Println(2)")
			row.change(g)
			if out, calls, _ := g.run("get"); calls != get {
				t.Errorf("calls %s, want %s%s", calls, get, out)
			}
			if out, calls, _ := g.run("build", "-o", filepath.Join(g.dir, "cell")); calls != plain {
				t.Errorf("calls %s, want %s%s", calls, plain, out)
			}
			if row.prints {
				g.prints("2\n")
			}
			g.env = env
			for _, name := range []string{"more.go", "default.pgo", "go.work", "cell"} {
				os.Remove(filepath.Join(g.dir, name))
			}
		})
	}
	t.Run("a workspace that does not hold", func(t *testing.T) { // as in the kernels
		g.T = t
		g.write("go.work", "go 1.24\nuse .\n")
		env := g.env
		g.env = append(g.env, "GOWORK=off")
		for i := range 3 {
			g.source("fmt", fmt.Sprintf("fmt.Println(%d)", i))
			if _, calls, _ := g.run("build", "-o", filepath.Join(g.dir, "cell")); i == 2 && calls != none {
				t.Errorf("calls %s, want none", calls)
			}
		}
		os.Remove(filepath.Join(g.dir, "go.work"))
		g.env = env
	})
	t.Run("flags of the user's", func(t *testing.T) {
		g.T = t
		g.env = append(g.env, "GOFLAGS=-mod=mod -ldflags=-w")
		g.source("fmt", "fmt.Println(2)")
		g.build(plain)
		g.want("build -v -o cell\n", "build", "-v", "-o", filepath.Join(g.dir, "cell"))
	})
}

func TestCallsPassThrough(t *testing.T) {
	g := newGonbWith(t, `for a; do printf '<%s>' "$a"; done; cat; exit 7`)
	for _, args := range [][]string{
		{"env", "GOROOT"}, {"get", "-t"}, {"get", "example.com/a@latest"}, {"build"}, {"run", "a b", "", "c\nd", `"q"`},
		{"mod", "init", "x"}, {"build", "-o", "/elsewhere/cell"}, {"get"}, nil,
	} {
		cmd := g.command(args...)
		cmd.Stdin = strings.NewReader("input")
		out, _ := cmd.CombinedOutput() // the status is compared
		want := ""
		for _, a := range args {
			want += "<" + a + ">"
		}
		if string(out) != want+"input" || cmd.ProcessState.ExitCode() != 7 {
			t.Errorf("go %q: status %d, output %q, want 7, %q", args, cmd.ProcessState.ExitCode(), out, want+"input")
		}
	}
	g.env = append(g.env, "PATH="+filepath.Dir(program))
	if out, _, code := g.run("version"); code != 127 || !strings.Contains(out, "no go command in PATH") {
		t.Errorf("without a go command: status %d, %q", code, out)
	}
}

func TestSignalsReachTheGoCommand(t *testing.T) {
	for _, row := range []struct {
		what string
		args []string
	}{
		{"get", []string{"get"}},
		{"build", []string{"build", "-o", "cell"}},
		{"any other", []string{"mod", "tidy"}},
	} {
		t.Run(row.what, func(t *testing.T) {
			g := newGonbWith(t, "trap 'echo stopped; trap - INT; kill -INT $$' INT\necho >ready\nwhile :; do sleep 0.05; done\n")
			ready := filepath.Join(g.dir, "ready")
			if err := syscall.Mkfifo(ready, 0o600); err != nil {
				t.Fatal(err)
			}
			g.write("go.mod", "module gonb_test\n\ngo 1.24\n")
			g.source("", "")
			args := row.args
			if args[0] == "build" {
				args = []string{"build", "-o", filepath.Join(g.dir, "cell")}
			}
			cmd := g.command(args...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.ReadFile(ready); err != nil { // comes when the go command is called
				t.Fatal(err)
			}
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // the state is looked at
			status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if !status.Signaled() || status.Signal() != syscall.SIGINT {
				t.Errorf("ended with %v, want interrupt", cmd.ProcessState)
			}
			if log, _ := os.ReadFile(g.log); bytes.Count(log, []byte("\n")) != 1 {
				t.Errorf("calls after the interrupt:\n%s", log)
			}
		})
	}
}

// TestDevelopersSeeTheirEdits runs the calls of a kernel in developer mode.
func TestDevelopersSeeTheirEdits(t *testing.T) {
	checkout := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(checkout, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module "+modulePath+"\n\ngo 1.24\n")
	write("camlib/camlib.go", "package camlib\n\nconst Name = \"old\"\n")
	g := newGonb(t)
	g.env = append(g.env, devEnv+"="+checkout, "GOPROXY=off")
	g.want("mod init gonb_test\nmod edit -replace="+modulePath+"="+checkout+"\n", "mod", "init", "gonb_test")
	g.source("fmt "+modulePath+"/camlib", "fmt.Println(camlib.Name)")
	for _, name := range []string{"old", "new"} {
		write("camlib/camlib.go", "package camlib\n\nconst Name = \""+name+"\"\n")
		g.want(get, "get")
		g.build(noLearn)
		g.prints(name + "\n")
	}
	if out, calls, code := g.run("mod", "init", "again"); code == 0 || calls != "mod init again\n" {
		t.Errorf("a mod init that fails: status %d, calls\n%s%s", code, calls, out)
	}
}

// TestProgramsThatNeedGcc links a C library, which Go's own linker cannot do.
func TestProgramsThatNeedGcc(t *testing.T) {
	lib := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module example.com/lib\n\ngo 1.24\n",
		"lib.go":    "package lib\n\n// #cgo LDFLAGS: ${SRCDIR}/libtwo.a\n// int two();\nimport \"C\"\n\nfunc Two() int { return int(C.two()) }\n",
		"two/two.c": "int two() { return 2; }\n",
	} {
		path := filepath.Join(lib, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"gcc", "-c", "-o", "two.o", "two/two.c"}, {"ar", "rc", "libtwo.a", "two.o"}} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = lib
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	g := newGonb(t)
	g.write("go.mod", "module gonb_test\n\ngo 1.24\n\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => "+lib+"\n")
	g.env = append(g.env, "CGO_LDFLAGS_ALLOW=.*")
	g.source("fmt example.com/lib", "fmt.Println(lib.Two())")
	g.build(noLearn + plain)
	g.prints("2\n")
	g.source("fmt example.com/lib", "fmt.Println(1+lib.Two())")
	g.build(plain)
	g.prints("3\n")
}
