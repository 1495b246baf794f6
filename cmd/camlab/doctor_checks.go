package main

import (
	"cmp"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/internal/disk"
	"github.com/camlab-go/camlab/internal/goenv"
	"github.com/camlab-go/camlab/internal/plugin"
	"github.com/camlab-go/camlab/kernels"
)

func checkCheckout(_ context.Context, env kernels.Env) finding {
	if env.Root == "" {
		return warning("run camlab inside one for notebooks", "none here; what notebooks need is not checked")
	}
	return ok("%s", env.Root)
}

// checkSettings looks at the variables that decide how camlab computes, and says
// which of Go's are not taken over.
func checkSettings(ctx context.Context, env kernels.Env) finding {
	if name := os.Getenv(compute.ConfigEnvVar); name != "" && !slices.Contains([]string{camlib.XLACPU, "xla"}, name) {
		if _, err := probe(ctx, env, name, os.Environ()); err != nil {
			return failed("unset "+compute.ConfigEnvVar, "%s=%s: %v", compute.ConfigEnvVar, name, err)
		}
	}
	if dirs := os.Getenv(plugin.PathEnv); dirs != "" && plugin.Loads {
		found := false
		for _, device := range []string{"cpu", "cuda"} {
			_, source, err := plugin.Find(device)
			found = found || err == nil && source == plugin.PathEnv
		}
		if !found {
			return warning("unset "+plugin.PathEnv+", or name the folder of a plugin", "%s=%s: no plugin there", plugin.PathEnv, dirs)
		}
	}
	if out := goenv.LeftOut(os.Environ()); len(out) > 0 {
		return ok("not taken over by setup and notebooks: %s", strings.Join(out, ", "))
	}
	return ok("none in the way")
}

// checkFolders looks at the folders that Go and the kernels write into.
func checkFolders(_ context.Context, env kernels.Env) finding {
	var bad, mend []string
	add := func(how, format string, args ...any) {
		bad = append(bad, fmt.Sprintf(format, args...))
		if !slices.Contains(mend, how) {
			mend = append(mend, how)
		}
	}
	home, set := os.Getenv("HOME"), os.Getenv
	if home == "" {
		add("set HOME to a folder of yours", "HOME is not set")
	} else if !filepath.IsAbs(home) || !goenv.Writable(home) {
		add("set HOME to a folder that you can write into", "HOME=%s: it cannot be written into", home)
	}
	atHome := len(bad) > 0
	tmp := os.TempDir()
	for _, v := range env.Folders() {
		name, other, _ := strings.Cut(v, "=")
		cause := name
		if set(name) == "" {
			switch {
			case name == "GOCACHE" && set("XDG_CACHE_HOME") != "":
				cause = "XDG_CACHE_HOME"
			case name != "TMPDIR":
				cause = "HOME"
			}
		}
		if cause == "HOME" && atHome {
			continue
		}
		how, what := "set "+cause+" to a folder that you can write into", "files cannot be written there"
		if cause == "TMPDIR" {
			what, how = "no program can be run there: "+goenv.WhyNotRuns(tmp).Error(), "set TMPDIR to a folder in which programs can be run, with 100 MB free"
			tmp = other
		}
		if other == "" {
			other = "TMPDIR"
		}
		add(how, "%s=%s: %s; %s takes its place", cause, cmp.Or(set(cause), os.TempDir()), what, other)
	}
	if err := goenv.WhyNotRuns(tmp); err != nil {
		return failed("set TMPDIR to a folder in which programs can be run, with 100 MB free", "TMPDIR=%s: no cell can be built and run there: %v", tmp, err)
	}
	if len(bad) > 0 {
		return warning(strings.Join(mend, ", "), "%s", strings.Join(bad, "; "))
	}
	return ok("cells are built in %s", tmp)
}

// checkGo has the go command load go.mod, which it refuses to when it is older
// than go.mod wants.
func checkGo(ctx context.Context, env kernels.Env) finding {
	out, err := output(env.Command(ctx, "go", "version"))
	if err != nil {
		return failed("install Go from https://go.dev/dl and put it into PATH", "%v", err)
	}
	if _, err = output(env.Command(ctx, "go", "list", "-m")); err != nil {
		mend := "install a newer Go from https://go.dev/dl and put it first into PATH"
		if goenv.User(os.Environ())["GOTOOLCHAIN"] == "local" {
			mend += ", or set GOTOOLCHAIN=auto, which has it fetched"
		}
		return failed(mend, "%v", err)
	}
	return ok("%s", strings.TrimPrefix(out, "go version "))
}

// checkGCC compiles and links a program, which also takes the C library's files.
func checkGCC(ctx context.Context, env kernels.Env) finding {
	const mend = "install gcc and the C library's headers (Debian: apt install gcc libc6-dev), and have gcc in PATH"
	out, err := output(env.Command(ctx, "gcc", "-dumpfullversion"))
	if err != nil {
		return failed(mend, "%v", err)
	}
	compile := env.Command(ctx, "gcc", "-x", "c", "-o", os.DevNull, "-")
	compile.Stdin = strings.NewReader("#include <stdlib.h>\nint main(void) { return 0; }\n")
	if _, err := output(compile); err != nil {
		return failed(mend, "gcc %s does not compile: %v", out, err)
	}
	return ok("gcc %s", out)
}

func checkDisk(_ context.Context, env kernels.Env) finding {
	const gb = 1e9
	free, err := disk.Free(env.Root)
	if err != nil {
		return warning("", "unknown: %v", err)
	}
	free /= gb
	switch { // the environment takes 0.5 GB, Go's caches 1.5 GB, CIFAR-10 0.2 GB
	case free < 0.5:
		return failed("free some space", "%.1f GB free beside %s", free, env.Root)
	case free < 3:
		return warning("a first setup needs about 2 GB", "%.1f GB free beside %s", free, env.Root)
	}
	return ok("%.0f GB free", free)
}

func checkJupyter(ctx context.Context, env kernels.Env) finding {
	const ask = `import importlib.metadata as m; print("JupyterLab", m.version("jupyterlab") + ", nbconvert", m.version("nbconvert"))`
	python := func(environ []string) (string, error) {
		cmd := env.Command(ctx, env.Bin("python"), "-c", ask)
		cmd.Env = environ
		return output(cmd)
	}
	out, err := python(os.Environ())
	if err != nil {
		if name := culprit(os.Environ(), func(environ []string) error { _, err := python(environ); return err }); name != "" {
			return failed("unset "+name, "%s=%s: %v", name, os.Getenv(name), err)
		}
		return failed(mendSetup, "%v", err)
	}
	if _, err := exec.LookPath(env.Bin("jupyter")); err != nil {
		return failed(mendSetup, "%v", err)
	}
	// Jupyter writes a file there for every kernel.
	dir, err := output(env.Command(ctx, env.Bin("python"), "-c", "from jupyter_core.paths import jupyter_runtime_dir as d; print(d())"))
	if err != nil {
		return failed(mendSetup, "%v", err)
	}
	if !goenv.Writable(dir) {
		name := "HOME"
		for _, n := range []string{"XDG_DATA_HOME", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"} {
			if os.Getenv(n) != "" {
				name = n
			}
		}
		return failed("set "+name+" to a folder that you can write into, or JUPYTER_RUNTIME_DIR", "%s=%s: Jupyter cannot write into %s, so JupyterLab starts no kernel", name, os.Getenv(name), dir)
	}
	return ok("%s", out)
}

// checkPrograms looks at the programs that run cells.
func checkPrograms(_ context.Context, env kernels.Env) finding {
	how, programs := env.CellPrograms()
	for _, path := range programs {
		const without = "no cell runs without it"
		if _, err := exec.LookPath(path); err != nil {
			return failed(mendSetup, "no %s: %s", path, without)
		}
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return failed("remove it and "+mendSetup, "%s is damaged (%v): %s", path, err, without)
		}
		for _, s := range info.Settings {
			if s.Key == "GOARCH" && s.Value != runtime.GOARCH || s.Key == "GOOS" && s.Value != runtime.GOOS {
				return failed("remove it and "+mendSetup, "%s is made for %s=%s: %s", path, s.Key, s.Value, without)
			}
		}
	}
	return ok("%s", how)
}

// checkKernels asks Jupyter itself which of our kernels it finds, and looks at
// what they start.
func checkKernels(ctx context.Context, env kernels.Env) finding {
	const ask = `import json; from jupyter_client.kernelspec import KernelSpecManager
print(json.dumps({n: {"program": s["spec"]["argv"][0], "dir": s["resource_dir"]} for n, s in KernelSpecManager().get_all_specs().items()}))`
	out, err := output(env.Command(ctx, env.Bin("python"), "-c", ask))
	if err != nil {
		return failed(mendSetup, "%v", err)
	}
	var found map[string]struct{ Program, Dir string }
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		return failed(mendSetup, "Jupyter lists its kernels as %q", out)
	}
	missing, err := kernels.Unavailable()
	if err != nil {
		return failed(mendSetup, "%v", err)
	}
	var names []string
	for name, k := range found {
		if !strings.HasPrefix(name, "camlab-") {
			continue
		}
		if _, err := exec.LookPath(k.Program); err != nil {
			mend := mendSetup
			if filepath.Dir(k.Dir) != env.KernelDir() { // of a checkout that was there once
				mend = "remove " + k.Dir + ", or run `camlab kernels install --user`"
			}
			return failed(mend, "%s, in %s, starts %s, which is not there", name, k.Dir, k.Program)
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return failed(mendSetup, "Jupyter finds none of ours")
	}
	slices.Sort(names)
	gpus, _ := filepath.Glob("/dev/nvidia[0-9]*") // the pattern is good
	for _, m := range missing {
		if m.Name == kernels.XLACUDA && len(gpus) > 0 {
			return warning(m.Mend, "%s; %s: %s", strings.Join(names, ", "), m.Display, m.Why)
		}
	}
	f := ok("%s", strings.Join(names, ", "))
	for _, m := range missing {
		f.Detail += "; not installed: " + m.String()
	}
	return f
}

// checkCell has Jupyter run a cell as JupyterLab does, in the environment that this
// program has. What else may be wrong with a kernel shows here.
func checkCell(ctx context.Context, env kernels.Env) finding {
	try := func(environ []string) error { _, err := env.TryCell(ctx, "", environ); return err }
	start := time.Now()
	out, err := env.TryCell(ctx, "", os.Environ())
	if err != nil {
		if name := culprit(os.Environ(), try); name != "" {
			return failed("unset "+name, "%s=%s: %v", name, os.Getenv(name), err)
		}
		return failed(mendSetup, "%v", err)
	}
	return ok("a kernel starts and runs one in %.1f s: %s", time.Since(start).Seconds(), out)
}

func checkData(ctx context.Context, _ kernels.Env) finding {
	where, err := cifar10.Verify(ctx, "")
	named := os.Getenv("CAMLAB_DATA")
	if named != "" {
		named = "CAMLAB_DATA=" + named + ": "
	}
	var path *fs.PathError
	switch {
	case errors.Is(err, cifar10.ErrNoData) && named != "":
		return warning("set CAMLAB_DATA to a folder that has it, or `camlab data --download` fetches it there", "%sno CIFAR-10 there; only the sample of 1,000 images inside camlab", named)
	case errors.Is(err, cifar10.ErrNoData):
		return warning("`camlab data --download` fetches it, or set CAMLAB_DATA", "no CIFAR-10; only the sample of 1,000 images inside camlab")
	case err != nil && named == "" && !filepath.IsAbs(cacheDir()):
		return warning("set HOME, XDG_CACHE_HOME or CAMLAB_DATA to a folder of yours", "no place for CIFAR-10: %v", err)
	case errors.As(err, &path):
		return failed("see that it can be read, or set CAMLAB_DATA to another folder", "%s%v", named, err)
	case err != nil:
		return failed("remove it and run `camlab data --download`", "%s%v", named, err)
	}
	return ok("CIFAR-10 in %s", where)
}

// cacheDir is the user's cache folder, or empty.
func cacheDir() string {
	dir, _ := os.UserCacheDir() // the error says which variable; so does the one that is reported
	return dir
}
