package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/camlab-go/camlab/kernels/compile"
	"github.com/camlab-go/camlab/kernels/jupyter"
	"github.com/camlab-go/camlab/kernels/jupyter/jupytertest"
)

var preparedDir string

// prepared is what `camlab setup` makes, of this checkout, made once.
var prepared = sync.OnceValues(func() (string, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "camlab-cells-")
	if err != nil {
		return "", err
	}
	preparedDir = dir
	_, err = compile.Prepare(context.Background(), dir, compile.Source{Checkout: root}, os.Environ())
	return dir, err
})

// real starts a kernel whose cells are compiled and loaded.
func real(t *testing.T) (*kernel, *jupytertest.Client) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program in which cells run")
	}
	dir, err := prepared()
	if errors.Is(err, compile.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	k := connectable(t, dir)
	return k, connect(t, k)
}

func TestGoCells(t *testing.T) {
	k, c := real(t)
	for _, r := range []struct{ code, stdout, shown, failure string }{
		{"x := 40", "", "", ""},
		{"fmt.Print(x + 2)", "42", "", ""},
		{"func double(n int) int { return 2 * n }\ndouble(x)", "", "80", ""},
		{"%%\ntype point struct{ x, y int }\np := &point{1, 2}", "", "", ""},
		{"!echo shell\n%% --n=3\nfmt.Print(p.x, os.Args[1:])", "shell\n1 [--n=3]", "", ""},
		{"strconv.Atoi(\"no\")", "", "", "error: strconv.Atoi: parsing"},
		{"var none []int\nnone[3]", "", "", "line 2"},
		{"kept := 1\nbad := Must(strconv.Atoi(\"no\"))\nlater := 3", "", "", "strconv.Atoi"},
		{"kept", "", "1", ""},
		{"bad + 1", "", "", "bad was not made"},
		{"kept := kept + 1\nkept", "", "2", ""},
		{"y := undefined", "", "", "undefined: undefined"},
		{"for {\n\tx++\n\tif x > 100 { break }\n}\nfmt.Print(x)", "101", "", ""},
		{"gonbui.DisplayHTML(\"<b>\")\ngonbui.IsNotebook", "", "true", ""},
		{"?images", "", "Package images", ""},
		{"?camlib.Model.Explain", "", "Explain makes one map", ""},
		{"??cell.nothing", "", "", "no help"},
		{"img := image.NewGray(image.Rect(0, 0, 2, 2))\nnotebook.Show(img)", "", "image/png", ""},
		{"notebook.Show(figure.Describe(img, \"gray\"))", "", "gray", ""},
		{"notebook.Show(img, errors.New(\"no picture\"))", "", "", "no picture"},
		{"%whos x", "", "101", ""},
		{"func Test() { panic(\"in a function\") }\nTest()", "", "", "in Test"},
		{"os.Getenv(\"GONB_VERSION\") != \"\"", "", "true", ""},
	} {
		got := c.Run(r.code)
		shown := strings.Join(got.Shown, "\n")
		if got.Stdout != r.stdout || !strings.Contains(shown, r.shown) || !strings.Contains(got.Error, r.failure) || (r.failure == "") != (got.Error == "") {
			t.Errorf("%s\nstdout %q\nstderr %q\nshown %s\nerror %s", r.code, got.Stdout, got.Stderr, shown, got.Error)
		}
	}
	if got := c.Run("Must(strconv.Atoi(\"no\"))"); strings.Contains(got.Error, "in libraries") || !strings.Contains(got.Error, "line 1") {
		t.Errorf("Must is in the trace: %s", got.Error)
	}
	c.Run("y := 1\nkept := 2\n%rm y")
	if got := c.Run("%whos"); strings.Contains(strings.Join(got.Shown, ""), "<td>y</td>") || !strings.Contains(strings.Join(got.Shown, ""), "<td>kept</td>") {
		t.Errorf("%%whos after %%rm: %q", got.Shown)
	}
	c.Run("type old struct{ n int }\nvar box any = old{}\na, b := old{}, []old{}")
	if got := c.Run("type old struct{ m int }\nbox.(old)"); !strings.Contains(got.Error, "older than the type's last declaration") || got.Stderr != "gone with the type that this cell declares anew: a, b\n" {
		t.Errorf("a value of an old type: %s\n%s", got.Error, got.Stderr)
	}
	id := c.Begin("fmt.Print(\"begun\")\nfor { x++ }")
	c.Until(func(m *jupyter.Message) bool { return m.Header.Type == "stream" })
	k.Interrupt()
	if got := c.End(id); !strings.Contains(got.Error, "interrupted: ") {
		t.Errorf("interrupted: %+v", got)
	}
	if got := c.Run("x > 100"); !strings.Contains(strings.Join(got.Shown, ""), "true") {
		t.Errorf("after the interrupt: %+v", got)
	}
	if _, got := c.Ask("complete_request", map[string]any{"code": "%time\np.", "cursor_pos": 8}); len(got["matches"].([]any)) != 2 {
		t.Errorf("completion: %v", got)
	}
	for code, want := range map[string]int{"!ls p": 0, "%cd p": 0, "?strings.ToU": 2, "??strings.ToU": 2} {
		if _, got := c.Ask("complete_request", map[string]any{"code": code, "cursor_pos": len(code)}); len(got["matches"].([]any)) != want {
			t.Errorf("completion of %s: %v, want %d", code, got, want)
		}
	}
	if _, got := c.Ask("inspect_request", map[string]any{"code": "strings.ToUpper", "cursor_pos": 12}); got["found"] != true {
		t.Errorf("help: %v", got)
	}
	begun := time.Now()
	c.Run("x++")
	t.Logf("x++ takes %s", round(time.Since(begun)))
	begun = time.Now()
	c.Run("fmt.Println(x)")
	t.Logf("fmt.Println takes %s", round(time.Since(begun)))
	if left, err := filepath.Glob(filepath.Join(k.compiler.Module(), "run*")); err != nil || len(left) > 0 {
		t.Errorf("cells leave %v %v", left, err)
	}
}

// What ends a Go program ends the process of cells, and nothing else.
func TestGoCellsThatEndTheProcess(t *testing.T) {
	_, c := real(t)
	c.Run("type T struct{ n int }\nkeep := T{7}")
	for _, r := range []struct{ code, want string }{
		{"m := map[int]int{}\nfor range 8 {\n\tgo func() {\n\t\tfor {\n\t\t\tm[1]++\n\t\t}\n\t}()\n}\nselect {}", "concurrent map"},
		{"var f func(int) int\nf = func(n int) int { return f(n+1) + 1 }\nf(0)", "stack overflow"},
		{"_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)\nselect {}", "signal killed"},
		{"time.AfterFunc(0, func() { panic(\"of a library\") })\nselect {}", "of a library"},
	} {
		got := c.Run(r.code)
		if !strings.Contains(got.Error, r.want) || !strings.Contains(got.Error, "process ended") {
			t.Errorf("%s\n%s", r.code, got.Error)
			continue
		}
		if got.Stderr != "" || strings.Contains(got.Error, "kernels/") {
			t.Errorf("%s\n%s\nstderr %s", r.code, got.Error, got.Stderr)
		}
		if got := c.Run("fmt.Print(T{1})\nkeep := T{7}"); got.Stdout != "{1}" || got.Error != "" {
			t.Errorf("after it: %+v", got)
		}
	}
	if got := c.Run("_ = syscall.Close(4)"); !strings.Contains(got.Error, "process ended") || !strings.Contains(got.Stderr, "a cell has closed a file that the kernel speaks through") {
		t.Errorf("a cell that closes the file of replies: %+v", got)
	}
}

// A proxy of modules that does not answer holds up neither an interrupt nor the cell
// after it.
func TestInterruptWhileAModuleIsFetched(t *testing.T) {
	asked := make(chan struct{})
	ended := make(chan struct{})
	var once sync.Once
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		once.Do(func() { close(asked) })
		<-ended
	}))
	t.Cleanup(proxy.Close)
	t.Cleanup(func() { close(ended) }) // first
	t.Setenv("GOPROXY", proxy.URL)
	k, c := real(t)
	id := c.Begin("import \"example.com/none\"\nnone.F()")
	<-asked
	k.Interrupt()
	if got := c.End(id); !strings.Contains(got.Error, "interrupted: ") || !strings.Contains(got.Stderr, "compiling example.com/none") {
		t.Errorf("interrupted: %+v", got)
	}
	if got := c.Run("fmt.Print(1)"); got.Stdout != "1" || got.Error != "" {
		t.Errorf("after it: %+v", got)
	}
}

// What the kernel needs may come late, and go while it runs.
func TestFoldersThatAreGone(t *testing.T) {
	if _, c := real(t); c.Run("1").Error != "" {
		t.Fatal("a cell fails")
	}
	cells := filepath.Join(t.TempDir(), "cells")
	there := func() {
		if err := os.Symlink(preparedDir, cells); err != nil {
			t.Fatal(err)
		}
	}
	gone := func(dir string) {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	k := connectable(t, cells)
	c := connect(t, k)
	runs := func(code, want, failure string) {
		t.Helper()
		if got := c.Run(code); got.Stdout != want || !strings.Contains(got.Error, failure) || failure == "" && got.Error != "" {
			t.Errorf("%s prints %q and fails with %q, want %q and %q", code, got.Stdout, got.Error, want, failure)
		}
	}
	runs("x := 1", "", "run `camlab setup`")
	there()
	runs("x := 2\nfmt.Print(x)", "2", "")
	gone(k.temp)
	runs("fmt.Print(x)", "2", "")
	gone(k.temp)
	runs("%reset", "", "")
	runs("x := 3\nfmt.Print(x)", "3", "")
	gone(cells)
	runs("fmt.Print(x)", "3", "")
	runs("%reset", "", "")
	runs("x := 4", "", "the program in which cells run is gone")
	runs("!echo a", "a\n", "")
	there()
	runs("x := 5\nfmt.Print(x)", "5", "")
}

// Cells leave neither files nor descriptors, and the process grows by little more than
// their code.
func TestManyCells(t *testing.T) {
	k, c := real(t)
	cell := func(i int) string {
		switch i % 10 {
		case 0:
			return fmt.Sprintf("type T%d struct{ n int }\nfunc (t T%d) get() int { return t.n }\nv%d := T%d{%d}\nv%d.get()", i, i, i, i, i, i)
		case 5:
			return fmt.Sprintf("func f%d(n int) int { return n + %d }\nx = f%d(x) - %d", i, i, i, i)
		case 7:
			return "x"
		}
		return "x++"
	}
	run := func(from, to int) {
		for i := from; i < to; i++ {
			if got := c.Run(cell(i)); got.Error != "" {
				t.Fatalf("cell %d: %s", i, got.Error)
			}
		}
	}
	count := func() (files int, names string, resident int) {
		err := filepath.WalkDir(k.temp, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				files++
				names += " " + d.Name()
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, pid := range []int{os.Getpid(), k.running().cmd.Process.Pid} {
			open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
			if err != nil {
				t.Fatal(err)
			}
			files += len(open)
		}
		statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", k.running().cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		var size, pages int
		if _, err := fmt.Sscan(string(statm), &size, &pages); err != nil {
			t.Fatal(err)
		}
		return files, names, pages * os.Getpagesize()
	}
	c.Run("x := 0")
	run(1, 100)
	before, _, small := count()
	run(100, 300)
	after, names, big := count()
	if after > before+4 { // the runtime's own come and go
		t.Errorf("%d files and descriptors after 100 cells, %d after 300, among them%s", before, after, names)
	}
	if grown := (big - small) / 200; grown > 100<<10 {
		t.Errorf("the process grows by %d bytes a cell, want at most 100 KiB", grown)
	}
}

// TestGoCellsThatRead: who reads the standard input asks the reader, or finds its end
// where nobody can be asked.
func TestGoCellsThatRead(t *testing.T) {
	_, c := real(t)
	child := exec.Command("sleep", "100")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	})
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", child.Process.Pid)); err != nil || len(text) == 0 {
		t.Skipf("the system does not tell what processes wait for: %v", err)
	}
	id := c.Begin("var name string\nvar n int\nfmt.Scan(&name, &n)\nfmt.Print(name, n)")
	if kind, got := c.Reply(c.Stdin, id); kind != "input_request" {
		t.Fatalf("%s %v", kind, got)
	}
	c.Send(c.Stdin, "input_reply", map[string]any{"value": "ada 3"})
	if got := c.End(id); got.Stdout != "ada3" {
		t.Errorf("%+v", got)
	}
	for range 2 {
		_, reply := c.Ask("execute_request", map[string]any{"code": "_, err := fmt.Scan(&name)\nif err != io.EOF { panic(err) }", "allow_stdin": false})
		if reply["status"] != "ok" {
			t.Errorf("without a reader: %v", reply)
		}
	}
	id = c.Begin("gonbui.RequestInput(\"Name? \", false)\nfmt.Scanln(&name)\nfmt.Print(name)")
	if _, got := c.Reply(c.Stdin, id); got["prompt"] != "Name? " {
		t.Errorf("%v", got)
	}
	c.Send(c.Stdin, "input_reply", map[string]any{"value": "eve"})
	if got := c.End(id); got.Stdout != "eve" {
		t.Errorf("%+v", got)
	}
}
