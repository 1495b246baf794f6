// Package compiled keeps on disk what XLA has compiled, so that the next process that builds
// the same graph need not compile it again.
//
// A PJRT plugin can write an executable as bytes and load these again. go-xla does not ask it
// to. But it takes a plugin as a table of functions, and in the table that it gets from here
// the one that compiles looks into a folder first.
package compiled

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/camlab-go/camlab/internal/atomicfile"
)

const (
	// Env names the variable with the folder.
	Env = "CAMLAB_COMPILED"
	// Off is its value for none.
	Off = "off"

	// mostBytes is how large the folder may get. A graph takes 10 to 500 kB.
	mostBytes = 256 << 20
	// version is that of the files.
	version = "camlab 1"
)

// Dir returns the folder of what is compiled; empty where nothing is kept, as elsewhere than on
// Linux.
func Dir() string {
	dir := os.Getenv(Env)
	switch {
	case !keeps || dir == Off:
		return ""
	case dir != "":
		return dir
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "camlab", "compiled")
}

// folder has a file for each executable. Whatever goes wrong with it, there is only more to
// compile.
type folder struct {
	dir string
	// maker is all that an executable depends on beside the program and its options.
	maker [sha256.Size]byte
	most  int64
}

// name is a program's file. What the program is called is no part of it.
func (f *folder) name(program, options []byte) string {
	h := sha256.New()
	h.Write(f.maker[:])
	for _, part := range [][]byte{withoutName(program), options} {
		sum := sha256.Sum256(part)
		h.Write(sum[:])
	}
	return filepath.Join(f.dir, hex.EncodeToString(h.Sum(nil)))
}

// withoutName is a program in StableHLO without what its module is called.
func withoutName(program []byte) []byte {
	rest, ok := bytes.CutPrefix(program, []byte("module @"))
	if !ok {
		return program
	}
	return rest[max(0, bytes.IndexAny(rest, " {\n")):]
}

// get returns the executable in a file; nil where there is none, or one that is not as it was
// written.
func (f *folder) get(file string) []byte {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	if len(data) < sha256.Size || sha256.Sum256(data[sha256.Size:]) != [sha256.Size]byte(data) {
		f.drop(file)
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(file, now, now) // the file that was used last goes last
	return data[sha256.Size:]
}

// put writes an executable, and removes those that were not used for the longest time where
// there are too many.
func (f *folder) put(file string, executable []byte) {
	if os.MkdirAll(f.dir, 0o700) != nil { // what lies there is run
		return
	}
	sum := sha256.Sum256(executable)
	if atomicfile.WriteFile(file, append(sum[:], executable...)) == nil {
		f.trim()
	}
}

func (f *folder) drop(file string) { _ = os.Remove(file) }

func (f *folder) trim() {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return
	}
	var files []fs.FileInfo
	var sum int64
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			files, sum = append(files, info), sum+info.Size()
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, info := range files {
		if sum <= f.most {
			return
		}
		f.drop(filepath.Join(f.dir, info.Name()))
		sum -= info.Size()
	}
}
