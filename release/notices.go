package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
)

// module is one that is linked into a program.
type module struct {
	path, version string
	dir           string   // its files
	packages      []string // folders of its packages that are linked
}

// linked returns the modules of a program, as the program itself lists them, with
// their folders, as the go command does, and Go's standard library.
func linked(ctx context.Context, env []string, info *debug.BuildInfo) ([]module, error) {
	out, err := command(ctx, env, "go", "list", "-deps", "-json=Dir,Module", "./cmd/camlab")
	if err != nil {
		return nil, err
	}
	found := make(map[string]*module)
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg struct {
			Dir    string
			Module *struct{ Path, Version, Dir string }
		}
		if err := d.Decode(&pkg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if pkg.Module == nil { // the standard library's
			continue
		}
		m := found[pkg.Module.Path]
		if m == nil {
			m = &module{path: pkg.Module.Path, version: pkg.Module.Version, dir: pkg.Module.Dir}
			found[m.path] = m
		}
		m.packages = append(m.packages, pkg.Dir)
	}
	goroot, err := command(ctx, env, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	dir := strings.TrimSpace(string(goroot))
	modules := []module{{path: "Go standard library and runtime", version: info.GoVersion, dir: dir, packages: []string{dir}}}
	for _, dep := range info.Deps {
		m := found[dep.Path]
		if m == nil || m.version != dep.Version || dep.Replace != nil {
			return nil, fmt.Errorf("%s %s is in the program, but not in go.mod as it is", dep.Path, dep.Version)
		}
		modules = append(modules, *m)
	}
	return modules, nil
}

var (
	licenseName = regexp.MustCompile(`(?i)^(un)?licen[cs]es?\b|^copying\b`)
	noticeName  = regexp.MustCompile(`(?i)^(notice|patents|copyright)\b`)
	// elsewhere are files with more terms: those of the bitmap fonts, of which some
	// are under the Open Font License, whose text the module lacks.
	elsewhere = map[string][]string{bitmapFonts: {"README.md"}}
)

const bitmapFonts = "github.com/hajimehoshi/bitmapfont/v3"

//go:embed OFL-1.1.txt
var openFontLicense []byte

// notices returns the licenses of all modules in full. A module's are in its
// own folder and in those of the packages that are linked and what holds them:
// a module may hold others' code. Every module has to have one.
func notices(modules []module) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `camlab, which is under the license in LICENSE, holds code of the %d modules below, each under its own.
It also holds 1,000 images of CIFAR-10 and a network trained on it: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
`, len(modules))
	for _, m := range modules {
		fmt.Fprintf(&b, "\n%s\n%s %s\n", strings.Repeat("=", 80), m.path, m.version)
		files, err := m.licenses()
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			text, err := os.ReadFile(filepath.Join(m.dir, f))
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(&b, "\n%s\n%s\n%s\n", f, strings.Repeat("-", 80), bytes.TrimSpace(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))))
		}
		if m.path == bitmapFonts {
			fmt.Fprintf(&b, "\nOFL-1.1.txt\n%s\n%s", strings.Repeat("-", 80), openFontLicense)
		}
	}
	return b.Bytes(), nil
}

// licenses returns the names, with slashes, of a module's files of licenses and notices.
func (m module) licenses() (files []string, err error) {
	folders := []string{"."}
	for _, p := range m.packages {
		rel, err := filepath.Rel(m.dir, p)
		if err != nil {
			return nil, err
		}
		for rel = filepath.ToSlash(rel); rel != "."; rel = path.Dir(rel) {
			folders = append(folders, rel)
		}
	}
	slices.Sort(folders)
	has := false
	for _, folder := range slices.Compact(folders) {
		entries, err := os.ReadDir(filepath.Join(m.dir, folder))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			name := e.Name()
			license := licenseName.MatchString(name)
			if e.IsDir() || path.Ext(name) == ".go" || !license && !noticeName.MatchString(name) {
				continue
			}
			has = has || license
			files = append(files, path.Join(folder, name))
		}
	}
	files = append(files, elsewhere[m.path]...)
	if !has {
		return nil, fmt.Errorf("%s %s has no license in %s, want a file LICENSE or COPYING", m.path, m.version, m.dir)
	}
	return files, nil
}
