package main

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/camlab-go/camlab/kernels/jupyter"
	"github.com/camlab-go/camlab/kernels/jupyter/jupytertest"
)

// begin starts a kernel in an empty folder.
func begin(t *testing.T) (*kernel, *jupytertest.Client) {
	t.Helper()
	t.Setenv(hostVariable, "1")
	old := open
	t.Cleanup(func() { open = old })
	useText()
	k := connectable(t, "")
	k.session.Live = ""
	return k, connect(t, k)
}

// connectable makes a kernel in an empty folder.
func connectable(t *testing.T, cells string) *kernel {
	t.Helper()
	t.Chdir(t.TempDir())
	k, err := newKernel(cells)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func connect(t *testing.T, k *kernel) *jupytertest.Client {
	t.Helper()
	k.setID("an-id")
	connection := jupytertest.Connection(t)
	s, err := jupyter.Listen(connection, k)
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve()
	t.Cleanup(func() {
		k.close()
		s.Close()
		if files, err := os.ReadDir(k.temp); err == nil {
			t.Errorf("the kernel left %v", files)
		}
	})
	return jupytertest.Connect(t, connection)
}

func TestOutput(t *testing.T) {
	_, c := begin(t)
	for _, r := range []struct{ code, stdout, stderr string }{
		{`_ = "@print hello"`, "hello", ""},
		{"_ = \"@print a\"\n_ = \"@eprint b\"", "a", "b\n"},
		{`_ = "@slow end"`, "end", ""},
		{`_ = "@bytes 3"`, "\uFFFDééé", ""},
		{`_ = "@eprint panic: only said"`, "", "panic: only said\n"},
		{`_ = "@args"`, `[]`, ""},
		{"%% --n=3 'a b'\n_ = \"@args\"", `["--n=3" "a b"]`, ""},
		{"%args x\n", "", ""},
		{`_ = "@args"`, `["x"]`, ""},
		{"!echo $((6*7)); pwd >&2", "42\n", must(os.Getwd()) + "\n"},
		{"!echo a \\\n  b", "a b\n", ""},
		{"//gonb:%%\n!false || true\n_ = \"@print go\"\n!echo after", "goafter\n", ""},
		{"%env CAMLAB_X a b\n_ = \"@env CAMLAB_X\"\n!echo $CAMLAB_X", "a ba b\n", ""},
		{"%env CAMLAB_X=c\n%env CAMLAB_X", "c\n", ""},
		{"%%bash\necho $((1+1))\ncat /dev/null", "2\n", ""},
		{"%%script cat\n%no command", "%no command\n", ""},
		{"%%writefile f.txt\none", "f.txt written\n", ""},
		{"%%writefile -a f.txt\ntwo\n", "f.txt appended to\n", ""},
		{"!cat f.txt", "one\ntwo\n", ""},
		{"!mkdir sub\n%cd sub\n_ = \"@pwd\"\n!basename $PWD $GONB_DIR", filepath.Join(must(os.Getwd()), "sub") + "<nil>sub\n", ""},
		{"%cd ..", "", ""},
		{"%goflags -race", "", "%goflags has no effect here: cells are not built by `go build`\n"},
		{"_ = \"@told\"", "1", ""},
	} {
		got := c.Run(r.code)
		if got.Stdout != r.stdout || got.Stderr != r.stderr || got.Error != "" {
			t.Errorf("%s\nstdout %q\nstderr %q\nerror %s\nwant %q, %q", r.code, got.Stdout, got.Stderr, got.Error, r.stdout, r.stderr)
		}
	}
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}

func TestErrors(t *testing.T) {
	_, c := begin(t)
	for _, r := range []struct{ code, want string }{
		{"x := undefinedName", "undefinedName"},
		{"!exit 3", "command: exit status 3"},
		{"!kill -9 $$", "command: signal: killed"},
		{"%whoss", "do you mean %whos"},
		{"%wasm", "cells cannot run in the browser"},
		{"_ = 1\n%%bash\nls", "%%bash must be the first line"},
		{"%cd nowhere", "no such file or directory"},
		{"%rm nothing", "no cell has declared nothing"},
		{"%%script", "no program"},
		{"%%script no-such-program", "no-such-program"},
		{"?nothing", "no help for this name"},
		{"%%writefile", "want %%writefile [-a] FILE"},
		{"%%writefile /dev/full\nx", "disk full: "},
	} {
		got := c.Run(r.code)
		if !strings.Contains(got.Error, r.want) || got.Reply["status"] != "error" || got.Stderr != "" {
			t.Errorf("%s: error %q, stderr %q, want %q", r.code, got.Error, got.Stderr, r.want)
		}
	}
	got := c.Run("x := 1\n_ = \"@fail\"")
	for _, want := range []string{"panic: index out of range\n", "cell[", ", line 2, in f", "→\x1b[0m 2  _ = \"@fail\"", "line 1\x1b[0m:", "sort.Slice  /go/sort.go:7"} {
		if !strings.Contains(got.Error, want) {
			t.Errorf("the panic lacks %q:\n%s", want, got.Error)
		}
	}
	if got := c.Run("x++"); got.Error != "" { // it was declared before the cell failed
		t.Errorf("after the panic: %s", got.Error)
	}
}

func TestDisplay(t *testing.T) {
	_, c := begin(t)
	got := c.Run("_ = \"@print before\"\n_ = \"@html <b>\"\n_ = \"@sync\"\n_ = \"@print behind\"\n_ = \"@update 1\"\n_ = \"@update 2\"\n_ = \"@result 42\"")
	want := []string{"status", "execute_input", "stream", "display_data", "stream", "display_data", "update_display_data", "execute_result", "status"}
	if !slices.Equal(got.Types, want) {
		t.Errorf("messages %v, want %v", got.Types, want)
	}
	if want := []string{"display_data text/html: <b>", "display_data text/html: 1", "update_display_data text/html: 2", "execute_result text/plain: 42"}; !slices.Equal(got.Shown, want) {
		t.Errorf("shown %q, want %q", got.Shown, want)
	}
	if got := c.Run("_ = \"@many 300\""); len(got.Shown) != 300 {
		t.Errorf("%d displays before the end of the cell, want 300", len(got.Shown))
	}
	got = c.Run("%help")
	if len(got.Shown) != 2 || !strings.Contains(strings.Join(got.Shown, ""), "%%writefile") {
		t.Errorf("%%help: %q", got.Shown)
	}
	c.Run("y := 1")
	got = c.Run("%whos y")
	if text := strings.Join(got.Shown, "\n"); !strings.Contains(text, "<code>1 &lt; 2</code>") || !strings.Contains(text, "text/plain: y  int  1 < 2") {
		t.Errorf("%%whos: %q %s", text, got.Error)
	}
}

func TestFlood(t *testing.T) {
	_, c := begin(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := c.Run("_ = \"@flood 100000000\"")
	runtime.ReadMemStats(&after)
	if len(got.Stdout) > streamLimit+100 || !strings.HasSuffix(got.Stdout, "\n97.9 MB more are not shown\n") {
		t.Errorf("%d bytes shown, the end %q", len(got.Stdout), got.Stdout[max(0, len(got.Stdout)-60):])
	}
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 100<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if got := c.Run("_ = \"@print again\""); got.Stdout != "again" {
		t.Errorf("the next cell: %+v", got)
	}
}

// What a goroutine prints after its cell belongs to that cell.
func TestLate(t *testing.T) {
	_, c := begin(t)
	id := c.Begin("_ = \"@later good night\"")
	c.End(id)
	c.Until(func(m *jupyter.Message) bool {
		return m.Header.Type == "stream" && jupytertest.Of(m, id) && strings.Contains(string(m.Content), "good night")
	})
}

// noHost is a compiler whose program is not there.
type noHost struct{ textCompiler }

func (noHost) Host() string { return "/nonexistent/host" }

func TestNoHost(t *testing.T) {
	temp := t.TempDir()
	p, err := start(noHost{}, temp, temp, nil, func() *output { return nil }, nil)
	if p != nil || err == nil || !strings.Contains(err.Error(), "starting host: ") {
		t.Errorf("started %v, %v", p, err)
	}
	if left, err := filepath.Glob(filepath.Join(temp, "*")); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestDeath(t *testing.T) {
	_, c := begin(t)
	for _, r := range []struct {
		code string
		want []string
	}{
		{"_ = \"@print last\"\n_ = \"@exit 3\"", []string{"exit status 3", "Lost with it: v."}},
		{"_ = \"@crash\"", []string{"exit status 2", "a goroutine fails", "Types, constants and functions"}},
		{"_ = \"@kill\"", []string{"signal killed", "memory"}},
	} {
		if got := c.Run("v := 1\ntype T struct{ x int }\nfunc f() int { return 1 }"); got.Error != "" {
			t.Fatal(got.Error)
		}
		got := c.Run(r.code)
		for _, want := range r.want {
			if !strings.Contains(got.Error, want) {
				t.Errorf("%s: no %q in\n%s", r.code, want, got.Error)
			}
		}
		if got.Stderr != "" {
			t.Errorf("%s: on standard error too: %s", r.code, got.Stderr)
		}
		if got := c.Run("_ = f() + T{}.x\n_ = \"@print lives\"\n_ = \"@told\""); got.Stdout != "lives1" || got.Error != "" {
			t.Errorf("after %s: %+v", r.code, got)
		}
		if got := c.Run("_ = v"); !strings.Contains(got.Error, "v was lost") {
			t.Errorf("v is still known: %+v", got)
		}
	}
}

// A process that ends while no cell runs is told of once, in the next cell.
func TestDeathBetweenCells(t *testing.T) {
	k, c := begin(t)
	c.Run("w := 1\n_ = \"@later_exit\"")
	old := k.running()
	<-old.dead
	for end := time.Now().Add(jupytertest.Patience); k.running() == nil || k.running() == old; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no other process is started")
		}
	}
	got := c.Run("_ = \"@print here\"")
	if got.Stdout != "here" || !strings.Contains(got.Stderr, "exit status 3") || !strings.Contains(got.Stderr, "Lost with it: w.") {
		t.Errorf("%+v", got)
	}
	if got := c.Run("_ = \"@print here\""); got.Stderr != "" {
		t.Errorf("told again: %s", got.Stderr)
	}
}

func TestInterrupt(t *testing.T) {
	k, c := begin(t)
	for _, r := range []struct{ code, seen, want string }{
		{"_ = \"@wait\"", "waiting", "interrupted: "},
		{"_ = \"@wait left\"", "waiting", "%reset ends what goes on"},
		{"_ = \"@stop\"", "stopping", "interrupted: "},
		{"!echo wait; sleep 1000; echo no", "wait", "the command was interrupted"},
	} {
		id := c.Begin(r.code)
		c.Until(func(m *jupyter.Message) bool {
			return m.Header.Type == "stream" && strings.Contains(string(m.Content), r.seen)
		})
		k.Interrupt()
		if got := c.End(id); !strings.Contains(got.Error, r.want) {
			t.Errorf("%s: %+v", r.code, got)
		}
		if got := c.Run("_ = \"@print lives\""); got.Stdout != "lives" {
			t.Errorf("after %s: %+v", r.code, got)
		}
	}
	k.Interrupt() // while nothing runs
	if got := c.Run("_ = \"@print lives\""); got.Stdout != "lives" {
		t.Errorf("after an interrupt of nothing: %+v", got)
	}
}

func TestInputs(t *testing.T) {
	_, c := begin(t)
	id := c.Begin("_ = \"@input\"")
	if kind, got := c.Reply(c.Stdin, id); kind != "input_request" || got["prompt"] != "Name? " {
		t.Fatalf("%s %v", kind, got)
	}
	c.Send(c.Stdin, "input_reply", map[string]any{"value": "Ada"})
	if got := c.End(id); got.Stdout != `"Ada\n"` {
		t.Errorf("%+v", got)
	}
	id = c.Begin("%with_password\n!read x; echo got $x")
	if _, got := c.Reply(c.Stdin, id); got["password"] != true {
		t.Errorf("%v", got)
	}
	c.Send(c.Stdin, "input_reply", map[string]any{"value": "secret"})
	if got := c.End(id); got.Stdout != "got secret\n" {
		t.Errorf("%+v", got)
	}
	_, reply := c.Ask("execute_request", map[string]any{"code": "%with_inputs\n!read x", "allow_stdin": false})
	if reply["status"] != "error" {
		t.Errorf("without a reader: %v", reply)
	}
}

func TestHistoryAndExpressions(t *testing.T) {
	_, c := begin(t)
	for _, code := range []string{"a1 := 1", "%version", "a1++"} {
		if got := c.Run(code); got.Error != "" {
			t.Fatal(got.Error)
		}
	}
	for _, r := range []struct {
		ask  map[string]any
		want int
	}{
		{map[string]any{"hist_access_type": "tail", "n": 2}, 2},
		{map[string]any{"hist_access_type": "range", "session": 0, "start": 1, "stop": 2}, 1},
		{map[string]any{"hist_access_type": "search", "pattern": "a1*", "n": 10}, 2},
	} {
		if _, got := c.Ask("history_request", r.ask); len(got["history"].([]any)) != r.want {
			t.Errorf("%v: %v", r.ask, got)
		}
	}
	_, got := c.Ask("execute_request", map[string]any{"code": "", "user_expressions": map[string]string{"k": "a1", "l": "no"}})
	answers := got["user_expressions"].(map[string]any)
	if answers["k"].(map[string]any)["status"] != "ok" || answers["l"].(map[string]any)["status"] != "error" {
		t.Errorf("%v", answers)
	}
	if got := c.Run("%history 2"); !strings.Contains(got.Stdout, "a1++") || strings.Contains(got.Stdout, "a1 := 1") {
		t.Errorf("%q", got.Stdout)
	}
	if _, got := c.Ask("complete_request", map[string]any{"code": "x := 1\n%wh", "cursor_pos": 10}); len(got["matches"].([]any)) != 2 {
		t.Errorf("%v", got)
	}
}

// A cell that was read for values of a process that ends before it runs does not run
// without them.
func TestTheProcessEndsWhileACellIsCompiled(t *testing.T) {
	k, c := begin(t)
	c.Run("x := 1")
	var once sync.Once
	compiling = func() {
		once.Do(func() {
			p := k.running()
			p.signal(syscall.SIGKILL)
			<-p.dead
		})
	}
	t.Cleanup(func() { compiling = func() {} })
	if got := c.Run("_ = x"); !strings.Contains(got.Error, "x was lost when the process that held it ended") {
		t.Errorf("a cell of a value that is lost: %+v", got)
	}
	if got := c.Run("_ = \"@print lives\""); got.Stdout != "lives" {
		t.Errorf("after it: %+v", got)
	}
}
