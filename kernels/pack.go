package kernels

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// packed lists what a program that imports the module needs: no notebooks, no
// documents, no tests.
var packed = []string{"LICENSE", "camlib", "cmd", "go.mod", "go.sum", "internal", "kernels"}

// Pack writes the module into the environment's proxy tree and returns its
// version, v0.0.0-dev.h followed by 12 digits of a hash of the files' names
// and contents. The version follows from the content because the go command
// keeps every version that it has seen for ever: an edited checkout under an
// old version would be shadowed by the module cache. The letter h keeps an
// all-digit hash from being a number, which may not begin with a zero.
//
// The tree holds one version at a time, so that @latest has no choice. When it
// holds the right one already nothing is written and changed is false.
func (e Env) Pack() (version string, changed bool, err error) {
	files, hash, err := e.packFiles()
	if err != nil {
		return "", false, fmt.Errorf("kernels: pack: %w", err)
	}
	version = "v0.0.0-dev.h" + hash[:12]
	parent := filepath.Join(e.ProxyDir(), filepath.FromSlash(ModulePath))
	dir := filepath.Join(parent, "@v")
	if _, err := os.Stat(filepath.Join(dir, version+".zip")); err == nil {
		return version, false, nil
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", false, fmt.Errorf("kernels: pack: %w", err)
	}
	tmp, err := os.MkdirTemp(parent, "pack-")
	if err != nil {
		return "", false, fmt.Errorf("kernels: pack: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := e.writeVersion(tmp, version, files); err != nil {
		return "", false, fmt.Errorf("kernels: pack: %w", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", false, fmt.Errorf("kernels: pack: %w", err)
	}
	if err := os.Rename(tmp, dir); err != nil {
		return "", false, fmt.Errorf("kernels: pack: %w", err)
	}
	return version, true, nil
}

func (e Env) writeVersion(dir, version string, files []zip.File) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(e.Root, "go.mod"))
	if err != nil {
		return err
	}
	info, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{version, time.Unix(0, 0).UTC()})
	if err != nil {
		return err
	}
	var archive bytes.Buffer
	if err := zip.Create(&archive, module.Version{Path: ModulePath, Version: version}, files); err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		"list":            []byte(version + "\n"),
		version + ".info": info,
		version + ".mod":  mod,
		version + ".zip":  archive.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// packFiles lists the files to pack, in order of their names, and their hash.
func (e Env) packFiles() ([]zip.File, string, error) {
	var files []zip.File
	sum := sha256.New()
	for _, root := range packed {
		err := filepath.WalkDir(filepath.Join(e.Root, root), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name := d.Name()
			if d.IsDir() && (name == "testdata" || strings.HasPrefix(name, ".")) {
				return filepath.SkipDir
			}
			if !d.Type().IsRegular() || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, ".") {
				return nil
			}
			rel, err := filepath.Rel(e.Root, path)
			if err != nil {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			rel = filepath.ToSlash(rel)
			fmt.Fprintf(sum, "%s %d\n", rel, len(data))
			sum.Write(data)
			files = append(files, memFile{rel, data, d})
			return nil
		})
		if err != nil {
			return nil, "", err
		}
	}
	slices.SortFunc(files, func(a, b zip.File) int { return strings.Compare(a.Path(), b.Path()) })
	return files, hex.EncodeToString(sum.Sum(nil)), nil
}

// memFile is a file read once, for its hash and for the archive.
type memFile struct {
	path string
	data []byte
	fs.DirEntry
}

func (f memFile) Path() string                 { return f.path }
func (f memFile) Lstat() (fs.FileInfo, error)  { return f.Info() }
func (f memFile) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(f.data)), nil }
