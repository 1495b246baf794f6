package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
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

	"github.com/camlab-go/camlab/internal/atomicfile"
)

// journal is what a run of explain has done so far, so that the next one goes on:
// the file journal in the folder unfinished, beside the arrays as far as they are.
// Its first line holds the settings, and every other one a unit of work whose
// pictures and values are on disk. All lines begin with their checksum, for the
// last one may be torn.
type journal struct {
	dir, work string
	file      *os.File
	arrays    []*npyFile // logits.npy, then those of the methods
	last      unit
	taken     map[uint64]bool // names of pictures, see hash
	units     int             // so far
}

// settings are what the results depend on. A run goes on only with the same.
type settings map[string]string

// unit is what one method made of one chunk of images.
type unit struct {
	Method   int            `json:"method"` // its number
	Images   []explained    `json:"images,omitempty"`
	Failed   []failedImage  `json:"failed,omitempty"`
	Pictures [][]string     `json:"pictures"` // file names, for each image
	Shape    []int          `json:"shape"`    // of an image's maps
	Classes  int            `json:"classes"`  // the scores of an image
	Score    []float32      `json:"score"`
	Residual []float32      `json:"residual,omitempty"`
	Outcome  []string       `json:"outcome"`
	Sums     map[int]uint32 `json:"sums"` // of the bytes that array i got

	logits, maps []float32
}

const (
	unfinished   = "unfinished"    // the folder in --out
	manifestFile = "manifest.json" // says that all else is there
)

// openJournal opens the journal in a folder and reads how far it got. One of other
// settings, or none, begins anew; differ lists the settings that are not the same.
func openJournal(dir string, s settings, arrays []string) (_ *journal, differ []string, err error) {
	j := &journal{dir: dir, work: filepath.Join(dir, unfinished), taken: make(map[uint64]bool)}
	for _, name := range arrays {
		j.arrays = append(j.arrays, &npyFile{name: name})
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
	for _, a := range j.arrays {
		if err := a.open(filepath.Join(j.work, a.name), os.O_CREATE); err != nil {
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
		if name := e.Name(); e.IsDir() || name != "journal" && filepath.Ext(name) != ".npy" && !strings.HasPrefix(name, ".") {
			return fmt.Errorf("%s holds %q, which is not of an unfinished run: move it away, or choose another --out", work, name)
		}
	}
	return nil
}

// goOn reads the units up to the first one that is not whole, and forgets what
// comes after it.
func (j *journal) goOn() error {
	for _, a := range j.arrays {
		path := filepath.Join(j.work, a.name)
		err := a.open(path, 0)
		if errors.Is(err, fs.ErrNotExist) { // stopped while the whole arrays got their places
			if err := os.Rename(filepath.Join(j.dir, a.name), path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			err = a.open(path, os.O_CREATE)
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
		for i, sum := range u.Sums {
			if !j.arrays[i].has(sum, u.values(i)) {
				return false
			}
		}
		for i := range u.Sums {
			j.arrays[i].end += int64(4 * u.values(i))
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
	for _, a := range j.arrays {
		if err := a.truncate(); err != nil {
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
		j.taken[hash(name)] = true
	}
	j.last, j.units = u, j.units+1
	j.last.Images, j.last.Score, j.last.Residual, j.last.Outcome, j.last.logits, j.last.maps = nil, nil, nil, nil, nil, nil
}

// add writes a unit, whose pictures are on disk.
func (j *journal) add(u unit) error {
	u.Sums = make(map[int]uint32)
	for i, values := range map[int][]float32{0: u.logits, 1 + u.Method: u.maps} {
		if len(values) == 0 {
			continue
		}
		var err error
		if u.Sums[i], err = j.arrays[i].append(values); err != nil {
			return err
		}
	}
	if err := j.write(u); err != nil {
		return err
	}
	j.did(u)
	return nil
}

// write appends a line.
func (j *journal) write(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(j.file, "%08x %s\n", crc32.ChecksumIEEE(text), text); err != nil {
		return err
	}
	return j.file.Sync()
}

// readLine reads a line, of n bytes, and tells whether it is whole.
func readLine(r *bufio.Reader) (text []byte, n int, ok bool) {
	line, err := r.ReadBytes('\n')
	sum, text, found := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
	want, bad := strconv.ParseUint(string(sum), 16, 32)
	return text, len(line), err == nil && found && bad == nil && crc32.ChecksumIEEE(text) == uint32(want)
}

// finish gives the arrays of n images their places, and writes the manifest last.
func (j *journal) finish(n, classes int, m *manifest) error {
	for i, a := range j.arrays {
		shape := []int{n, classes}
		if i > 0 {
			shape = m.Maps[i-1].Shape
		}
		if err := a.finish(shape); err != nil {
			return err
		}
	}
	for _, a := range j.arrays {
		if err := os.Rename(filepath.Join(j.work, a.name), filepath.Join(j.dir, a.name)); err != nil {
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
		_ = j.file.Close() // its lines are synced
	}
	for _, a := range j.arrays {
		if a.file != nil {
			_ = a.file.Close()
		}
	}
}

// isFile reports whether a file with something in it is there.
func isFile(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() > 0
}

// sum is what stands for the settings in a manifest.
func (s settings) sum() string {
	text, _ := json.Marshal(s) // of strings, in the order of their names
	return fmt.Sprintf("%x", sha256.Sum256(text))
}

// differ lists the settings that are not those of another run.
func (s settings) differ(other settings) (names []string) {
	for name, value := range s {
		if was, ok := other[name]; !ok || was != value {
			names = append(names, name)
		}
	}
	for name := range other {
		if _, ok := s[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// values is how many values a unit adds to array i.
func (u unit) values(i int) int {
	if i == 0 {
		return u.Classes * len(u.Images)
	}
	n := len(u.Pictures)
	for _, d := range u.Shape {
		n *= d
	}
	return n
}
