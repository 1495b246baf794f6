package kernels

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/camlab-go/camlab/internal/goenv"
	"github.com/camlab-go/camlab/internal/outdir"
	"github.com/camlab-go/camlab/internal/plugin"
	"github.com/camlab-go/camlab/kernels/compile"
)

//go:embed requirements.txt
var requirements []byte

// goimports is called by GoNB for every cell; it is a tool of this module like GoNB
// itself.
const goimports = "golang.org/x/tools/cmd/goimports"

// SetupOptions are the settings of Setup. The zero value installs what running
// notebooks needs and says nothing.
type SetupOptions struct {
	// GoNB also installs kernels that run cells by GoNB, each cell as a program of its
	// own. They are the only ones where cells cannot stay in one process.
	GoNB bool
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
// plugin, the camlab program, the packed module, the kernel and the program in which
// cells run, or GoNB and its helpers, and the kernelspecs. What
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
		var names []string
		installed := false
		for _, f := range s.flavors() {
			specs, changed, err := s.Install(s.KernelDir(), f)
			if err != nil {
				return "", installed, err
			}
			s.report.Kernels, installed = append(s.report.Kernels, specs...), installed || changed
			for _, spec := range specs {
				names = append(names, spec.Display)
			}
		}
		return strings.Join(names, ", "), installed, nil
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
	parts := []part{{"camlab", s.programs}, {"cells", s.cells}}
	if err := compile.Supported(ctx, goenv.Environ(s.spare())); s.opts.GoNB || errors.Is(err, compile.ErrUnsupported) {
		parts = append(parts, part{"GoNB", s.gonbPrograms}, part{"build cache", s.warm})
	}
	var errs []error
	for _, p := range parts {
		errs = append(errs, s.step(p.name, func() (string, bool, error) { return p.run(ctx) }))
	}
	return errors.Join(errs...)
}
