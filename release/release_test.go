package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestArchiveHasTheSameBytes(t *testing.T) {
	when := time.Unix(1_790_000_000, 0)
	files := []file{{"a/program", 0o755, []byte("binary")}, {"a/LICENSE", 0o644, []byte("text")}}
	var first, second bytes.Buffer
	if err := writeArchive(&first, files, when.UTC()); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(files)
	if err := writeArchive(&second, files, when.In(time.FixedZone("", 9*3600))); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("files in another order and the time in another zone make another archive")
	}
	z, err := gzip.NewReader(&first)
	if err != nil {
		t.Fatal(err)
	}
	if !z.ModTime.IsZero() || z.Name != "" {
		t.Errorf("gzip's header has time %v and name %q, want none", z.ModTime, z.Name)
	}
	r := tar.NewReader(z)
	for _, want := range []struct {
		name, text string
		mode       int64
	}{{"a/LICENSE", "text", 0o644}, {"a/program", "binary", 0o755}} {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != want.name || string(text) != want.text || h.Mode != want.mode || !h.ModTime.Equal(when) || h.Uid != 0 || h.Gid != 0 {
			t.Errorf("%+v with %q, want %+v of %v, root's", h, text, want, when)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last file: %v", err)
	}
}

func TestChecksums(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"b": "", "a": "abc"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeChecksums(dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	// FIPS 180-2, appendix B.1, and the sum of nothing
	const want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b\n"
	if string(got) != want {
		t.Errorf("checksums %q, want %q", got, want)
	}
}

// TestNotices has a module with code of others in a folder that is linked, and
// in one that is not.
func TestNotices(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"LICENSE.md": "first license\r\nof two lines", "NOTICE": "a notice", "license.go": "package first", "LICENCES/x": "a folder",
		"theirs/COPYING": "second license", "theirs/deep/code.go": "package deep", "other/LICENSE": "of what is not linked",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m := module{"example.com/first", "v1.2.3", dir, []string{dir, filepath.Join(dir, "theirs", "deep")}}
	got, err := notices([]module{m})
	if err != nil {
		t.Fatal(err)
	}
	rule := strings.Repeat("-", 80)
	for _, want := range []string{"example.com/first v1.2.3\n", "\nLICENSE.md\n" + rule + "\nfirst license\nof two lines\n", "\nNOTICE\n" + rule + "\na notice\n", "\ntheirs/COPYING\n" + rule + "\nsecond license\n"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("notices %q, want %q", got, want)
		}
	}
	for _, no := range []string{"package", "folder", "not linked"} {
		if strings.Contains(string(got), no) {
			t.Errorf("notices %q, want none with %q", got, no)
		}
	}
	if err := os.Remove(filepath.Join(dir, "LICENSE.md")); err != nil {
		t.Fatal(err)
	}
	m.packages = m.packages[:1] // a notice is no license
	if _, err := notices([]module{m}); err == nil || !strings.Contains(err.Error(), "example.com/first v1.2.3 has no license in "+dir) {
		t.Errorf("error %v of a module without a license", err)
	}
}

// TestNoticesOfCamlab builds camlab and wants a license of every module in it:
// a new one without fails here before it fails a release.
func TestNoticesOfCamlab(t *testing.T) {
	t.Chdir("..")
	program := filepath.Join(t.TempDir(), "camlab")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, "./cmd/camlab").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	modules, err := linked(t.Context(), nil, info)
	if err != nil {
		t.Fatal(err)
	}
	text, err := notices(modules)
	if err != nil {
		t.Fatal(err)
	}
	_, own, _ := strings.Cut(string(text), "\n"+strings.Repeat("=", 80)+"\n")
	sections := strings.Split(own, "\n"+strings.Repeat("=", 80)+"\n")
	if len(sections) != len(info.Deps)+1 {
		t.Errorf("%d sections, want one of each of %d modules and Go's", len(sections), len(info.Deps))
	}
	for i, want := range info.Deps {
		if got := sections[i+1]; !strings.HasPrefix(got, want.Path+" "+want.Version+"\n") || len(got) < 500 {
			t.Errorf("section %.200q, want %s %s and a license in full", got, want.Path, want.Version)
		}
	}
	for _, font := range []string{"Kim Jeong-Hwan", "COZ <coz@users.sourceforge.jp>", "SIL OPEN FONT LICENSE"} { // of the bitmap fonts
		if !strings.Contains(own, font) {
			t.Errorf("no %s in the notices", font)
		}
	}
	if !strings.Contains(sections[0], "The Go Authors") {
		t.Errorf("first section %.200q, want Go's own license", sections[0])
	}

	info.Deps[0].Version = "v0.0.1"
	if _, err := linked(t.Context(), nil, info); err == nil || !strings.Contains(err.Error(), "v0.0.1 is in the program, but not in go.mod as it is") {
		t.Errorf("error %v of a program that is not of this checkout", err)
	}
}

// TestCamlabWithoutCgo is the program for platforms to which cgo does not reach.
func TestCamlabWithoutCgo(t *testing.T) {
	program := filepath.Join(t.TempDir(), "camlab")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, "./cmd/camlab")
	build.Dir, build.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, c := range []struct {
		args, want string
		fails      bool
	}{
		{"version", "plugin none: built without cgo, which loads one", false},
		{"doctor", "none: this camlab was built without cgo, which loads one, so the pure-Go backend computes", false},
		{"explain --split sample --index 7", "camlab: built without cgo, which loads XLA's plugin, so the pure-Go backend computes", false},
		{"explain --split sample --index 7", "7: predicted frog", false},
		{"explain --split sample --index 7 --backend xla:cpu", "camlab: camlib: backend: plugin: cpu: this camlab was built without cgo, which loads plugins; it has the pure-Go backend only", true},
	} {
		cmd := exec.Command(program, strings.Fields(c.args)...)
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		if (err != nil) != c.fails || !strings.Contains(string(out), c.want) {
			t.Errorf("camlab %s: %v, %q; want %q", c.args, err, out, c.want)
		}
	}
}

func TestReleaseSaysWhatIsWrong(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ out, python, epoch, want string }{
		{full, "go", "", full + " is not empty, want a new folder"},
		{t.TempDir(), "no-such-python", "", "no-such-python"},
		{t.TempDir(), "go", "yesterday", `time of the commit is "yesterday", want seconds since 1970`},
	} {
		t.Setenv("SOURCE_DATE_EPOCH", c.epoch)
		if err := run(t.Context(), c.out, c.python); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v", c, err)
		}
	}
	t.Setenv("SOURCE_DATE_EPOCH", "1790000000")
	if when, err := commitTime(t.Context()); err != nil || when.Unix() != 1_790_000_000 {
		t.Errorf("time %v, error %v; want SOURCE_DATE_EPOCH's", when, err)
	}
}
