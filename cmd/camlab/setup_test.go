package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/internal/plugin"
	"github.com/camlab-go/camlab/kernels"
)

// TestSetupOutsideACheckout is the setup of a release: it installs a plugin for the
// user, really, and leaves alone what is there.
func TestSetupOutsideACheckout(t *testing.T) {
	if !plugin.Loads {
		t.Skip("built without cgo, which loads a plugin")
	}
	t.Chdir(t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Setenv(plugin.PathEnv, "")
	if path, source, err := plugin.Find("cpu"); err == nil {
		t.Skipf("a plugin in %s: %s", source, path)
	}
	path := os.Getenv("PATH")
	t.Setenv("PATH", t.TempDir())
	if text, err := command(t, "setup"); err == nil || !strings.Contains(err.Error(), "install Python 3") {
		t.Errorf("setup without Python: %q, %v, want an error that says what to install", text, err)
	}
	t.Setenv("PATH", path)
	dir, err := plugin.UserDir()
	if err != nil {
		t.Fatal(err)
	}
	text, err := command(t, "setup")
	if err != nil {
		if _, here := os.Stat(dir); here == nil || !strings.Contains(err.Error(), plugin.PathEnv) {
			t.Fatalf("setup: %v, want a plugin, or nothing in %s and the way to one", err, dir)
		}
		t.Skipf("no plugin can be had here: %v", err)
	}
	if !strings.Contains(text, "ready in ") {
		t.Errorf("setup prints %q, want that it is ready", text)
	}
	for _, name := range []string{plugin.FileName("cpu"), plugin.FlagsFile, "LICENSES"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("setup: %v", err)
		}
	}
	if text, err := command(t, "doctor"); err != nil || !strings.Contains(text, "ok       XLA plugin      XLA on CPU") {
		t.Errorf("doctor after setup: %q, %v, want a plugin that computes", text, err)
	}
	if text, err := command(t, "setup"); err != nil || !strings.Contains(text, "nothing had changed") {
		t.Errorf("setup again: %q, %v, want that nothing had changed", text, err)
	}
}

func TestKernelsCommand(t *testing.T) {
	t.Chdir(emptyCheckout(t).Root)
	run := func(args ...string) (string, error) {
		root := newRoot()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetArgs(append([]string{"kernels"}, args...))
		err := root.Execute()
		return out.String(), err
	}
	data := t.TempDir()
	t.Setenv("JUPYTER_DATA_DIR", data)
	if out, err := run("list", "--user"); err != nil || !strings.HasPrefix(out, "no camlab kernels in "+filepath.Join(data, "kernels")+"\n") {
		t.Errorf("list --user: %q, %v", out, err)
	}
	if _, err := run("install", "--user"); err == nil || !strings.Contains(err.Error(), "run `camlab setup` first") {
		t.Errorf("install before setup: %v, want it to ask for setup", err)
	}
	if out, err := run("uninstall", "--prefix", data); err != nil || !strings.HasPrefix(out, "0 kernels") {
		t.Errorf("uninstall: %q, %v", out, err)
	}
	if _, err := run("list", "--user", "--prefix", data); err == nil {
		t.Error("--user together with --prefix passed")
	}

	env, err := kernels.FindEnv()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(env.KernelBin(""), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(env.KernelBin("gonb"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := run("install", "--user"); err != nil || !strings.Contains(out, kernels.PureGo+" ") || strings.Contains(out, "nothing had changed") {
		t.Errorf("install --user: %q, %v", out, err)
	}
	if out, err := run("install", "--user"); err != nil || !strings.HasSuffix(out, "nothing had changed\n") {
		t.Errorf("install --user again: %q, %v", out, err)
	}
	path := t.TempDir()
	if err := os.Rename(filepath.Join(data, "kernels"), filepath.Join(path, "kernels")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JUPYTER_PATH", path)
	if out, err := run("list"); err != nil || !strings.Contains(out, "JUPYTER_PATH  "+filepath.Join(path, "kernels", kernels.PureGo)) {
		t.Errorf("list: %q, %v; want the kernel in JUPYTER_PATH", out, err)
	}
}
