package kernels

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// What JupyterLab and nbconvert leave out of a notebook's outputs: pictures'
// alternative text, and lines that stay lines where the window is narrow. They
// are an extension for the one and a template for the other, both by their
// documented interfaces.
var (
	//go:embed labextension
	labExtension embed.FS
	//go:embed page
	pageTemplate embed.FS
	// labSettings are the environment's defaults of JupyterLab's settings: it asks
	// nobody for news.
	//go:embed labsettings
	labSettings embed.FS
)

// installLabExtension writes our extension of JupyterLab, and our defaults of its
// settings, into the environment, where they are not there already.
func (e Env) installLabExtension() (changed bool, err error) {
	share := filepath.Join(e.Dir(), "share", "jupyter")
	extension, err := writeFolder(labExtension, "labextension", filepath.Join(share, "labextensions", "camlab-outputs"))
	if err != nil {
		return extension, err
	}
	settings, err := writeFolder(labSettings, "labsettings", filepath.Join(share, "lab", "settings"))
	return extension || settings, err
}

// writeFolder writes the files of a folder of an embedded tree into dir; changed says
// whether any was not there as it is.
func writeFolder(tree fs.FS, folder, dir string) (changed bool, err error) {
	err = fs.WalkDir(tree, folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(tree, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(path[len(folder):]))
		if old, err := os.ReadFile(to); err == nil && bytes.Equal(old, data) {
			return nil
		}
		changed = true
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o644)
	})
	if err != nil {
		return changed, fmt.Errorf("kernels: install: %w", err)
	}
	return changed, nil
}
