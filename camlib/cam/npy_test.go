package cam_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"codeberg.org/sbinet/npyio"

	"github.com/camlab-go/camlab/camlib/cam"
)

// TestWriteNPYIsReadBack reads files of every shape with another program's reader.
func TestWriteNPYIsReadBack(t *testing.T) {
	for _, shape := range [][4]int{{2, 0, 3, 5}, {2, 4, 3, 5}, {1, 0, 1, 1}, {1, 1, 2, 2}, {123, 10, 16, 16}} {
		r := &cam.Result{N: shape[0], K: shape[1], Height: shape[2], Width: shape[3]}
		r.Maps = make([]float32, shape[0]*max(1, shape[1])*shape[2]*shape[3])
		for i := range r.Maps {
			r.Maps[i] = float32(i) - 2.5
		}
		path := filepath.Join(t.TempDir(), "maps.npy")
		if err := r.WriteNPY(path); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		reader, err := npyio.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		var values []float32
		if err := reader.Read(&values); err != nil {
			t.Fatal(err)
		}
		if h := reader.Header.Descr; strings.Trim(h.Type, "'") != "<f4" || h.Fortran || !slices.Equal(h.Shape, r.Shape()) || !slices.Equal(values, r.Maps) {
			t.Errorf("%v: read back %+v and %d values, want %v and the maps", shape, h, len(values), r.Shape())
		}
		if info, err := f.Stat(); err != nil || (info.Size()-4*int64(len(r.Maps)))%64 != 0 {
			t.Errorf("%v: the data does not begin at a multiple of 64: %v", shape, err)
		}
	}
}

func TestWriteNPYErrors(t *testing.T) {
	whole := &cam.Result{N: 1, Height: 1, Width: 2, Maps: []float32{1, 2}}
	dir := t.TempDir()
	for name, row := range map[string]struct {
		r    *cam.Result
		path string
		want string
	}{
		"no folder": {whole, filepath.Join(dir, "missing", "m.npy"), `missing/m.npy": no such file or directory, want a file in a folder that exists`},
		"a folder":  {whole, dir, "want a file in a folder that exists"},
		"no path":   {whole, "", "want a file in a folder that exists"},
		"none":      {nil, filepath.Join(dir, "m.npy"), "cam: write: no result, want maps"},
		"empty":     {&cam.Result{}, filepath.Join(dir, "m.npy"), "cam: write: 0 values, want those of maps shaped [0 0 0]"},
		"too few":   {&cam.Result{N: 2, Height: 1, Width: 2, Maps: []float32{1, 2}}, filepath.Join(dir, "m.npy"), "cam: write: 2 values, want those of maps shaped [2 1 2]"},
	} {
		err := row.r.WriteNPY(row.path)
		if err == nil || !strings.HasSuffix(err.Error(), row.want) || !strings.HasPrefix(err.Error(), "cam: write: ") {
			t.Errorf("%s: %v, want it to end in %q", name, err, row.want)
		}
	}
	if err := whole.WriteNPY(filepath.Join(dir, "missing", "m.npy")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want fs.ErrNotExist", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestResultInWords(t *testing.T) {
	var none *cam.Result
	r := &cam.Result{Method: "cam", N: 2, Height: 3, Width: 4, Class: []int{6, 7}, Maps: make([]float32, 24)}
	if got, want := r.String(), "cam of 2 images, maps shaped [2 3 4], classes [6 7]"; got != want || none.String() != "no maps" {
		t.Errorf("%q and %q, want %q and no maps", got, none.String(), want)
	}
}
