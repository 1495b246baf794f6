package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/internal/plugin"
	"github.com/camlab-go/camlab/kernels"
)

// emptyCheckout is a module of our path in which nothing has been set up.
func emptyCheckout(t *testing.T) kernels.Env {
	t.Helper()
	env := kernels.Env{Root: t.TempDir()}
	if err := os.WriteFile(filepath.Join(env.Root, "go.mod"), []byte("module "+kernels.ModulePath+"\n\ngo 1.26.0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(env.Root, "go.sum"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return env
}

func TestDoctorFailures(t *testing.T) {
	goPath := os.Getenv("PATH")
	for _, row := range []struct {
		check string
		cause func(t *testing.T, env kernels.Env)
		state string
		text  string
	}{
		{"Go", func(t *testing.T, _ kernels.Env) { t.Setenv("PATH", t.TempDir()) }, stateFailed, "install Go"},
		{"Go", func(t *testing.T, env kernels.Env) {
			t.Setenv("GOTOOLCHAIN", "local")
			if err := os.WriteFile(filepath.Join(env.Root, "go.mod"), []byte("module "+kernels.ModulePath+"\n\ngo 1.999.0\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, stateFailed, "1.999"},
		{"gcc", func(t *testing.T, _ kernels.Env) { t.Setenv("PATH", t.TempDir()) }, stateFailed, "install gcc"},
		{"gcc", func(t *testing.T, _ kernels.Env) { t.Setenv("CGO_ENABLED", "0") }, stateFailed, "unset CGO_ENABLED"},
		{"Jupyter", nil, stateFailed, "run `camlab setup`"},
		{"GoNB", nil, stateFailed, "run `camlab setup`"},
		{"goimports", nil, stateFailed, "run `camlab setup`"},
		{"gopls", nil, stateWarning, "run `camlab setup --lab`"},
		{"kernels", nil, stateFailed, "run `camlab setup`"},
		{"import camlib", nil, stateFailed, "run `camlab setup`"},
		{"data", func(t *testing.T, _ kernels.Env) { t.Setenv("CAMLAB_DATA", t.TempDir()) }, stateWarning, "camlab data --download"},
	} {
		t.Run(row.check+" "+row.text, func(t *testing.T) {
			env := emptyCheckout(t)
			t.Setenv("PATH", goPath)
			if row.cause != nil {
				row.cause(t, env)
			}
			for _, c := range checks {
				if c.name != row.check {
					continue
				}
				f := c.run(t.Context(), env)
				if line := f.String(); f.State != row.state || !strings.Contains(line, row.text) {
					t.Errorf("%s: %q, want %s and %q", row.check, line, row.state, row.text)
				}
			}
		})
	}
}

// TestDoctorBrokenPlugin gives the doctor a plugin that is no library. The
// program that it starts to load it is this test's (TestMain).
func TestDoctorBrokenPlugin(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, plugin.FileName("cpu")), []byte("no library"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv(plugin.PathEnv, dir)
	f := checkPlugin(t.Context(), emptyCheckout(t))
	if f.State != stateFailed || !strings.Contains(f.Detail, "does not compute") || !strings.Contains(f.Mend, "remove "+dir) {
		t.Errorf("finding %v, want a failure that says which file to remove", f)
	}
}

// TestMain lets the test's program stand in for camlab where camlab starts
// itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "doctor" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestDoctorJSONAndStatus(t *testing.T) {
	t.Chdir(emptyCheckout(t).Root)
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs([]string{"doctor", "--json"})
	if err := root.Execute(); !errors.Is(err, errReported) {
		t.Errorf("doctor in an empty checkout: %v, want it to fail", err)
	}
	var all []finding
	if err := json.Unmarshal(out.Bytes(), &all); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	if len(all) != len(checks) {
		t.Errorf("%d findings, want %d", len(all), len(checks))
	}
}

// TestDoctorOutsideACheckout is the doctor of a release: what it cannot check is
// no failure, and what it advises can be done without a checkout.
func TestDoctorOutsideACheckout(t *testing.T) {
	if !plugin.Loads {
		t.Skip("built without cgo, which loads a plugin")
	}
	t.Chdir(t.TempDir())
	t.Setenv("HOME", t.TempDir()) // where a plugin and data may lie
	t.Setenv("CAMLAB_DATA", t.TempDir())
	t.Setenv(plugin.PathEnv, t.TempDir())
	if path, source, err := plugin.Find("cpu"); err == nil {
		t.Skipf("a plugin in %s: %s", source, path)
	}
	text, err := command(t, "doctor")
	if err != nil {
		t.Errorf("doctor: %v, want warnings only", err)
	}
	for _, want := range []string{"warning  checkout", "warning  XLA plugin      none: the pure-Go backend computes, tens of times slower; run `camlab setup`, or name the folder of one in PJRT_PLUGIN_LIBRARY_PATH", "data"} {
		if !strings.Contains(text, want) {
			t.Errorf("doctor prints %q, want %q", text, want)
		}
	}
	if strings.Contains(text, "Jupyter") {
		t.Errorf("doctor prints %q, want nothing of a checkout's environment", text)
	}
}

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
	if err := os.MkdirAll(env.Bin(""), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(env.Bin("gonb"), nil, 0o755); err != nil {
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
