// Package front is what the programs share that stand before others of the same
// name in the PATH of the notebook kernels (kernels/gofront, kernels/gonbfront),
// and kernels/goenv and kernels/gokernel, which lie beside them.
package front

import (
	"os"
	"os/exec"
	"path/filepath"
)

// Dir is the name of the folder that they lie in: nothing in a folder of that name
// is the real program.
const Dir = "kernel-bin"

// Real finds the program that this one stands for: the next one of that name in
// PATH, by an absolute path.
func Real(name string) (path string, ok bool) {
	own, ownErr := executable()
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path, err := exec.LookPath(filepath.Join(dir, name))
		if err != nil || !filepath.IsAbs(path) || filepath.Base(dir) == Dir {
			continue
		}
		if info, err := os.Stat(path); err == nil && (ownErr != nil || !os.SameFile(info, own)) {
			return path, true
		}
	}
	return "", false
}

// Spare is the folder of goenv.Folders in the environment that this program belongs
// to: cache in .venv, for one that lies in .venv/share/camlab/kernel-bin.
func Spare() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(self), "..", "..", "..", "cache"), nil
}

func executable() (os.FileInfo, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return os.Stat(self)
}
