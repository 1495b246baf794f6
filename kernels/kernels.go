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
	"runtime"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/camlab-go/camlab/internal/plugin"
)

//go:embed logo-32x32.png logo-64x64.png
var logos embed.FS

// prefix begins the names of all our kernelspecs.
const prefix = "camlab-"

// Names of the kernelspecs, one per backend.
const (
	XLACPU  = prefix + "xla-cpu"
	XLACUDA = prefix + "xla-cuda"
	PureGo  = prefix + "go"
)

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

// kernelJSON is Jupyter's kernel.json
// (https://jupyter-client.readthedocs.io/en/stable/kernels.html#kernel-specs).
type kernelJSON struct {
	Argv          []string          `json:"argv"`
	DisplayName   string            `json:"display_name"`
	Language      string            `json:"language"`
	InterruptMode string            `json:"interrupt_mode"`
	Env           map[string]string `json:"env"`
}

// Install writes the kernelspecs of the backends present into dir, a folder
// like KernelDir or UserKernelDir, and takes away ours of backends that are
// gone. Files that are right already are left alone; changed says whether any
// was not.
func (e Env) Install(dir string) (specs []Spec, changed bool, err error) {
	vars, err := e.Vars()
	if err != nil {
		return nil, false, err
	}
	for _, b := range backends {
		spec := Spec{b.name, b.display, filepath.Join(dir, b.name)}
		env := map[string]string{"GOMLX_BACKEND": b.backend, "GOMLX_NO_AUTO_INSTALL": "1"}
		for _, v := range vars {
			name, value, _ := strings.Cut(v, "=")
			env[name] = value
		}
		if b.device != "" {
			path, _, err := plugin.Find(b.device)
			if errors.Is(err, plugin.ErrNotFound) {
				removed, err := removeSpec(spec.Dir)
				if err != nil {
					return nil, false, err
				}
				changed = changed || removed
				continue
			}
			if err != nil {
				return nil, false, fmt.Errorf("kernels: install: %w", err)
			}
			env[plugin.PathEnv] = filepath.Dir(path)
		}
		written, err := writeSpec(spec, kernelJSON{
			Argv:          []string{e.Bin("gonb"), "--kernel", "{connection_file}"},
			DisplayName:   b.display,
			Language:      "go",
			InterruptMode: "message",
			Env:           env,
		})
		if err != nil {
			return nil, false, fmt.Errorf("kernels: install: %w", err)
		}
		specs, changed = append(specs, spec), changed || written
	}
	return specs, changed, nil
}

// List returns our kernelspecs in the given folders, sorted by name within
// each. A folder that does not exist has none.
func List(dirs ...string) ([]Spec, error) {
	var specs []Spec
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("kernels: list: %w", err)
		}
		for _, entry := range entries {
			if !strings.HasPrefix(entry.Name(), prefix) {
				continue
			}
			file := filepath.Join(dir, entry.Name(), "kernel.json")
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("kernels: list: %w", err)
			}
			var k kernelJSON
			if err := json.Unmarshal(text, &k); err != nil {
				return nil, fmt.Errorf("kernels: list: %s: %w", file, err)
			}
			specs = append(specs, Spec{entry.Name(), k.DisplayName, filepath.Join(dir, entry.Name())})
		}
	}
	return specs, nil
}

// Uninstall takes our kernelspecs out of dir and returns the names of those
// that were there.
func Uninstall(dir string) ([]string, error) {
	var gone []string
	for _, b := range backends {
		removed, err := removeSpec(filepath.Join(dir, b.name))
		if err != nil {
			return gone, err
		}
		if removed {
			gone = append(gone, b.name)
		}
	}
	return gone, nil
}

// UserKernelDir is the folder of the user's own kernelspecs: JUPYTER_DATA_DIR
// where that is set, else Jupyter's place for this operating system.
func UserKernelDir() (string, error) {
	if dir := os.Getenv("JUPYTER_DATA_DIR"); dir != "" {
		return filepath.Join(dir, "kernels"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("kernels: user folder: %w", err)
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Jupyter", "kernels"), nil
	}
	data := os.Getenv("XDG_DATA_HOME")
	if data == "" {
		data = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(data, "jupyter", "kernels"), nil
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
	if err := os.MkdirAll(spec.Dir, 0o755); err != nil {
		return false, err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(spec.Dir, name)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, files[name]) {
			continue
		}
		if err := renameio.WriteFile(path, files[name], 0o644); err != nil {
			return false, err
		}
		changed = true
	}
	return changed, nil
}

func removeSpec(dir string) (removed bool, err error) {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return false, fmt.Errorf("kernels: remove: %w", err)
	}
	return true, nil
}
