package kernels

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/camlab-go/camlab/internal/plugin"
	"github.com/camlab-go/camlab/kernels/compile"
)

// python makes the virtual environment and installs requirements.txt into it.
func (s *setup) python(ctx context.Context) (string, bool, error) {
	ready := sync.OnceFunc(func() { close(s.venv) })
	defer ready()
	python := s.Bin("python")
	want := fmt.Sprintf("%x", sha256.Sum256(requirements))
	// Another version of Python, as after an upgrade of the system, finds no packages.
	const find = `import importlib.metadata as m; m.version("jupyterlab"), m.version("nbconvert")`
	if s.fresh("python", want, python, s.Bin("jupyter")) && s.exec(ctx, nil, python, "-c", find) == nil {
		return "up to date", false, nil
	}
	if err := s.exec(ctx, nil, python, "-c", "import pip"); err != nil {
		s.say("Python packages", "making "+s.Dir())
		old, err := filepath.Glob(s.Bin("python*")) // venv leaves them as they are
		if err != nil {
			return "", false, err
		}
		for _, path := range old {
			if err := os.Remove(path); err != nil {
				return "", false, err
			}
		}
		if err := s.makeVenv(ctx); err != nil {
			return "", false, err
		}
	}
	ready()
	s.say("Python packages", "installing JupyterLab and nbconvert with pip")
	list := filepath.Join(s.Dir(), "share", "camlab", "requirements.txt")
	if err := os.WriteFile(list, requirements, 0o644); err != nil {
		return "", false, err
	}
	if err := s.exec(ctx, nil, python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--disable-pip-version-check", "--retries", "2", "-r", list); err != nil {
		return "", false, fmt.Errorf("%w; without JupyterLab no notebook runs: run `camlab setup` again with a network", err)
	}
	return "JupyterLab and nbconvert installed", true, s.setStamp("python", want)
}

func (s *setup) makeVenv(ctx context.Context) error {
	if err := s.exec(ctx, nil, "python3", "-m", "venv", s.Dir()); err != nil {
		return fmt.Errorf("%w; install Python 3 with its venv module (Debian: python3-venv)", err)
	}
	return nil
}

// plugin finds or installs the PJRT plugin. It fails only when interrupted.
func (s *setup) plugin(ctx context.Context) (string, bool, error) {
	found := func(path, source string, changed bool) (string, bool, error) {
		s.report.Plugin, s.report.PluginSource = path, source
		return path + " (" + source + ")", changed, nil
	}
	own := filepath.Join(s.pluginDir, plugin.FileName("cpu"))
	path, source, err := plugin.Find("cpu")
	if err == nil && (path != own || s.fresh("plugin", wheel.stamp(), own)) {
		return found(path, source, false)
	}
	wheelErr := s.installWheel(ctx)
	if wheelErr == nil {
		return found(own, wheel.String(), true)
	}
	if ctx.Err() != nil {
		return "", false, ctx.Err()
	}
	why := lastLine(wheelErr)
	if s.opts.InstallPlugin != nil {
		s.say("XLA plugin", "no wheel, trying go-xla's own installer")
		err := s.opts.InstallPlugin(s.pluginDir)
		if err == nil {
			if path, _, err = plugin.Find("cpu"); err == nil {
				return found(path, "go-xla's installer", true)
			}
		}
		why += "; go-xla's installer: " + lastLine(err)
	}
	s.report.PluginSource = "none: " + why
	return "none, so only the pure-Go kernel works, tens of times slower; run `camlab setup` again with a network, or name a plugin's folder in " + plugin.PathEnv + " (" + why + ")", false, nil
}

// lastLine is where pip and Go say what went wrong.
func lastLine(err error) string {
	text := err.Error()
	return strings.TrimPrefix(text[max(0, strings.LastIndex(text, " | ")):], " | ")
}

func (s *setup) packStep() (string, bool, error) {
	version, changed, err := s.Pack()
	s.report.Version = version
	return ModulePath + " " + version, changed, err
}

// programs builds the programs that come out of this module's own go.mod.
func (s *setup) programs(ctx context.Context) (string, bool, error) {
	if s.fresh("programs", s.goVer+" "+s.report.Version, s.Bin("camlab")) {
		return "up to date", false, nil
	}
	s.say("camlab", "compiling, GoMLX included")
	if err := os.MkdirAll(s.Bin(""), 0o755); err != nil {
		return "", false, err
	}
	if err := s.build(ctx, s.Bin("camlab"), "./cmd/camlab"); err != nil {
		return "", false, err
	}
	return s.Bin("camlab"), true, s.setStamp("programs", s.goVer+" "+s.report.Version)
}

// cells makes the kernel that runs cells in one process, and what it needs.
func (s *setup) cells(ctx context.Context) (string, bool, error) {
	vars, err := s.Vars()
	if err != nil {
		return "", false, err
	}
	env := s.kernelEnv(vars)
	if err := compile.Supported(ctx, env); errors.Is(err, compile.ErrUnsupported) {
		return "each is a program of its own, run by GoNB: " + err.Error(), false, os.RemoveAll(s.CellsDir()) // of another Go
	}
	s.say("cells", "compiling what they run in")
	want, built := s.goVer+" "+s.report.Version, false
	if !s.fresh(kernelProgram, want, s.KernelBin(kernelProgram)) {
		if err := s.build(ctx, s.KernelBin(kernelProgram), "./kernels/"+kernelProgram); err != nil {
			return "", false, err
		}
		if err := s.setStamp(kernelProgram, want); err != nil {
			return "", false, err
		}
		built = true
	}
	changed, err := compile.Prepare(ctx, s.CellsDir(), compile.Source{Version: s.report.Version}, env)
	if err != nil || !changed && !built {
		return "up to date", false, err
	}
	return "they stay in one process: values live on", true, nil
}

// gonbPrograms builds GoNB and what it calls.
func (s *setup) gonbPrograms(ctx context.Context) (string, bool, error) {
	fronts := map[string]string{"go": "./kernels/gofront", "gonb": "./kernels/gonbfront", "goenv": "./kernels/goenv"}
	paths := []string{s.Bin("gonb"), s.Bin("goimports")}
	for name := range fronts {
		paths = append(paths, s.KernelBin(name))
	}
	if s.fresh("gonb", s.goVer+" "+s.report.Version, paths...) {
		return "up to date", false, nil
	}
	if err := s.build(ctx, s.Bin("goimports"), goimports); err != nil {
		return "", false, err
	}
	if err := s.gonb(ctx); err != nil {
		return "", false, err
	}
	for name, pkg := range fronts {
		if err := s.build(ctx, s.KernelBin(name), pkg); err != nil {
			return "", false, err
		}
	}
	return "gonb, goimports", true, s.setStamp("gonb", s.goVer+" "+s.report.Version)
}

// build builds programs of this module. They bear the checkout's revision, unless git
// refuses to tell it, as it does where the checkout is another user's, which is so with
// many a folder that is mounted into a container.
func (s *setup) build(ctx context.Context, output string, packages ...string) error {
	args := append([]string{"build", "-o", output}, packages...)
	err := s.exec(ctx, nil, "go", args...)
	if err != nil && strings.Contains(err.Error(), "-buildvcs=false") {
		err = s.exec(ctx, nil, "go", slices.Insert(args, 1, "-buildvcs=false")...)
	}
	return err
}

// gonb builds GoNB, with the changes of gonbChanges.
func (s *setup) gonb(ctx context.Context) error {
	module, err := s.output("go", "list", "-m", "-f", "{{.Dir}}", gonbModule)
	if err != nil {
		return err
	}
	dir := filepath.Join(s.Dir(), "share", "camlab", "gonb")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("kernels: GoNB: %w", err)
	}
	defer os.RemoveAll(dir) // most of it is the module's documents; the next setup copies it anew
	modfile, err := changedGoNB(strings.TrimSpace(module), s.Root, dir)
	if err != nil {
		return err
	}
	return s.build(ctx, s.Bin("gonb"), "-modfile="+modfile, gonbModule)
}

// warm compiles, in an empty module and with the kernels' settings, a program
// that imports all of camlib, as a first cell would.
func (s *setup) warm(ctx context.Context) (string, bool, error) {
	vars, err := s.Vars()
	if err != nil {
		return "", false, err
	}
	want := s.goVer + " " + s.report.Version + "\n" + strings.Join(vars, "\n")
	var unpacked []string // by warm, until `go clean -modcache`
	for _, v := range vars {
		if dir, ok := strings.CutPrefix(v, "GOMODCACHE="); ok {
			unpacked = append(unpacked, filepath.Join(dir, filepath.FromSlash(ModulePath)+"@"+s.report.Version))
		}
	}
	if s.fresh("warm", want, unpacked...) {
		return "up to date", false, nil
	}
	s.say("build cache", "compiling camlib as a notebook's first cell does")
	if err := s.tryImport(ctx, s.kernelEnv(vars)); err != nil {
		return "", false, err
	}
	return "the first cell is quick", true, s.setStamp("warm", want)
}
