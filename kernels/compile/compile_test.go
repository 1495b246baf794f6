package compile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/camlab-go/camlab/kernels/cell"
)

// prepared is a folder of Prepare for this checkout, made once.
var prepared = sync.OnceValues(func() (string, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "camlab-cells-")
	if err != nil {
		return "", err
	}
	_, err = Prepare(context.Background(), dir, Source{Checkout: root}, os.Environ())
	return dir, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := prepared(); dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// open begins a session, and the lines that it says.
func open(t *testing.T) (c *Compiler, said *[]string) {
	t.Helper()
	dir, err := prepared()
	if errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	said = new([]string)
	c = Open(dir, t.TempDir(), os.Environ(), func(line string) { *said = append(*said, line) })
	if err := c.Ready(); err != nil {
		t.Fatal(err)
	}
	return c, said
}

func TestCellsAreCompiled(t *testing.T) {
	c, _ := open(t)
	if err := c.Ready(); err != nil {
		t.Fatal(err)
	}
	known := c.Files()
	s := cell.Session{Importer: c.Importer(), Find: c.Find}
	for _, text := range []string{`x := camlib.PureGo`, `fmt.Println(x, strings.ToUpper("a"))`, `size := unsafe.Sizeof(x)`} {
		u, err := s.Rewrite(text)
		if err != nil {
			t.Fatal(err)
		}
		archive, err := c.Compile(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(archive); err != nil || !strings.HasPrefix(string(text), "!<arch>\n") {
			t.Errorf("the archive begins with %.8q, %v", text, err)
		}
		if n := len(c.Files()) - len(known); n != 0 {
			t.Errorf("%d packages are new to the program, want none", n)
		}
		u.Keep()
	}
	left, err := filepath.Glob(filepath.Join(c.Module(), ".cell-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestPackagesAreFoundByTheirNames(t *testing.T) {
	c, _ := open(t)
	for _, row := range []struct {
		name string
		uses []string
		want string
	}{
		{"fmt", []string{"Println"}, "fmt"},
		{"rand", []string{"IntN"}, "math/rand/v2"},
		{"rand", []string{"Intn"}, "math/rand"},
		{"rand", []string{"Reader"}, "crypto/rand"},
		{"cam", []string{"GradCAM"}, modulePath + "/camlib/cam"},
		{"graph", []string{"ReduceAllSum"}, "github.com/gomlx/gomlx/core/graph"},
		{"graph", nil, "github.com/gomlx/gomlx/core/graph"},
		{"template", nil, "html/template"},
		{"unsafe", []string{"Sizeof"}, "unsafe"},
		{"nosuch", nil, ""},
	} {
		if got, ok := c.Find(row.name, row.uses...); got != row.want || ok != (row.want != "") {
			t.Errorf("%s with %v is %q, want %q", row.name, row.uses, got, row.want)
		}
	}
	all := c.Packages()
	for path, want := range map[string]bool{"fmt": true, modulePath + "/camlib": true, modulePath + "/internal/exec": false, "internal/abi": false} {
		if slices.Contains(all, path) != want {
			t.Errorf("%s is among the packages to import: %v, want %v", path, !want, want)
		}
	}
	if dir := c.Dir("fmt"); filepath.Base(dir) != "fmt" {
		t.Errorf("the source of fmt is in %q", dir)
	}
}

func TestPackagesThatAreNotCompiledYet(t *testing.T) {
	c, said := open(t)
	const path = "golang.org/x/mod/semver"
	if _, err := c.Importer().Import(path); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(*said, "compiling "+path) {
		t.Errorf("said %q", *said)
	}
	s := cell.Session{Importer: c.Importer()}
	u, err := s.Rewrite("import \"" + path + "\"\nn := semver.Major(\"v1.2.3\")")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Compile(t.Context(), u); err != nil || c.Files()[path] == "" {
		t.Errorf("the program is not told of it: %q, %v", c.Files()[path], err)
	}
	for path, want := range map[string]string{
		"no/such/package":                  "package no/such/package",
		modulePath + "/internal/exec":      "is not for others to import",
		"github.com/camlab-go/camlab/none": "package github.com/camlab-go/camlab/none",
	} {
		if _, err := c.Importer().Import(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	c, _ := open(t)
	u := &cell.Unit{Name: "cell[1]", Function: "run1", Files: [][]byte{[]byte("package cell\n//line cell[1]:3:1\nvar x int = \"a\"\n")}}
	if _, err := c.Compile(t.Context(), u); err == nil || !strings.Contains(err.Error(), "cell[1]:3:13: cannot use") {
		t.Errorf("the error is %v", err)
	}
	if files, _ := os.ReadDir(c.Module()); slices.ContainsFunc(files, func(f os.DirEntry) bool { return strings.HasSuffix(f.Name(), ".a") }) {
		t.Errorf("a failed compilation leaves %v", files)
	}
	if err := Open(t.TempDir(), t.TempDir(), os.Environ(), func(string) {}).Ready(); err == nil || !strings.Contains(err.Error(), "run `camlab setup`") {
		t.Errorf("a folder without anything: %v", err)
	}
}

func TestWhatIsGone(t *testing.T) {
	c, said := open(t)
	s := cell.Session{Importer: c.Importer(), Find: c.Find}
	compiles := func(text string) error {
		u, err := s.Rewrite(text)
		if err == nil {
			_, err = c.Compile(t.Context(), u)
		}
		return err
	}
	if err := os.RemoveAll(c.Module()); err != nil {
		t.Fatal(err)
	}
	if err := compiles("fmt.Println()"); err != nil {
		t.Errorf("without the session's folder: %v", err)
	}
	// A file that Go's build cache has lost.
	p := c.packages["strings"]
	p.Export = filepath.Join(t.TempDir(), filepath.Base(p.Export))
	c.packages["strings"] = p
	if err := compiles("fmt.Println(strings.ToUpper(\"a\"))"); err != nil || !slices.Contains(*said, "compiling strings again, Go's build cache has lost it") {
		t.Errorf("without the object code of strings: %v, said %q", err, *said)
	}
	c.compiler = filepath.Join(t.TempDir(), "compile")
	if err := compiles("fmt.Println()"); err == nil || !strings.Contains(err.Error(), "when `camlab setup` ran: run that again") {
		t.Errorf("without Go: %v", err)
	}
}
