package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

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
