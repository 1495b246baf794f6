package kernels

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Place is a folder in which Jupyter looks for kernelspecs.
type Place struct {
	Name string `json:"place"`
	Dir  string `json:"dir"`
}

// missingFolders lists dir and the folders above it that do not exist,
// outermost first.
func missingFolders(dir string) []string {
	var missing []string
	for {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			slices.Reverse(missing)
			return missing
		}
		missing = append(missing, dir)
		dir = filepath.Dir(dir)
	}
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

// PrefixKernelDir is the folder of the kernelspecs of the Python environment in
// prefix.
func PrefixKernelDir(prefix string) string {
	return filepath.Join(prefix, "share", "jupyter", "kernels")
}

// SysPrefix asks the Python in use for its sys.prefix, the environment that
// Jupyter's --sys-prefix means: the one of VIRTUAL_ENV or CONDA_PREFIX, else the
// first python3 in PATH.
func SysPrefix() (string, error) {
	python := "python3"
	for _, name := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if dir := os.Getenv(name); dir != "" {
			python = filepath.Join(dir, "bin", "python")
			break
		}
	}
	out, err := exec.Command(python, "-c", "import sys; print(sys.prefix)").Output()
	if err != nil {
		return "", fmt.Errorf("kernels: sys.prefix of %s: %w; activate an environment, or name its folder with --prefix", python, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Places returns the folders in which the environment's Jupyter looks for
// kernelspecs, in its order (`jupyter --paths`): of two kernelspecs of one name
// it takes the first.
func (e Env) Places() ([]Place, error) {
	var places []Place
	for _, dir := range filepath.SplitList(os.Getenv("JUPYTER_PATH")) {
		places = append(places, Place{"JUPYTER_PATH", filepath.Join(dir, "kernels")})
	}
	dir, err := UserKernelDir()
	if err != nil {
		return nil, err
	}
	user, env := Place{"user", dir}, Place{"environment", e.KernelDir()}
	if v, set := os.LookupEnv("JUPYTER_PREFER_ENV_PATH"); set && slices.Contains([]string{"no", "n", "false", "off", "0", "0.0"}, strings.ToLower(v)) {
		places = append(places, user, env)
	} else { // also the default of a virtual environment's Python
		places = append(places, env, user)
	}
	return append(places, Place{"system", "/usr/local/share/jupyter/kernels"}, Place{"system", "/usr/share/jupyter/kernels"}), nil
}
