package compiled

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func newFolder(t *testing.T) *folder {
	return &folder{dir: filepath.Join(t.TempDir(), "compiled"), most: mostBytes}
}

func TestFolder(t *testing.T) {
	f := newFolder(t)
	file := f.name([]byte("program"), []byte("options"))
	if got := f.get(file); got != nil {
		t.Fatalf("an empty folder has %q", got)
	}
	want := []byte("executable")
	f.put(file, want)
	if got := f.get(file); !bytes.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	if info, err := os.Stat(f.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder %v (%v), want one that nobody else can write into", info.Mode(), err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 1
		for what, data := range map[string][]byte{"a bit": damaged, "a part": whole[:at]} {
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if got := f.get(file); got != nil {
				t.Fatalf("%s changed at %d: got %q", what, at, got)
			}
			if _, err := os.Stat(file); err == nil {
				t.Fatalf("%s changed at %d: the file is still there", what, at)
			}
		}
	}
}

// TestName: what a program is called is no part of its file's name, all else is.
func TestName(t *testing.T) {
	f := newFolder(t)
	one := f.name([]byte("module @one {\nadd\n}"), []byte("options"))
	if two := f.name([]byte("module @two#2 {\nadd\n}"), []byte("options")); two != one {
		t.Error("another name of the module is another file")
	}
	other := newFolder(t)
	other.dir, other.maker[0] = f.dir, 1
	for what, name := range map[string]string{
		"another program":   f.name([]byte("module @one {\nsub\n}"), []byte("options")),
		"no module":         f.name([]byte("add"), []byte("options")),
		"other options":     f.name([]byte("module @one {\nadd\n}"), []byte("option")),
		"moved to the left": f.name([]byte("module @one {\nadd\n}o"), []byte("ptions")),
		"another plugin":    other.name([]byte("module @one {\nadd\n}"), []byte("options")),
	} {
		if name == one {
			t.Errorf("%s is the same file", what)
		}
	}
}

// TestTrim: of too many files those go that were not used for the longest time.
func TestTrim(t *testing.T) {
	f := newFolder(t)
	f.most = 4 * (100 + 32)
	file := func(i int) string { return f.name(fmt.Append(nil, i), nil) }
	for i := range 4 {
		f.put(file(i), make([]byte, 100))
		old := time.Now().Add(time.Duration(i-10) * time.Hour)
		if err := os.Chtimes(file(i), old, old); err != nil {
			t.Fatal(err)
		}
	}
	f.get(file(0))
	f.put(file(4), make([]byte, 100))
	for i := range 5 {
		if got := f.get(file(i)) != nil; got != (i != 1) {
			t.Errorf("file %d is there: %v, want all but 1", i, got)
		}
	}
}

// TestNoFolder: where nothing can be kept nothing is, and nothing fails.
func TestNoFolder(t *testing.T) {
	f := newFolder(t)
	if err := os.WriteFile(f.dir, nil, 0o600); err != nil { // a file in its place
		t.Fatal(err)
	}
	file := f.name(nil, nil)
	f.put(file, []byte("executable"))
	if got := f.get(file); got != nil {
		t.Errorf("got %q", got)
	}
	if !keeps {
		return
	}
	t.Setenv("XDG_CACHE_HOME", "/cache")
	for env, want := range map[string]string{Off: "", "/somewhere": "/somewhere", "": "/cache/camlab/compiled"} {
		t.Setenv(Env, env)
		if dir := Dir(); dir != want {
			t.Errorf("%s=%s: folder %q, want %q", Env, env, dir, want)
		}
	}
}
