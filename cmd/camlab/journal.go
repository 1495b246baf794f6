package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/camlab-go/camlab/internal/atomicfile"
)

// journal is what a run of explain has done so far, so that the next one goes on:
// the file journal in the folder unfinished, beside the other files as far as they are.
// Its first line holds the settings, and every other one a unit of work whose
// pictures and values are on disk. All lines begin with their checksum, for the
// last one may be torn.
type journal struct {
	dir, work string
	file      *os.File
	files     []*growing // logits.npy, those of the methods, and those of records
	methods   []mapFile
	units     int                 // so far
	chunk     []unit              // of the images that the last unit is of, as far as they are
	images    int                 // explained in all chunks that are whole
	failed    int                 // pictures that could not be read
	failure   string              // of the first of them
	taken     map[uint64]struct{} // names of pictures, see hash
	synced    time.Time
}

// unit is what one method made of one chunk of images.
type unit struct {
	Method   int           `json:"method"`           // its number
	Classes  int           `json:"classes"`          // the scores of an image
	Images   []explained   `json:"images,omitempty"` // with the first method
	Failed   []failedImage `json:"failed,omitempty"`
	Pictures [][]string    `json:"pictures"` // file names, for each image
	Shape    []int         `json:"shape"`    // of an image's maps
	Score    []float32     `json:"score"`
	Residual []float32     `json:"residual,omitempty"`
	Outcome  []string      `json:"outcome"`
	Of       []string      `json:"of"`     // the class of each map
	Pieces   map[int]piece `json:"pieces"` // of the files that it added to

	logits, maps []float32
}

const (
	unfinished   = "unfinished"    // the folder in --out
	manifestFile = "manifest.json" // says that all else is there
)

// openJournal opens the journal in a folder and reads how far it got. One of other
// settings, or none, begins anew; differ lists the settings that are not the same.
func openJournal(dir string, s settings, methods []mapFile, csv bool) (_ *journal, differ []string, err error) {
	j := &journal{dir: dir, work: filepath.Join(dir, unfinished), methods: methods, taken: make(map[uint64]struct{})}
	j.files = append(j.files, &growing{name: logitsFile, array: true})
	for _, f := range methods {
		j.files = append(j.files, &growing{name: f.File, array: true})
	}
	j.files = append(j.files, &growing{name: recordsFile})
	if csv {
		j.files = append(j.files, &growing{name: scoresFile})
	}
	defer func() {
		if err != nil {
			j.close()
		}
	}()
	path := filepath.Join(j.work, "journal")
	if j.file, err = os.OpenFile(path, os.O_RDWR, 0); err == nil {
		var old settings
		if first, _, ok := readLine(bufio.NewReader(j.file)); ok && json.Unmarshal(first, &old) == nil {
			if differ = s.differ(old); len(differ) == 0 {
				return j, nil, j.goOn()
			}
		}
		_ = j.file.Close()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	if err := ours(j.work); err != nil {
		return nil, nil, err
	}
	if err := errors.Join(os.RemoveAll(j.work), os.MkdirAll(j.work, 0o755)); err != nil {
		return nil, nil, err
	}
	if j.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644); err != nil {
		return nil, nil, err
	}
	for _, f := range j.files {
		if err := f.open(filepath.Join(j.work, f.name), os.O_CREATE); err != nil {
			return nil, nil, err
		}
	}
	return j, differ, j.write(s)
}

// ours fails on a folder that an explanation did not leave there.
func ours(work string) error {
	entries, err := os.ReadDir(work)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w, want the folder of an unfinished run or nothing there", err)
	}
	for _, e := range entries {
		name := e.Name()
		known := slices.Contains([]string{"journal", recordsFile, scoresFile}, name) || filepath.Ext(name) == ".npy" || strings.HasPrefix(name, ".")
		if e.IsDir() || !known {
			return fmt.Errorf("%s holds %q, which is not of an unfinished run: move it away, or choose another --out", work, name)
		}
	}
	return nil
}

// goOn reads the units up to the first one that is not whole, and forgets what
// comes after it.
func (j *journal) goOn() error {
	for _, f := range j.files {
		path := filepath.Join(j.work, f.name)
		err := f.open(path, 0)
		if errors.Is(err, fs.ErrNotExist) { // stopped while the whole files got their places
			if err := os.Rename(filepath.Join(j.dir, f.name), path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			err = f.open(path, os.O_CREATE)
		}
		if err != nil {
			return err
		}
	}
	end, err := j.each(func(u unit) bool {
		for _, name := range slices.Concat(u.Pictures...) {
			if !isFile(filepath.Join(j.dir, name)) {
				return false
			}
		}
		for i, p := range u.Pieces {
			if i >= len(j.files) || !j.files[i].has(p) {
				return false
			}
		}
		for i, p := range u.Pieces {
			j.files[i].end += p.Size
		}
		j.did(u)
		return true
	})
	if err != nil {
		return err
	}
	if err := j.file.Truncate(end); err != nil {
		return err
	}
	if _, err := j.file.Seek(end, io.SeekStart); err != nil {
		return err
	}
	for _, f := range j.files {
		if err := f.truncate(); err != nil {
			return err
		}
	}
	return nil
}

// each calls visit with every unit, until it returns false, and returns where in
// the file the last unit ends that it took.
func (j *journal) each(visit func(u unit) bool) (end int64, err error) {
	if _, err := j.file.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	r := bufio.NewReaderSize(j.file, 1<<16)
	_, n, _ := readLine(r) // the settings
	for end = int64(n); ; end += int64(n) {
		var u unit
		var text []byte
		var ok bool
		if text, n, ok = readLine(r); !ok || json.Unmarshal(text, &u) != nil || !visit(u) {
			return end, nil
		}
	}
}

// did takes a unit into account.
func (j *journal) did(u unit) {
	for _, name := range slices.Concat(u.Pictures...) {
		j.taken[hash(name)] = struct{}{}
	}
	j.rows(u)
	if u.Method == 0 {
		j.chunk = nil
		if j.failed += len(u.Failed); j.failure == "" && len(u.Failed) > 0 {
			j.failure = u.Failed[0].Error
		}
	}
	u.logits, u.maps = nil, nil
	j.chunk, j.units = append(j.chunk, u), j.units+1
	if u.Method == len(j.methods)-1 {
		j.images += len(j.chunk[0].Images)
	}
}

// rows tells the arrays what a row of them is, once a unit knows.
func (j *journal) rows(u unit) {
	if u.Shape != nil {
		j.files[0].row, j.files[1+u.Method].row = []int{u.Classes}, u.Shape
	}
}

// add writes a unit, whose pictures are on disk, and with the last one of a chunk the
// chunk's records.
func (j *journal) add(u unit) error {
	j.rows(u)
	added := map[int][]byte{0: bytesOf(u.logits), 1 + u.Method: bytesOf(u.maps)}
	if u.Method == len(j.methods)-1 {
		if err := j.record(append(slices.Clone(j.chunk[:u.Method]), u), added); err != nil {
			return err
		}
	}
	u.Pieces = make(map[int]piece)
	for i, b := range added {
		if len(b) == 0 {
			continue
		}
		var err error
		if u.Pieces[i], err = j.files[i].append(b); err != nil {
			return err
		}
	}
	if err := j.write(u); err != nil {
		return err
	}
	j.did(u)
	return nil
}

// record adds what the files of records get of a chunk.
func (j *journal) record(chunk []unit, added map[int][]byte) (err error) {
	records := chunkRecords(chunk, j.images, j.methods)
	for i, f := range j.files {
		switch f.name {
		case recordsFile:
			added[i], err = recordLines(records, chunk[0].Failed)
		case scoresFile:
			added[i], err = scoreRows(records, f.end == 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// write appends a line. What is written outlives the program. A power cut may take more
// than the last second of it, of which the checksums tell.
func (j *journal) write(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(j.file, "%08x %s\n", crc32.ChecksumIEEE(text), text); err != nil {
		return err
	}
	if time.Since(j.synced) < time.Second {
		return nil
	}
	return j.sync()
}

// sync has the disk hold all that was written.
func (j *journal) sync() error {
	for _, f := range j.files {
		if err := f.file.Sync(); err != nil {
			return err
		}
	}
	j.synced = time.Now()
	return j.file.Sync()
}

// readLine reads a line, of n bytes, and tells whether it is whole.
func readLine(r *bufio.Reader) (text []byte, n int, ok bool) {
	line, err := r.ReadBytes('\n')
	sum, text, found := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
	want, bad := strconv.ParseUint(string(sum), 16, 32)
	return text, len(line), err == nil && found && bad == nil && crc32.ChecksumIEEE(text) == uint32(want)
}

// finish completes the manifest, gives the files their places, and writes it last.
func (j *journal) finish(m *manifest) error {
	if err := j.sync(); err != nil {
		return err
	}
	m.NumImages, m.NumFailed, m.failure = j.images, j.failed, j.failure
	for k := range m.Maps {
		m.Maps[k].Shape = j.files[1+k].shape()
	}
	m.MapShape = m.Maps[0].Shape
	if j.images+j.failed <= wholeManifest {
		if err := readRecords(filepath.Join(j.work, recordsFile), m.take); err != nil {
			return err
		}
	}
	for _, f := range j.files {
		if err := os.Rename(filepath.Join(j.work, f.name), filepath.Join(j.dir, f.name)); err != nil {
			return err
		}
	}
	if err := atomicfile.Write(filepath.Join(j.dir, manifestFile), func(w io.Writer) error { return printJSON(w, m) }); err != nil {
		return err
	}
	return j.remove()
}

// remove takes the journal away.
func (j *journal) remove() error {
	j.close()
	return os.RemoveAll(j.work)
}

func (j *journal) close() {
	if j.file != nil {
		_ = j.file.Close()
	}
	for _, f := range j.files {
		if f.file != nil {
			_ = f.file.Close()
		}
	}
}

// isFile reports whether a file with something in it is there.
func isFile(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() > 0
}
