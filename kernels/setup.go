package kernels

import (
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/camlab-go/camlab/internal/outdir"
	"github.com/camlab-go/camlab/internal/plugin"
)

//go:embed requirements.txt
var requirements []byte

// Programs that GoNB calls: goimports for every cell, a tool of this module like
// GoNB itself, and gopls for completion and help, of the last version that builds with
// this module's Go (later ones want Go 1.27).
const (
	goimports = "golang.org/x/tools/cmd/goimports"
	gopls     = "golang.org/x/tools/gopls@v0.20.0"
)

// SetupOptions are the settings of Setup. The zero value installs what running
// notebooks needs and says nothing.
type SetupOptions struct {
	// Lab also installs gopls, for completion and help in JupyterLab. It takes
	// more than half a minute to build.
	Lab bool
	// InstallPlugin is tried when no PJRT plugin exists and the wheel cannot be
	// had: it puts one into the folder. Nil tries nothing more.
	InstallPlugin func(dir string) error
	// Progress gets a line for everything that is begun and done.
	Progress func(line string)
}

// SetupReport is what Setup found and did.
type SetupReport struct {
	Dir          string  `json:"dir"`           // the environment
	Version      string  `json:"version"`       // of the packed module
	Plugin       string  `json:"plugin"`        // path of the CPU plugin, empty if there is none
	PluginSource string  `json:"plugin_source"` // where it came from, or why there is none
	Kernels      []Spec  `json:"kernels"`
	Changed      bool    `json:"changed"` // false when all was there already
	Steps        []Step  `json:"steps"`
	Seconds      float64 `json:"seconds"`
}

// Step is one part of a Setup.
type Step struct {
	Name    string  `json:"name"`
	Result  string  `json:"result"`
	Changed bool    `json:"changed"`
	Seconds float64 `json:"seconds"`
}

// Setup makes the environment or brings it up to date: Python packages, PJRT
// plugin, GoNB and its helpers, the camlab program, the packed module, the
// kernelspecs, and a build cache warmed so that the first cell is quick. What
// can be done side by side is. Each part is done again only when what it
// depends on has changed.
//
// A missing plugin is no failure: the pure-Go kernel works without. The report
// is valid, as far as things came, also with an error.
func (e Env) Setup(ctx context.Context, opts SetupOptions) (*SetupReport, error) {
	s := newSetup(e, opts)
	s.report.Dir, s.pluginDir, s.camlab = e.Dir(), e.PluginDir(), e.Bin("camlab")
	return s.do(ctx, s.run)
}

// SetupPlugin is what Setup can do where there is no checkout: it installs the
// PJRT plugin into dir, one of the folders that plugin.Find searches, and measures
// its flags with camlab, the path of the program. A plugin that is found already is
// left as it is. It needs Python 3 with venv, as Setup does; having no plugin in the
// end is an error.
func SetupPlugin(ctx context.Context, dir, camlab string, opts SetupOptions) (*SetupReport, error) {
	tmp, err := (Env{Root: dir}).mkdirTemp("camlab-setup-") // for pip
	if err != nil {
		return nil, fmt.Errorf("kernels: setup: %w", err)
	}
	defer os.RemoveAll(tmp)
	s := newSetup(Env{Root: tmp}, opts)
	s.report.Dir, s.pluginDir, s.camlab = dir, dir, camlab
	return s.do(ctx, s.pluginAlone)
}

func (s *setup) pluginAlone(ctx context.Context) error {
	path, source, err := plugin.Find("cpu")
	if err == nil {
		s.report.Plugin, s.report.PluginSource = path, source
		return s.step("XLA plugin", func() (string, bool, error) { return path + " (" + source + "), left as it is", false, nil })
	}
	if !plugin.Loads {
		return err
	}
	if err := outdir.Ready(s.pluginDir); err != nil {
		return err
	}
	s.say("XLA plugin", "making an environment for pip")
	if err := s.makeVenv(ctx); err != nil {
		return err
	}
	close(s.venv)
	if err := s.step("XLA plugin", func() (string, bool, error) { return s.plugin(ctx) }); err != nil {
		return err
	}
	if s.report.Plugin == "" {
		return fmt.Errorf("XLA plugin: %s; try again with a network, or name the folder of one in %s", s.report.PluginSource, plugin.PathEnv)
	}
	return s.step("XLA flags", func() (string, bool, error) { return s.flags(ctx) })
}

func newSetup(e Env, opts SetupOptions) *setup {
	return &setup{Env: e, opts: opts, start: time.Now(), running: map[string]time.Time{}, venv: make(chan struct{})}
}

func (s *setup) do(ctx context.Context, run func(context.Context) error) (*SetupReport, error) {
	stop := s.heartbeat()
	err := run(ctx)
	stop()
	s.report.Seconds = time.Since(s.start).Seconds()
	for _, step := range s.report.Steps {
		s.report.Changed = s.report.Changed || step.Changed
	}
	if err != nil {
		return &s.report, fmt.Errorf("kernels: setup: %w", err)
	}
	return &s.report, nil
}

type setup struct {
	Env
	pluginDir string // where the plugin goes
	camlab    string // the program that measures its flags
	opts      SetupOptions
	start     time.Time
	goVer     string
	venv      chan struct{} // closed once .venv/bin/python is there, or never will be

	mu      sync.Mutex
	running map[string]time.Time
	report  SetupReport
}

func (s *setup) run(ctx context.Context) error {
	version, err := s.output("go", "env", "GOVERSION")
	if err != nil {
		return fmt.Errorf("%w; install Go from https://go.dev/dl", err)
	}
	s.goVer = strings.TrimSpace(version)
	// Scripts in .venv/bin hold their folder's name: a moved or copied
	// environment is of no use.
	if old, err := os.ReadFile(s.stamp("root")); err == nil && string(old) != s.Root {
		s.say("environment", "was made for "+string(old)+", making it anew")
		if err := os.RemoveAll(s.Dir()); err != nil {
			return err
		}
	}
	if err := s.setStamp("root", s.Root); err != nil {
		return err
	}
	// The parts do not stop one another: whatever can be made is made.
	var group errgroup.Group
	errs := make([]error, 3)
	group.Go(func() error {
		errs[0] = s.step("Python packages", func() (string, bool, error) { return s.python(ctx) })
		return nil
	})
	group.Go(func() error {
		errs[1] = s.step("XLA plugin", func() (string, bool, error) { return s.plugin(ctx) })
		return nil
	})
	group.Go(func() error { errs[2] = s.goParts(ctx); return nil })
	_ = group.Wait() // never an error: they are in errs
	if s.report.Plugin != "" && errs[2] == nil {
		errs = append(errs, s.step("XLA flags", func() (string, bool, error) { return s.flags(ctx) }))
	}
	err = s.step("kernels", func() (string, bool, error) {
		specs, changed, err := s.Install(s.KernelDir(), false)
		s.report.Kernels = specs
		var names []string
		for _, spec := range specs {
			names = append(names, spec.Display)
		}
		return strings.Join(names, ", "), changed, err
	})
	errs = append(errs, err, s.step("JupyterLab extension", func() (string, bool, error) {
		changed, err := s.installLabExtension()
		return "pictures' alternative text, printed tables", changed, err
	}))
	return errors.Join(errs...)
}

// goParts builds the Go side. Its steps follow one another, because the go
// command uses all processors by itself and compiles a package twice when two
// of its runs want the same one.
func (s *setup) goParts(ctx context.Context) error {
	if err := s.step("module", s.packStep); err != nil {
		return err
	}
	type part struct {
		name string
		run  func(context.Context) (string, bool, error)
	}
	parts := []part{
		{"camlab and GoNB", s.programs},
		{"build cache", s.warm},
	}
	if s.opts.Lab {
		parts = append(parts, part{"gopls", s.gopls}, part{"help", s.warmHelp})
	}
	var errs []error
	for _, p := range parts {
		errs = append(errs, s.step(p.name, func() (string, bool, error) { return p.run(ctx) }))
	}
	return errors.Join(errs...)
}

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
	fronts := map[string]string{"go": "./kernels/gofront", "gonb": "./kernels/gonbfront", "goenv": "./kernels/goenv"}
	paths := []string{s.Bin("camlab"), s.Bin("gonb"), s.Bin("goimports")}
	for name := range fronts {
		paths = append(paths, filepath.Join(s.GoFrontDir(), name))
	}
	if s.fresh("programs", s.goVer+" "+s.report.Version, paths...) {
		return "up to date", false, nil
	}
	s.say("camlab and GoNB", "compiling, GoMLX included")
	if err := os.MkdirAll(s.Bin(""), 0o755); err != nil {
		return "", false, err
	}
	if err := s.build(ctx, s.Bin("")+string(filepath.Separator), "./cmd/camlab", goimports); err != nil {
		return "", false, err
	}
	if err := s.gonb(ctx); err != nil {
		return "", false, err
	}
	for name, pkg := range fronts {
		if err := s.build(ctx, filepath.Join(s.GoFrontDir(), name), pkg); err != nil {
			return "", false, err
		}
	}
	return s.Bin("camlab") + ", gonb, goimports", true, s.setStamp("programs", s.goVer+" "+s.report.Version)
}

// gopls builds gopls and the program that stands before it.
func (s *setup) gopls(ctx context.Context) (string, bool, error) {
	result, changed, err := s.goInstall(ctx, gopls)
	front := filepath.Join(s.GoFrontDir(), "gopls")
	if err != nil || s.fresh("goplsfront", s.goVer+" "+s.report.Version, front) {
		return result, changed, err
	}
	if err := s.build(ctx, front, "./kernels/goplsfront"); err != nil {
		return "", false, err
	}
	return result, true, s.setStamp("goplsfront", s.goVer+" "+s.report.Version)
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

// goInstall builds a program of another module, package@version.
func (s *setup) goInstall(ctx context.Context, pkg string) (string, bool, error) {
	path, version, _ := strings.Cut(pkg, "@")
	name := filepath.Base(path)
	if s.fresh(name, s.goVer+" "+version, s.Bin(name)) {
		return "up to date", false, nil
	}
	s.say(name, "compiling "+version)
	vars, err := s.goVars()
	if err != nil {
		return "", false, err
	}
	// What is in the module cache is asked of nobody, whatever GOPROXY is.
	proxy := "GOPROXY=" + fileURL(filepath.Join(vars["GOMODCACHE"], "cache", "download")) + "," + vars["GOPROXY"]
	if err := s.exec(ctx, []string{"GOBIN=" + s.Bin(""), proxy}, "go", "install", pkg); err != nil {
		return "", false, err
	}
	return version, true, s.setStamp(name, s.goVer+" "+version)
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

// warmHelp fills gopls's cache with all that camlib needs: GoNB gives gopls two
// seconds for an answer, and without the cache the first ones take longer.
func (s *setup) warmHelp(ctx context.Context) (string, bool, error) {
	vars, err := s.Vars()
	if err != nil {
		return "", false, err
	}
	want := s.goVer + " " + s.report.Version + " " + gopls
	if s.fresh("help", want) {
		return "up to date", false, nil
	}
	s.say("help", "having gopls read camlib and GoMLX")
	if err := s.tryImport(ctx, s.kernelEnv(vars), []string{s.Bin("gopls"), "check", "main.go"}); err != nil {
		return "", false, err
	}
	return "completion and help are quick", true, s.setStamp("help", want)
}

// CheckImport builds, in an empty folder and with no network, a program that
// imports the public packages of camlib under the settings of an installed kernel:
// what the first cell of a notebook anywhere depends on.
func (e Env) CheckImport(ctx context.Context) error {
	vars, err := e.installedVars()
	if err != nil {
		return err
	}
	if err := e.tryImport(ctx, e.kernelEnv(offline(vars))); err != nil {
		return fmt.Errorf("kernels: %w", err)
	}
	return nil
}

// offline cuts the proxies that are not files out of Vars.
func offline(vars []string) []string {
	out := slices.Clone(vars)
	for i, v := range out {
		list, ok := strings.CutPrefix(v, "GOPROXY=")
		if !ok {
			continue
		}
		proxies := slices.DeleteFunc(strings.Split(list, ","), func(p string) bool { return !strings.HasPrefix(p, "file://") })
		out[i] = "GOPROXY=" + strings.Join(append(proxies, "off"), ",")
	}
	return out
}

// tryImport builds a program that imports the public packages of camlib in a
// temporary folder, the way GoNB does, under the given environment. Then it
// runs more commands there.
func (e Env) tryImport(ctx context.Context, env []string, more ...[]string) error {
	files, _, err := e.packFiles()
	if err != nil {
		return err
	}
	imports := []string{"github.com/janpfeifer/gonb/gonbui"}
	for _, f := range files {
		dir := filepath.ToSlash(filepath.Dir(f.Path()))
		if strings.HasSuffix(f.Path(), ".go") && strings.HasPrefix(dir+"/", "camlib/") && !strings.Contains(dir+"/", "/internal/") {
			imports = append(imports, ModulePath+"/"+dir)
		}
	}
	slices.Sort(imports)
	var source strings.Builder
	source.WriteString("package main\n\n")
	for _, path := range slices.Compact(imports) {
		fmt.Fprintf(&source, "import _ %q\n", path)
	}
	source.WriteString("\nfunc main() {}\n")
	dir, err := e.mkdirTemp("camlab-import-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source.String()), 0o644); err != nil {
		return err
	}
	commands := [][]string{{"go", "mod", "init", "cell"}, {"go", "get"}, {"go", "build", "-o", "cell"}}
	for _, args := range append(commands, more...) {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Dir, cmd.Env = dir, env
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("import camlib: %s %s: %w: %s", filepath.Base(args[0]), args[1], err, tail(string(out)))
		}
	}
	return nil
}

// exec runs a program in the checkout.
func (s *setup) exec(ctx context.Context, env []string, name string, args ...string) error {
	cmd := s.Command(ctx, name, args...)
	cmd.Env = append(cmd.Env, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(name), firstWords(args), err, tail(string(out)))
	}
	return nil
}

func firstWords(args []string) string { return strings.Join(args[:min(3, len(args))], " ") }

// fresh tells whether a part was made from the given inputs and is still there.
func (s *setup) fresh(name, want string, paths ...string) bool {
	got, err := os.ReadFile(s.stamp(name))
	if err != nil || string(got) != want {
		return false
	}
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			return false
		}
	}
	return true
}

func (s *setup) setStamp(name, value string) error {
	path := s.stamp(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(value), 0o644)
}

// step runs one part and records it.
func (s *setup) step(name string, run func() (result string, changed bool, err error)) error {
	start := time.Now()
	s.mu.Lock()
	s.running[name] = start
	s.mu.Unlock()
	result, changed, err := run()
	took := time.Since(start).Seconds()
	s.mu.Lock()
	delete(s.running, name)
	s.report.Steps = append(s.report.Steps, Step{name, result, changed, took})
	s.mu.Unlock()
	if err != nil {
		s.say(name, "failed")
		return fmt.Errorf("%s: %w", name, err)
	}
	if changed {
		result = fmt.Sprintf("%s [%.1f s]", result, took)
	}
	s.say(name, result)
	return nil
}

func (s *setup) say(name, text string) {
	if s.opts.Progress != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.opts.Progress(fmt.Sprintf("%6.1f s  %s: %s", time.Since(s.start).Seconds(), name, text))
	}
}

// heartbeat says every ten seconds what is still running, until stopped.
func (s *setup) heartbeat() (stop func()) {
	const every = 10 * time.Second
	done := make(chan struct{})
	go func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
			}
			s.mu.Lock()
			var names []string
			for name := range s.running {
				names = append(names, name)
			}
			slices.SortFunc(names, func(a, b string) int { return cmp.Compare(s.running[a].UnixNano(), s.running[b].UnixNano()) })
			s.mu.Unlock()
			if len(names) > 0 {
				s.say("working on", strings.Join(names, ", "))
			}
		}
	}()
	return func() { close(done) }
}
