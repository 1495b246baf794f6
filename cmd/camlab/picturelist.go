package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/camlab-go/camlab/camlib/images"
)

// pictureList is the pictures that arguments name, in their order.
type pictureList struct {
	pictures []picture
	classes  []string // of the network, for the labels in tars
	out      string   // the folder of the results, whose pictures are not taken for others
	null     bool     // the list on standard input is one of NUL-terminated paths
	listed   bool     // and has been read
}

// add adds what an argument names: a file, a folder, a tar, a pattern, or - for a list of
// these, without patterns, on standard input.
func (l *pictureList) add(arg string, stdin io.Reader) error {
	if arg == "-" {
		if l.listed {
			return errors.New("explain: - twice, want standard input once")
		}
		l.listed = true
		return l.addList(stdin)
	}
	if _, err := os.Lstat(arg); err == nil || !strings.ContainsAny(arg, "*?[{") { // names may have these too
		return l.addPath(arg, photoName(arg))
	}
	matches, err := doublestar.FilepathGlob(arg)
	if err != nil {
		return fmt.Errorf("explain: %s: %w, want a pattern as in 'photos/**/*.jpg'", arg, err)
	}
	slices.Sort(matches)
	base, _ := doublestar.SplitPattern(filepath.ToSlash(arg))
	before := len(l.pictures)
	for _, match := range matches {
		if hidden(match) || !images.IsPicture(match) && !isTar(match) || l.isResult(base, match) {
			continue
		}
		if info, err := os.Stat(match); err == nil && info.IsDir() {
			continue // whose pictures a pattern with ** matches
		}
		if err := l.addPath(match, below(base, match)); err != nil {
			return err
		}
	}
	if len(l.pictures) == before {
		return fmt.Errorf("explain: no .png, .jpg, .gif, .webp, .bmp, .tiff or .tar is named like %s", arg)
	}
	return nil
}

// addList adds the paths of a list. Its pictures are named by their paths below the
// folder that all are in.
func (l *pictureList) addList(stdin io.Reader) error {
	end := byte('\n')
	if l.null {
		end = 0
	}
	var paths []string
	for r := bufio.NewReader(stdin); ; {
		line, err := r.ReadString(end)
		line = strings.TrimSuffix(line, string(end))
		if !l.null {
			line = strings.TrimSuffix(line, "\r")
		}
		if line != "" {
			paths = append(paths, line)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("explain: standard input: %w", err)
		}
	}
	if len(paths) == 0 {
		return errors.New("explain: no paths on standard input, want one a line, or with --null each with a NUL at its end")
	}
	base := filepath.ToSlash(filepath.Dir(paths[0]))
	for _, p := range paths {
		for base != "." && base != "/" && !strings.HasPrefix(filepath.ToSlash(filepath.Clean(p)), base+"/") {
			base = path.Dir(base)
		}
	}
	for _, p := range paths {
		if err := l.addPath(p, below(base, p)); err != nil {
			return err
		}
	}
	return nil
}

// addPath adds a picture of that name, or the pictures in a folder or tar.
func (l *pictureList) addPath(path, name string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		files, err := picturesIn(path)
		if err != nil {
			return err
		}
		for _, file := range files {
			l.pictures = append(l.pictures, picture{name: photoName(file), file: file, cls: -1})
		}
		return nil
	case err == nil && info.Mode().IsRegular() && isTar(path):
		t := &tarFile{path: path, size: info.Size(), time: info.ModTime().UnixNano()}
		pictures, err := t.list(l.classes)
		if err != nil {
			return fmt.Errorf("explain: %s: %w", path, err)
		}
		l.pictures = append(l.pictures, pictures...)
		return nil
	}
	l.pictures = append(l.pictures, picture{name: name, file: path, cls: -1}) // reading it says what is wrong
	return nil
}

// isResult reports whether a file lies in the folder of results, of which the place that a
// pattern begins at is above.
func (l *pictureList) isResult(base, file string) bool {
	abs := func(path string) string {
		path, err := filepath.Abs(filepath.FromSlash(path))
		if err != nil {
			return ""
		}
		return path + string(filepath.Separator)
	}
	out := abs(l.out)
	return l.out != "" && strings.HasPrefix(abs(file), out) && !strings.HasPrefix(abs(base), out)
}

// tellApart fails if two pictures have one name. Those of tars, which may count from 0
// each, are named after their tar too where this helps.
func (l *pictureList) tellApart() error {
	a, b := l.twins()
	if a != nil && (a.tar != nil || b.tar != nil) {
		for i := range l.pictures {
			if p := &l.pictures[i]; p.tar != nil {
				p.name = p.tar.name() + "/" + p.name
			}
		}
		a, b = l.twins()
	}
	if a != nil {
		return fmt.Errorf("explain: %s and %s would both be written as %s, want different names", a.path(), b.path(), a.name)
	}
	return nil
}

// twins are two pictures of one name, nil if there are none.
func (l *pictureList) twins() (a, b *picture) {
	seen := make(map[string]int, len(l.pictures))
	for i, p := range l.pictures {
		if other, ok := seen[p.name]; ok {
			return &l.pictures[other], &l.pictures[i]
		}
		seen[p.name] = i
	}
	return nil, nil
}

func photoName(file string) string {
	return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
}

// below is the name of a picture by its path below a folder.
func below(base, file string) string {
	rel, err := filepath.Rel(filepath.FromSlash(base), file)
	if err != nil || rel == "." || strings.HasPrefix(rel, "..") {
		return photoName(file)
	}
	return filepath.ToSlash(strings.TrimSuffix(rel, filepath.Ext(rel)))
}

// hidden reports whether a name has a dot in front; macOS leaves such files beside pictures.
func hidden(file string) bool { return strings.HasPrefix(filepath.Base(file), ".") }

// picturesIn returns the pictures in a folder, not those in folders in it, in the order
// of their names.
func picturesIn(path string) (files []string, err error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	for _, e := range entries {
		if images.IsPicture(e.Name()) && !e.IsDir() && !hidden(e.Name()) {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("explain: no .png, .jpg, .gif, .webp, .bmp or .tiff in %s; those in folders in it are '%s'", path, filepath.Join(path, "**"))
	}
	return files, nil
}
