package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/internal/backendtest"
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
	file := filepath.Join(t.TempDir(), "file")
	putFile(t, file, "no program")
	for _, row := range []struct {
		check string
		cause func(t *testing.T, env kernels.Env)
		state string
		text  string // of the finding: "|" between several
	}{
		{"settings", set("GOMLX_BACKEND", "xyz"), stateFailed, `GOMLX_BACKEND=xyz: exit status 1: camlab: camlib: backend "xyz", want|unset GOMLX_BACKEND`},
		{"settings", set(plugin.PathEnv, "/missing"), stateWarning, plugin.PathEnv + "=/missing: no plugin there; unset " + plugin.PathEnv},
		{"settings", set("GOOS", "windows"), stateOK, "not taken over by setup and notebooks: GOOS=windows"},
		{"settings", set("GOFLAGS", "-mod=vendor"), stateOK, "GOFLAGS=-mod=vendor"},
		{"folders", unset("HOME", "XDG_CACHE_HOME", "GOCACHE", "GOPATH", "GOMODCACHE"), stateWarning, "HOME is not set; set HOME to a folder of yours"},
		{"folders", set("HOME", file), stateWarning, "HOME=" + file + ": it cannot be written into; set HOME"},
		{"folders", set("HOME", "relative"), stateWarning, "HOME=relative: it cannot be written into; set HOME"},
		{"folders", set("TMPDIR", "/missing"), stateWarning, "TMPDIR=/missing: no program can be run there|no such file|/tmp takes its place; set TMPDIR"},
		{"folders", set("TMPDIR", "relative"), stateWarning, "TMPDIR=relative: no program can be run there|set TMPDIR"},
		{"folders", set("GOTMPDIR", "/missing"), stateWarning, "GOTMPDIR=/missing|set GOTMPDIR"},
		{"folders", set("GOCACHE", "off"), stateWarning, "GOCACHE=off|set GOCACHE"},
		{"folders", set("GOCACHE", file), stateWarning, "GOCACHE=" + file + ": files cannot be written there"},
		{"folders", set("GOPATH", file), stateWarning, "GOPATH=" + file + "|set GOPATH"},
		{"folders", set("GOMODCACHE", file), stateWarning, "GOMODCACHE=" + file + "|set GOMODCACHE"},
		{"folders", func(t *testing.T, _ kernels.Env) {
			unset("GOCACHE")(t, kernels.Env{})
			t.Setenv("XDG_CACHE_HOME", file)
		}, stateWarning, "XDG_CACHE_HOME=" + file + "|set XDG_CACHE_HOME"},
		{"Go", func(t *testing.T, _ kernels.Env) { t.Setenv("PATH", t.TempDir()) }, stateFailed, "install Go|put it into PATH"},
		{"Go", func(t *testing.T, env kernels.Env) {
			t.Setenv("GOTOOLCHAIN", "local")
			putFile(t, filepath.Join(env.Root, "go.mod"), "module "+kernels.ModulePath+"\n\ngo 1.999.0\n")
		}, stateFailed, "1.999|install a newer Go|GOTOOLCHAIN=auto"},
		{"Go", set("GOTOOLCHAIN", "go1.99"), stateOK, "go1."},
		{"Go", set("GOROOT", "/missing"), stateOK, "go1."},
		{"Go", set("GOFLAGS", "nonsense"), stateOK, "go1."},
		{"Go", set("GOOS", "windows"), stateOK, "go1."},
		{"gcc", func(t *testing.T, _ kernels.Env) { t.Setenv("PATH", t.TempDir()) }, stateFailed, "install gcc|in PATH"},
		{"gcc", func(t *testing.T, _ kernels.Env) {
			dir := t.TempDir()
			putFile(t, filepath.Join(dir, "gcc"), "#!/bin/sh\n[ $1 = -dumpfullversion ] && echo 12 || { echo stdlib.h: No such file >&2; exit 1; }\n")
			t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
		}, stateFailed, "gcc 12 does not compile|stdlib.h: No such file|libc6-dev"},
		{"gcc", set("CGO_ENABLED", "0"), stateOK, "gcc"},
		{"gcc", set("CC", "false"), stateOK, "gcc"},
		{"Jupyter", nil, stateFailed, "run `camlab setup`"},
		{"Jupyter", func(t *testing.T, env kernels.Env) {
			putFile(t, env.Bin("python"), "#!/bin/sh\necho No module named jupyterlab >&2\nexit 1\n")
		}, stateFailed, "No module named jupyterlab; run `camlab setup`"},
		{"Jupyter", realPython, stateFailed, "/bin/jupyter|run `camlab setup`"},
		{"Jupyter", func(t *testing.T, env kernels.Env) { realPython(t, env); t.Setenv("PYTHONHOME", "/missing") }, stateFailed, "PYTHONHOME=/missing|unset PYTHONHOME"},
		{"Jupyter", func(t *testing.T, env kernels.Env) {
			realPython(t, env)
			putFile(t, env.Bin("jupyter"), "#!/bin/sh\n")
			t.Setenv("JUPYTER_RUNTIME_DIR", file)
		}, stateFailed, "JUPYTER_RUNTIME_DIR=" + file + ": Jupyter cannot write into|set JUPYTER_RUNTIME_DIR"},
		{"Jupyter", func(t *testing.T, env kernels.Env) {
			realPython(t, env)
			putFile(t, env.Bin("jupyter"), "#!/bin/sh\n")
			unset("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR")(t, env)
			t.Setenv("XDG_DATA_HOME", file)
		}, stateFailed, "XDG_DATA_HOME=" + file + ": Jupyter cannot write into|set XDG_DATA_HOME"},
		{"cells", nil, stateFailed, "kernel-bin/gonb: no cell runs without it|run `camlab setup`"},
		{"cells", func(t *testing.T, env kernels.Env) { putFile(t, env.KernelBin("gonb"), "no program") }, stateFailed, "gonb is damaged|remove it and run `camlab setup`"},
		{"cells", func(t *testing.T, env kernels.Env) {
			putFile(t, filepath.Join(env.CellsDir(), "packages.json"), "{}")
		}, stateFailed, "kernel-bin/gokernel: no cell runs without it|run `camlab setup`"},
		{"cells", func(t *testing.T, env kernels.Env) {
			putFile(t, filepath.Join(env.CellsDir(), "packages.json"), "{}")
			putFile(t, filepath.Join(env.Root, "main.go"), "package main\n\nfunc main() {}\n")
			build := exec.Command("go", "build", "-buildvcs=false", "-o", env.KernelBin("gokernel"), ".")
			build.Dir, build.Env = env.Root, append(os.Environ(), "GOOS=windows", "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}, stateFailed, "gokernel is made for GOOS=windows|remove it and run `camlab setup`"},
		{"kernels", nil, stateFailed, "run `camlab setup`"},
		{"kernels", func(t *testing.T, env kernels.Env) {
			realPython(t, env)
			data := t.TempDir()
			t.Setenv("JUPYTER_PATH", data)
			putFile(t, filepath.Join(data, "kernels", "camlab-go", "kernel.json"), `{"argv": ["/gone/.venv/bin/gonb"], "display_name": "x", "language": "go"}`)
		}, stateFailed, "camlab-go, in|starts /gone/.venv/bin/gonb, which is not there; remove|kernels/camlab-go"},
		{"cell", nil, stateFailed, "no kernel camlab-xla-cpu or camlab-go|run `camlab setup`"},
		{"data", set("CAMLAB_DATA", "/missing"), stateWarning, "CAMLAB_DATA=/missing: no CIFAR-10 there|set CAMLAB_DATA|camlab data --download"},
		{"data", func(t *testing.T, _ kernels.Env) {
			dir := t.TempDir()
			putFile(t, filepath.Join(dir, "cifar-10-binary.tar.gz"), "no archive")
			t.Setenv("CAMLAB_DATA", dir)
		}, stateFailed, "CAMLAB_DATA=|remove it and run `camlab data --download`"},
		{"data", func(t *testing.T, _ kernels.Env) { unset("HOME", "CAMLAB_DATA", "XDG_CACHE_HOME")(t, kernels.Env{}) }, stateWarning, "no place for CIFAR-10|set HOME, XDG_CACHE_HOME or CAMLAB_DATA"},
		{"data", func(t *testing.T, _ kernels.Env) {
			unset("CAMLAB_DATA")(t, kernels.Env{})
			t.Setenv("XDG_CACHE_HOME", "relative")
		}, stateWarning, "XDG_CACHE_HOME"},
	} {
		t.Run(row.check+" "+row.text, func(t *testing.T) {
			env := emptyCheckout(t)
			if row.cause != nil {
				row.cause(t, env)
			}
			for _, c := range checks {
				if c.name != row.check {
					continue
				}
				f := c.run(t.Context(), env)
				line := f.String()
				for want := range strings.SplitSeq(row.text, "|") {
					if f.State != row.state || !strings.Contains(line, want) {
						t.Errorf("%s: %q, want %s and %q", row.check, line, row.state, want)
					}
				}
			}
		})
	}
}

func set(name, value string) func(*testing.T, kernels.Env) {
	return func(t *testing.T, _ kernels.Env) { t.Setenv(name, value) }
}

func unset(names ...string) func(*testing.T, kernels.Env) {
	return func(t *testing.T, _ kernels.Env) {
		unsetenv(t, names...)
	}
}

func putFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// realPython gives an environment the Python of the checkout's own.
func realPython(t *testing.T, env kernels.Env) {
	t.Helper()
	real, err := kernels.FindEnv()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(real.Bin("jupyter")); err != nil {
		t.Skipf("needs `camlab setup`: %v", err)
	}
	putFile(t, env.Bin("python"), "#!/bin/sh\nexec "+real.Bin("python")+" \"$@\"\n")
}

// TestDoctorNamesTheVariable looks for the one among others that stops a program,
// which is there for XLA's flags, a plugin, Python's settings and a kernel's cell.
func TestDoctorNamesTheVariable(t *testing.T) {
	others := []string{"PATH=/bin", "A=1", "HOME=/", "B=2", "C=3", "D=4", "E=5"}
	for _, row := range []struct{ rule, stops, want string }{
		{"the first", "A=1", "A"},
		{"one in the middle", "C=3", "C"},
		{"the last", "E=5", "E"},
		{"PATH is another check's", "PATH=/bin", ""},
		{"none", "", ""},
		{"two, each of which does", "B=2 D=4", ""},
	} {
		t.Run(row.rule, func(t *testing.T) {
			got := culprit(others, func(environ []string) error {
				for stops := range strings.FieldsSeq(row.stops) {
					if slices.Contains(environ, stops) {
						return errors.New("stopped")
					}
				}
				return nil
			})
			if got != row.want {
				t.Errorf("culprit %q, want %q", got, row.want)
			}
		})
	}
}

// TestDoctorPluginSettings has a good plugin fail by a variable.
func TestDoctorPluginSettings(t *testing.T) {
	path, _, err := plugin.Find("cpu")
	if err != nil {
		t.Skipf("needs `camlab setup`: %v", err)
	}
	root := emptyCheckout(t)
	putFile(t, filepath.Join(root.Root, "lib", plugin.FileName("cpu")), "") // where this program's environment would have one
	if err := os.MkdirAll(root.PluginDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, filepath.Join(root.PluginDir(), filepath.Base(path))); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root.Root)
	broken := t.TempDir()
	putFile(t, filepath.Join(broken, plugin.FileName("cpu")), "no library")
	for _, row := range []struct{ name, value string }{{"XLA_FLAGS", "--no_such_flag=1"}, {plugin.PathEnv, broken}} {
		t.Run(row.name, func(t *testing.T) {
			t.Setenv(plugin.PathEnv, "")
			os.Unsetenv(plugin.PathEnv)
			t.Setenv(row.name, row.value)
			f := checkPlugin(t.Context(), root)
			if f.State != stateFailed || f.Mend != "unset "+row.name || !strings.HasPrefix(f.Detail, row.name+"="+row.value+": ") || strings.Contains(f.Detail, "All log messages") {
				t.Errorf("finding %q, want %s named", f, row.name)
			}
		})
	}
}

// TestNotebookDoctorCell runs real kernels.
func TestNotebookDoctorCell(t *testing.T) {
	if os.Getenv("CAMLAB_TEST_NOTEBOOKS") == "" {
		t.Skip("runs kernels: `make test-notebooks`, or set CAMLAB_TEST_NOTEBOOKS=1 after `camlab setup`")
	}
	env, err := kernels.FindEnv()
	if err != nil {
		t.Fatal(err)
	}
	for _, good := range []string{"", "GOOS=windows", "GOFLAGS=nonsense", "TMPDIR=/missing", "GOWORK=/missing/go.work", "CC=false"} {
		if name, value, ok := strings.Cut(good, "="); ok {
			t.Run(good, func(t *testing.T) {
				t.Setenv(name, value)
				if f := checkCell(t.Context(), env); f.State != stateOK {
					t.Errorf("finding %q, want that a cell runs", f)
				}
			})
		}
	}
	t.Setenv("XLA_FLAGS", "--no_such_flag=1")
	f := checkCell(t.Context(), env)
	if f.State != stateFailed || f.Mend != "unset XLA_FLAGS" || !strings.Contains(f.Detail, "no_such_flag") {
		t.Errorf("finding %q, want XLA_FLAGS named", f)
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

// TestMain lets the test's program stand in for camlab where it is started with a command
// line of camlab's. XLA compiles twice as fast without its optimizations, and every command
// compiles anew; what it computes is tested elsewhere.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		main()
		return
	}
	if _, ok := os.LookupEnv("XLA_FLAGS"); !ok {
		os.Setenv("XLA_FLAGS", "--xla_backend_optimization_level=0")
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

// TestDoctorSamples: what setup measures flags by runs as often as it is asked.
func TestDoctorSamples(t *testing.T) {
	backendtest.XLA(t)
	for _, name := range []string{"own", "files"} {
		var out bytes.Buffer
		c := newRoot()
		c.SetArgs([]string{"doctor", "--sample", name})
		c.SetIn(strings.NewReader("\n\n"))
		c.SetOut(&out)
		if err := c.ExecuteContext(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var first, second float64
		if n, err := fmt.Sscanf(out.String(), "ready\n%g\n%g\n", &first, &second); n != 2 || first <= 0 || second <= 0 {
			t.Errorf("%s: %v, want ready and the seconds of two runs: %q", name, err, out.String())
		}
	}
	if _, err := command(t, "doctor", "--sample", "mine"); err == nil || err.Error() != `doctor: --sample "mine", want own or files` {
		t.Errorf("of another name: %v", err)
	}
}
