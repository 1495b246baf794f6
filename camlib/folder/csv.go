package folder

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/camlab-go/camlab/camlib/images"
)

// OpenCSV returns the pictures that a CSV file lists (RFC 4180). Its first line names the
// columns, among them path and label; others are passed over. A path is relative to the
// file's folder, or absolute; a label is the name of a class.
//
//	path,label
//	photos/one.jpg,cat
//
// It fails as [Open] does, and for a picture that is listed twice.
func OpenCSV(path string, o Options) (*Dataset, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("folder: %w, want a CSV file of paths and labels", err)
	}
	defer f.Close()
	labeled, err := readCSV(f, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("folder: %s: %w", path, err)
	}
	return open(path, labeled, o)
}

// readCSV returns the pictures that a file lists, their paths from a folder.
func readCSV(r io.Reader, dir string) (labeled []pair, err error) {
	text := bufio.NewReader(r)
	if mark, err := text.Peek(3); err == nil && string(mark) == "\ufeff" { // as Excel begins a file
		_, _ = text.Discard(3)
	}
	rows := csv.NewReader(text)
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	at := func(name string) int {
		return slices.IndexFunc(header, func(h string) bool { return strings.EqualFold(strings.TrimSpace(h), name) })
	}
	pathAt, labelAt := at("path"), at("label")
	if pathAt < 0 || labelAt < 0 {
		return nil, fmt.Errorf("its first line is %q, want the names of columns, path and label among them", strings.Join(header, ","))
	}
	lines := make(map[string]int)
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		line, _ := rows.FieldPos(0)
		path, label := strings.TrimSpace(row[pathAt]), strings.TrimSpace(row[labelAt])
		if path == "" || label == "" {
			return nil, fmt.Errorf("line %d: path %q, label %q, want both", line, path, label)
		}
		if !images.IsPicture(path) {
			return nil, fmt.Errorf("line %d: %s, want a .png, .jpg, .gif, .webp, .bmp or .tiff", line, path)
		}
		if path = filepath.FromSlash(path); !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		path = filepath.Clean(path)
		if first, ok := lines[path]; ok {
			return nil, fmt.Errorf("line %d: %s, which line %d has too, want every picture once", line, path, first)
		}
		lines[path] = line
		labeled = append(labeled, pair{path, label})
	}
	if len(labeled) == 0 {
		return nil, errors.New("no pictures, want a path and a label on each line after the first")
	}
	return labeled, nil
}
