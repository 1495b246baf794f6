package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/camlab-go/camlab/internal/legible"
	"github.com/camlab-go/camlab/internal/npy"
	"github.com/camlab-go/camlab/internal/outdir"
)

// manifest is what an explanation's maps were made of and with: manifest.json.
type manifest struct {
	Model       string        `json:"model"`
	ModelSHA256 string        `json:"model_sha256"` // of its weights in .safetensors form
	Split       string        `json:"split,omitempty"`
	Shard       string        `json:"shard,omitempty"` // which of all images these are
	NumImages   int           `json:"num_images"`
	NumFailed   int           `json:"num_failed"`
	Records     string        `json:"records"`          // a file with a record of each image
	Scores      string        `json:"scores,omitempty"` // a file with a row for each map
	Images      []explained   `json:"images,omitempty"` // as in the records; of more than wholeManifest there alone
	Failed      []failedImage `json:"failed,omitempty"` // pictures that could not be read, of which there are no maps
	Classes     []string      `json:"classes"`
	Class       string        `json:"class"` // as asked for
	Methods     []string      `json:"method"`
	Layer       string        `json:"layer,omitempty"` // where the network was split; empty is its last
	Smooth      bool          `json:"smooth,omitempty"`
	MapShape    []int         `json:"map_shape"` // of the first method's file
	Maps        []mapFile     `json:"maps"`
	Resize      string        `json:"resize"` // of the maps in the pictures; the files hold them as they are
	Photos      string        `json:"photos,omitempty"`
	Backend     string        `json:"backend"`
	Plugin      string        `json:"plugin"`
	Versions    versions      `json:"versions"`
	Seed        int64         `json:"seed"`            // 0: what a method draws is the same in every run
	Settings    string        `json:"settings_sha256"` // of all that the results depend on: equal for runs that write the same

	failure string // of the first picture that could not be read
}

// wholeManifest is of how many images, those that could not be read among them, the
// manifest holds all that the records do. More would take memory, of camlab and of
// whoever reads it, where the records can be read one by one.
var wholeManifest = 10_000

// mapFile is what one method made; the lists hold one value for each map, where the
// manifest is whole.
type mapFile struct {
	Method   string    `json:"method"`
	File     string    `json:"file"`
	Shape    []int     `json:"shape"`
	Signed   bool      `json:"signed"`
	Score    []float32 `json:"score,omitempty"`    // what the map explains
	Residual []float32 `json:"residual,omitempty"` // the score that the map adds up to less Score, where the method promises that
	Outcome  []string  `json:"outcome,omitempty"`  // ok, or what the map cannot show
}

// explained is one image of a [manifest].
type explained struct {
	Name      string   `json:"name"`           // index in its split, or file name without its ending
	File      string   `json:"file,omitempty"` // bytes that are not UTF-8 as \xe9
	Label     string   `json:"label,omitempty"`
	Predicted string   `json:"predicted"`
	Class     string   `json:"class,omitempty"` // that its map is of, or what else was asked of it, such as "not cat"; none when the maps are of several classes
	Rival     string   `json:"rival,omitempty"` // that the class was contrasted with
	Pictures  []string `json:"pictures"`        // files, method after method
}

// failedImage is one picture that could not be read.
type failedImage struct {
	Name  string `json:"name"`
	File  string `json:"file"`
	Error string `json:"error"`
}

// finished returns the manifest in a folder if it is of these settings. One that
// promises files that are not there is removed.
func finished(dir, settings string) *manifest {
	path := filepath.Join(dir, manifestFile)
	if !isFile(path) {
		return nil
	}
	text, err := os.ReadFile(path)
	m := &manifest{}
	if err != nil || json.Unmarshal(text, m) != nil {
		return nil
	}
	if m.Records == "" {
		return nil // of a camlab from before there were records, and so of other settings
	}
	if !m.kept(dir) {
		_ = os.Remove(path)
		return nil
	}
	if m.Settings != settings {
		return nil
	}
	_ = os.RemoveAll(filepath.Join(dir, unfinished)) // stopped after the manifest
	return m
}

// kept reports whether all that a manifest promises is in a folder.
func (m *manifest) kept(dir string) bool {
	arrays := []mapFile{{File: logitsFile, Shape: []int{m.NumImages, len(m.Classes)}}}
	for _, f := range append(arrays, m.Maps...) {
		if info, err := os.Stat(filepath.Join(dir, f.File)); err != nil || info.Size() != f.size() {
			return false
		}
	}
	if m.Scores != "" && !isFile(filepath.Join(dir, m.Scores)) {
		return false
	}
	images, failed := 0, 0
	err := readRecords(filepath.Join(dir, recordsFile), func(r record) error {
		if r.Error != "" {
			if failed++; failed == 1 {
				m.failure = r.Error
			}
			return nil
		}
		images++
		for _, name := range r.Pictures {
			if !isFile(filepath.Join(dir, name)) {
				return fs.ErrNotExist
			}
		}
		return nil
	})
	return err == nil && images == m.NumImages && failed == m.NumFailed
}

// take takes a record into a manifest that is whole.
func (m *manifest) take(r record) error {
	if r.Error != "" {
		m.Failed = append(m.Failed, failedImage{r.Name, r.File, r.Error})
		return nil
	}
	m.Images = append(m.Images, r.explained)
	for k, made := range r.Maps {
		f := &m.Maps[k]
		f.Score, f.Residual, f.Outcome = append(f.Score, made.Score...), append(f.Residual, made.Residual...), append(f.Outcome, made.Outcome...)
	}
	return nil
}

// size is the length of the file, in bytes.
func (f mapFile) size() int64 {
	size := int64(4)
	for _, d := range f.Shape {
		size *= int64(d)
	}
	return npy.HeaderSize + size
}

// free finds folders where files are to be.
func (m *manifest) free(dir string) error {
	there, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	names := []string{manifestFile, logitsFile, recordsFile, scoresFile}
	for _, f := range m.Maps {
		names = append(names, f.File)
		ending := "_" + strings.TrimSuffix(strings.TrimPrefix(f.File, "maps_"), ".npy") + ".png"
		for _, e := range there { // predictions are not known yet, so any picture's name
			if e.IsDir() && strings.HasSuffix(e.Name(), ending) {
				names = append(names, e.Name())
			}
		}
	}
	return outdir.Free(dir, names...)
}

// print writes what a person is told.
func (m *manifest) print(w io.Writer, dir string, drawn bool) error {
	for _, im := range m.Images {
		fmt.Fprintf(w, "%s: predicted %s\n", legible.Line(im.Name), legible.Line(im.Predicted))
	}
	what := "maps, pictures and manifest.json"
	if !drawn {
		what = "maps and manifest.json"
	}
	if m.Images == nil {
		what += fmt.Sprintf(" of %d images", m.NumImages)
	}
	_, err := fmt.Fprintf(w, "%s are in %s\n", what, dir)
	return err
}
