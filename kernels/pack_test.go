package kernels

import (
	"archive/zip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestPack(t *testing.T) {
	env := checkout(t)
	pack := func(wantChanged bool) string {
		t.Helper()
		version, changed, err := env.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if changed != wantChanged {
			t.Errorf("Pack changed = %v, want %v", changed, wantChanged)
		}
		if !regexp.MustCompile(`^v0\.0\.0-dev\.h[0-9a-f]{12}$`).MatchString(version) {
			t.Errorf("version %q", version)
		}
		return version
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(env.Root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	first := pack(true)
	if again := pack(false); again != first {
		t.Errorf("version %s, then %s for the same files", first, again)
	}
	write("camlib/a_test.go", "package camlib // edited\n")
	if got := pack(false); got != first {
		t.Errorf("an edited test changes the version to %s", got)
	}
	write("camlib/a.go", "package camlib // edited\n")
	second := pack(true)
	if second == first {
		t.Errorf("an edit leaves the version at %s", first)
	}

	dir := filepath.Join(env.ProxyDir(), filepath.FromSlash(ModulePath), "@v")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"list", second + ".info", second + ".mod", second + ".zip"}; !slices.Equal(names, want) {
		t.Errorf("proxy tree holds %v, want %v", names, want)
	}
	archive, err := zip.OpenReader(filepath.Join(dir, second+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	var files []string
	for _, f := range archive.File {
		files = append(files, strings.TrimPrefix(f.Name, ModulePath+"@"+second+"/"))
	}
	slices.Sort(files)
	want := []string{"LICENSE", "camlib/a.go", "camlib/cam/b.go", "cmd/camlab/main.go", "go.mod", "go.sum", "internal/plugin/plugin.go", "kernels/k.go"}
	if !slices.Equal(files, want) {
		t.Errorf("archive holds %v, want %v", files, want)
	}
}
