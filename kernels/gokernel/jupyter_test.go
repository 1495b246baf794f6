package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// python finds one with jupyter_client: the checkout's, or that in PATH.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"../../.venv/bin/python", "python3"} {
		path, err := exec.LookPath(name)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err == nil && exec.Command(path, "-c", "import jupyter_client").Run() == nil {
			return path
		}
	}
	t.Skip("no Python with jupyter_client: `camlab setup`, or put one into PATH")
	return ""
}

// TestJupyterClient has Jupyter's own client start this program as a kernel, by
// TCP, and drive it.
func TestJupyterClient(t *testing.T) {
	py := python(t)
	drive, err := filepath.Abs("../testdata/drive.py")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, data, temp := t.TempDir(), t.TempDir(), t.TempDir()
	spec, err := json.Marshal(map[string]any{"argv": []string{self, "--kernel", "{connection_file}", "--cells", "."}, "display_name": "test", "language": "go",
		"interrupt_mode": "signal", "env": map[string]string{kernelVariable: "1", "TMPDIR": temp}})
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(data, "kernels", "camlab-test")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "kernel.json"), spec, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(py, drive)
	cmd.Env = append(os.Environ(), "JUPYTER_PATH="+data, "JUPYTER_RUNTIME_DIR="+t.TempDir())
	errors, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = errors
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
		if text, err := os.ReadFile(errors.Name()); t.Failed() && err == nil {
			t.Logf("drive.py and the kernel: %s", text)
		}
	})
	lines := bufio.NewReader(out)
	type answer struct {
		Error, ID, Text string
		Done, Alive     bool
		Order           []string
		Matches         []string
		Seconds         float64
		Cell            struct{ Stdout, Stderr, Shown, Status string }
		Info            struct {
			Implementation string
		}
	}
	ask := func(op string, args map[string]any) (a answer) {
		t.Helper()
		request := map[string]any{"op": op}
		for k, v := range args {
			request[k] = v
		}
		line, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Write(append(line, '\n')); err != nil {
			t.Fatal(err)
		}
		reply, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatalf("%s: %v", op, err)
		}
		if err := json.Unmarshal(reply, &a); err != nil || a.Error != "" {
			t.Fatalf("%s: %v %s", op, err, reply)
		}
		return a
	}
	begin := func(code string) string { return ask("execute", map[string]any{"code": code}).ID }
	end := func(id string) answer {
		t.Helper()
		a := ask("wait", map[string]any{"id": id, "timeout": 60})
		if !a.Done {
			t.Fatalf("no end: %+v", a)
		}
		return a
	}

	ask("start", map[string]any{"kernel": "camlab-test", "dir": dir})
	if got := ask("info", nil).Info.Implementation; got != "camlab" {
		t.Errorf("implementation %q", got)
	}
	if got := end(begin("_ = \"@print hello\"\n!pwd")); got.Cell.Stdout != "hello"+dir+"\n" || got.Cell.Status != "ok" {
		t.Errorf("%+v", got)
	}
	got := end(begin("_ = \"@print hello\""))
	t.Logf("a cell takes %.1f ms", 1000*got.Seconds)
	id := begin("_ = \"@wait\"")
	waiting := begin("_ = \"@print no\"")
	if a := ask("until", map[string]any{"id": id, "text": "waiting", "timeout": 60}); !a.Done {
		t.Fatalf("%+v", a)
	}
	ask("interrupt", nil) // a signal to the kernel
	if got := end(id); got.Cell.Status != "error" || !strings.Contains(got.Cell.Stderr, "interrupted") {
		t.Errorf("%+v", got)
	}
	if got := end(waiting); got.Cell.Status != "aborted" || got.Cell.Stdout != "" {
		t.Errorf("the cell that waited: %+v", got)
	}
	if got := ask("complete", map[string]any{"code": "%who", "cursor": 4}); len(got.Matches) != 2 {
		t.Errorf("%+v", got)
	}
	ask("restart", nil)
	if got := end(begin("_ = \"@print again\"")); got.Cell.Stdout != "again" {
		t.Errorf("after a restart: %+v", got)
	}
	ask("shutdown", nil)
	if ask("alive", nil).Alive {
		t.Error("alive after shutdown")
	}
	left, err := filepath.Glob(filepath.Join(temp, "camlab-kernel-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
