package kernels

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/camlab-go/camlab/internal/atomicfile"
	"github.com/camlab-go/camlab/internal/plugin"
	"github.com/camlab-go/camlab/kernels/compile"
)

//go:embed logo-32x32.png logo-64x64.png
var logos embed.FS

// prefix begins the names of all our kernelspecs.
const prefix = "camlab-"

// kernelProgram is the program of the kernels whose cells stay in one process.
const kernelProgram = "gokernel"

// Flavor is how a kernel runs cells, and the end of its name.
type Flavor string

const (
	// Plain kernels import camlib as setup has packed it. Their cells stay in one
	// process, but where that cannot be each is a program of its own, as GoNB's are.
	Plain Flavor = ""
	// Dev kernels import camlib from the checkout as it is when they start.
	Dev Flavor = "-dev"
	// GoNB kernels run every cell by GoNB, as a program of its own.
	GoNB Flavor = "-gonb"
)

// flavorOf is the flavor of the kernelspec of a name.
func flavorOf(name string) Flavor {
	for _, f := range []Flavor{Dev, GoNB} {
		if strings.HasSuffix(name, string(f)) {
			return f
		}
	}
	return Plain
}

// stays reports whether cells can stay in one process.
func (e Env) stays() bool {
	_, err := os.Stat(filepath.Join(e.CellsDir(), compile.Ready))
	return err == nil
}

// flavors are the kernels that setup installs.
func (s *setup) flavors() []Flavor {
	if s.opts.GoNB && s.stays() {
		return []Flavor{Plain, GoNB}
	}
	return []Flavor{Plain}
}

// Names of the kernelspecs, one per backend.
const (
	XLACPU  = prefix + "xla-cpu"
	XLACUDA = prefix + "xla-cuda"
	PureGo  = prefix + "go"
)

// devEnv names the checkout that a developer's GoNB kernels import camlib from; the
// go command that those kernels find first (gofront) heeds it.
const devEnv = "CAMLAB_DEV"

// backends describes the kernelspec of every backend. A backend with a device
// is offered only where that device's PJRT plugin is found.
var backends = []struct{ name, display, backend, device string }{
	{XLACPU, "Go CAM · XLA CPU", "xla:cpu", "cpu"},
	{XLACUDA, "Go CAM · XLA CUDA", "xla:cuda", "cuda"},
	{PureGo, "Go CAM · pure Go", "go", ""},
}

// Spec is one installed kernelspec.
type Spec struct {
	Name    string `json:"name"`
	Display string `json:"display_name"`
	Dir     string `json:"dir"`
}

// Missing is a kernelspec that is not offered, why, and what mends that.
type Missing struct {
	Name    string `json:"name"`
	Display string `json:"display_name"`
	Why     string `json:"why"`
	Mend    string `json:"mend"`
}

func (m Missing) String() string { return m.Display + ": " + m.Why + "; " + m.Mend }

// kernelJSON is Jupyter's kernel.json
// (https://jupyter-client.readthedocs.io/en/stable/kernels.html#kernel-specs).
type kernelJSON struct {
	Argv          []string          `json:"argv"`
	DisplayName   string            `json:"display_name"`
	Language      string            `json:"language"`
	InterruptMode string            `json:"interrupt_mode"`
	Env           map[string]string `json:"env"`
	Metadata      struct {
		Camlab *mark `json:"camlab,omitempty"`
	} `json:"metadata"`
}

// mark tells our kernelspecs from other people's of a similar name.
type mark struct {
	// Made lists the folders that did not exist before the first install,
	// outermost first. Uninstall takes them away when they are empty.
	Made []string `json:"made,omitempty"`
}

// Unavailable returns the kernelspecs that Install leaves out because no plugin
// for their device is found.
func Unavailable() ([]Missing, error) {
	var all []Missing
	for _, b := range backends {
		if b.device == "" {
			continue
		}
		_, _, err := plugin.Find(b.device)
		if err == nil {
			continue
		}
		if !errors.Is(err, plugin.ErrNotFound) {
			return nil, fmt.Errorf("kernels: %w", err)
		}
		m := Missing{b.name, b.display, "no " + strings.ToUpper(b.device) + " plugin", "run `camlab setup`"}
		if b.device == "cuda" {
			m.Mend = "on a machine with an NVIDIA GPU link one into a folder of " + plugin.PathEnv + ", as docs/troubleshooting.md says, then run `camlab kernels install`"
		}
		all = append(all, m)
	}
	return all, nil
}

// Install writes the kernelspecs of the backends present into dir, a folder
// like KernelDir or UserKernelDir, in place of whatever older ones of that flavor
// hold, and takes away those of backends that are gone. Files that are right already
// are left alone; changed says whether any was not.
func (e Env) Install(dir string, flavor Flavor) (specs []Spec, changed bool, err error) {
	vars, err := e.Vars()
	if err != nil {
		return nil, false, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, false, fmt.Errorf("kernels: install: %w", err)
	}
	old, err := installed(dir)
	if err != nil {
		return nil, false, err
	}
	made := missingFolders(dir)
	for _, k := range old {
		if len(made) == 0 && k.Metadata.Camlab != nil {
			made = k.Metadata.Camlab.Made
		}
	}
	for _, b := range backends {
		spec := Spec{b.name, b.display, filepath.Join(dir, b.name)}
		env := map[string]string{"GOMLX_BACKEND": b.backend, "GOMLX_NO_AUTO_INSTALL": "1"}
		if flavor != Plain {
			spec = Spec{b.name + string(flavor), fmt.Sprintf("%s (%s)", b.display, flavor[1:]), spec.Dir + string(flavor)}
		}
		argv := []string{e.KernelBin(kernelProgram), "--kernel", "{connection_file}", "--cells", e.CellsDir()}
		switch {
		case flavor == GoNB || !e.stays():
			argv = []string{e.KernelBin("gonb"), "--kernel", "{connection_file}"}
			if flavor == Dev {
				env[devEnv] = e.Root
			}
		case flavor == Dev:
			argv = append(argv[:3], "--cells", e.CellsDir()+string(Dev), "--checkout", e.Root)
		}
		for _, v := range vars {
			name, value, _ := strings.Cut(v, "=")
			env[name] = value
		}
		if b.device != "" {
			path, _, err := plugin.Find(b.device)
			if errors.Is(err, plugin.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, false, fmt.Errorf("kernels: install: %w", err)
			}
			env[plugin.PathEnv] = filepath.Dir(path)
		}
		k := kernelJSON{
			Argv:          argv,
			DisplayName:   spec.Display,
			Language:      "go",
			InterruptMode: "signal", // a message reaches the cell's program only: no interrupt while it is compiled
			Env:           env,
		}
		k.Metadata.Camlab = &mark{Made: made}
		written, err := writeSpec(spec, k)
		if err != nil {
			return nil, false, fmt.Errorf("kernels: install: %w", err)
		}
		delete(old, spec.Name)
		specs, changed = append(specs, spec), changed || written
	}
	for name := range old {
		if flavorOf(name) != flavor {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return specs, changed, fmt.Errorf("kernels: install: %w", err)
		}
		changed = true
	}
	return specs, changed, nil
}

// List returns our kernelspecs in the given folders, in that order and sorted
// by name within each. A folder that does not exist has none; a kernelspec that
// cannot be read says so in its display name.
func List(dirs ...string) ([]Spec, error) {
	var specs []Spec
	for _, dir := range dirs {
		kernels, err := installed(dir)
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(kernels)) {
			specs = append(specs, Spec{name, kernels[name].DisplayName, filepath.Join(dir, name)})
		}
	}
	return specs, nil
}

// Uninstall takes our kernelspecs out of dir, those of all flavors, and the folders that Install has made for them, if nothing else is in
// there. It returns the names of the kernelspecs that were there.
func Uninstall(dir string) ([]string, error) {
	kernels, err := installed(dir)
	if err != nil {
		return nil, err
	}
	var gone, made []string
	for _, name := range slices.Sorted(maps.Keys(kernels)) {
		if m := kernels[name].Metadata.Camlab; m != nil {
			made = m.Made
		}
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return gone, fmt.Errorf("kernels: uninstall: %w", err)
		}
		gone = append(gone, name)
	}
	for _, folder := range slices.Backward(made) {
		if os.Remove(folder) != nil { // in use by others
			break
		}
	}
	return gone, nil
}

// installed reads our kernelspecs in a folder: those under a name that Install
// writes, whatever they hold, and those with our mark.
func installed(dir string) (map[string]kernelJSON, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("kernels: list: %w", err)
	}
	found := map[string]kernelJSON{}
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		var k kernelJSON
		text, err := os.ReadFile(filepath.Join(dir, name, "kernel.json"))
		if err == nil {
			err = json.Unmarshal(text, &k)
		}
		if err != nil {
			k = kernelJSON{DisplayName: "cannot be read: " + err.Error()}
		}
		known := slices.Contains([]string{XLACPU, XLACUDA, PureGo}, strings.TrimSuffix(name, string(flavorOf(name))))
		if known || k.Metadata.Camlab != nil {
			found[name] = k
		}
	}
	return found, nil
}

func writeSpec(spec Spec, k kernelJSON) (changed bool, err error) {
	text, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return false, err
	}
	files := map[string][]byte{"kernel.json": append(text, '\n')}
	entries, err := logos.ReadDir(".")
	if err != nil {
		return false, err
	}
	for _, logo := range entries {
		if files[logo.Name()], err = logos.ReadFile(logo.Name()); err != nil {
			return false, err
		}
	}
	// Not a folder, or a link to one that is somebody else's.
	if info, err := os.Lstat(spec.Dir); err == nil && !info.IsDir() {
		if err := os.Remove(spec.Dir); err != nil {
			return false, err
		}
	}
	if err := os.MkdirAll(spec.Dir, 0o755); err != nil {
		return false, err
	}
	present, err := os.ReadDir(spec.Dir)
	if err != nil {
		return false, err
	}
	for _, entry := range present {
		if _, ok := files[entry.Name()]; ok && entry.Type().IsRegular() {
			continue
		}
		if err := os.RemoveAll(filepath.Join(spec.Dir, entry.Name())); err != nil {
			return false, err
		}
		changed = true
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(spec.Dir, name)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, files[name]) {
			continue
		}
		if err := atomicfile.WriteFile(path, files[name]); err != nil {
			return false, err
		}
		changed = true
	}
	return changed, nil
}

// CellPrograms says how the cells of the plain kernels run, and what programs run them.
func (e Env) CellPrograms() (how string, programs []string) {
	if e.stays() {
		return "they stay in one process", []string{e.KernelBin(kernelProgram), compile.Host(e.CellsDir())}
	}
	return "each is a program of its own, run by GoNB", []string{e.KernelBin("gonb"), e.Bin("gonb"), e.Bin("goimports")}
}

// CanInstall says what is missing for the kernels of a flavor.
func (e Env) CanInstall(flavor Flavor) error {
	_, programs := e.CellPrograms()
	mend := "camlab setup"
	if flavor == GoNB {
		programs, mend = []string{e.KernelBin("gonb")}, mend+" --gonb"
	}
	if _, err := os.Stat(programs[0]); err != nil {
		return fmt.Errorf("kernels: the kernel's program is not built (%w); run `%s` first", err, mend)
	}
	return nil
}
