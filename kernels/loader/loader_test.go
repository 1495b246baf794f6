//go:build linux && amd64 && go1.26 && !go1.27

package loader

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Cells are loaded in the tests of package host.

// TestNew builds programs into which New cannot look, and one into which it can.
func TestNew(t *testing.T) {
	dir := t.TempDir()
	program := func(name string, imports string) string {
		file := filepath.Join(dir, name+".go")
		text := fmt.Sprintf(`package main
import ("fmt"; "github.com/camlab-go/camlab/kernels/loader"; %s)
func main() { l, err := loader.New(map[string]string{"a": "a.a"}); fmt.Println(l != nil, err) }`, imports)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	with, without := program("with", `_ "plugin"`), program("without", "")
	for _, c := range []struct {
		want, file string
		flags      []string
	}{
		{"true <nil>", with, []string{"-ldflags=-pruneweakmap=false"}},
		{"true <nil>", with, []string{"-ldflags=-pruneweakmap=false -w"}},
		{`false loader: the program's symbol table has no types; import _ "plugin" in it`, without, nil},
		{"false loader: the program has no symbol table; build it without -ldflags=-s", with, []string{"-ldflags=-s"}},
		{"false loader: the program is position independent; build it with -buildmode=exe", with, []string{"-buildmode=pie"}},
	} {
		bin := filepath.Join(dir, "program")
		if out, err := exec.Command("go", slices.Concat([]string{"build", "-o", bin}, c.flags, []string{c.file})...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", c.flags, err, out)
		}
		out, err := exec.Command(bin).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != c.want {
			t.Errorf("%s %v: %s, %v, want %s", filepath.Base(c.file), c.flags, got, err, c.want)
		}
	}
}

// compiled is the archive of a package.
func compiled(t *testing.T, text string) []byte {
	t.Helper()
	dir := t.TempDir()
	src, out := filepath.Join(dir, "p.go"), filepath.Join(dir, "p.a")
	if err := os.WriteFile(src, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if msg, err := exec.Command("go", "tool", "compile", "-pack", "-p", "p", "-dwarf=false", "-o", out, src).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestObject(t *testing.T) {
	b := compiled(t, "package p\n\nvar V = map[string]int{\"a\": 1}\n\ntype T[E any] struct{ e E }\n\nfunc (t T[E]) M() E { return t.e }\n\nfunc F(x int) string {\n\tdefer println(x)\n\treturn T[string]{\"s\"}.M()\n}\n")
	a, err := parseArchive(b, "p")
	if err != nil {
		t.Fatal(err)
	}
	if len(a.objects) != 1 || a.native {
		t.Fatalf("%d objects, native %v", len(a.objects), a.native)
	}
	o := a.objects[0]
	f := o.names()["p.F"]
	if len(f) != 1 {
		t.Fatalf("p.F: %v in %v", f, o.names())
	}
	s := symbol{o, f[0]}
	if !s.text() || s.writable() || s.abi() != abiInternal || int(s.size()) != len(s.data()) || s.size() < 20 {
		t.Errorf("F: kind %d, ABI %d, %d bytes of %d", s.kind(), s.abi(), len(s.data()), s.size())
	}
	var calls []string
	l := &Loader{}
	for _, r := range s.relocs() {
		if r.kind == relCall {
			name, _, _, err := l.resolve(o, r.target)
			if err != nil {
				t.Fatal(err)
			}
			calls = append(calls, name)
		}
	}
	if !slices.Contains(calls, "runtime.deferreturn") || !slices.Contains(calls, "runtime.printint") && !slices.Contains(calls, "runtime.morestack_noctxt") {
		t.Errorf("F calls %v", calls)
	}
	if v := (symbol{o, o.names()["p.V"][0]}); !v.scanned() || v.size() != 8 {
		t.Errorf("V: kind %d, %d bytes", v.kind(), v.size())
	}
	var files []string
	for i := range o.numFiles() {
		files = append(files, filepath.Base(o.file(i)))
	}
	if !slices.Contains(files, "p.go") {
		t.Errorf("files %v", files)
	}
}

// TestCutArchives reads archives that end too early: an error for each, no panic.
func TestCutArchives(t *testing.T) {
	b := compiled(t, "package p\n\nfunc F() {}\n")
	for n := range len(b) {
		if _, err := parseArchive(b[:n], "p"); err == nil && n < len(b)-1 {
			t.Fatalf("%d of %d bytes: no error", n, len(b))
		}
	}
	a, err := parseArchive(b, "p")
	if err != nil {
		t.Fatal(err)
	}
	o := a.objects[0]
	for n := range o.off[blkEnd] {
		if _, err := newObject(o.b[:n], "p"); err == nil {
			t.Fatalf("object of %d of %d bytes: no error", n, len(o.b))
		}
	}
}

// TestBuiltins compares the names with those of this Go's own source.
func TestBuiltins(t *testing.T) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "src/cmd/internal/goobj/builtinlist.go"))
	if err != nil {
		t.Skip("this Go has no source of its commands")
	}
	list := regexp.MustCompile(`\{"([^"]*)", (\d)\}`).FindAllStringSubmatch(string(text), -1)
	if len(list) != len(builtins) {
		t.Fatalf("%d names, Go has %d", len(builtins), len(list))
	}
	for i, m := range list {
		if name, abi := builtin(uint32(i)); name != m[1] || fmt.Sprint(abi) != m[2] {
			t.Errorf("%d: %s (ABI %d), Go has %s (ABI %s)", i, name, abi, m[1], m[2])
		}
	}
}

func TestNames(t *testing.T) {
	l := &Loader{cell: "cell"}
	for symbol, want := range map[string]string{
		"cell.x":                                       "x",
		"cell.x·f":                                     "x",
		"cell.Dog.Sound-fm·f":                          "Dog",
		"cell..dict.Map[int,cell.Key]":                 "Map Key",
		"cell.(*Dog).Sound":                            "Dog",
		"cell.Dog.Sound<1>":                            "Dog",
		"type:map[string]*cell.T":                      "T",
		"cell.Map[go.shape.int,cell.Key]":              "Map Key",
		"type:func(cell.A, mycell.B, a/cell.C) cell.Ä": "A Ä",
		"go:itab.*cell.T,fmt.Stringer":                 "T",
		"type:struct { x.cell.Y int }":                 "",
	} {
		if got := strings.Join(l.names(symbol), " "); got != want {
			t.Errorf("%s: %q, want %q", symbol, got, want)
		}
	}
}

func TestMangle(t *testing.T) {
	for name, want := range map[string]string{
		"fmt.Println":                            "fmt.Println",
		"type:int":                               "type:int",
		"type:runtime.moduledata.of.a.long.name": "type:runtime.moduledata.of.a.long.name",
	} {
		if got := mangle(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := mangle("type:map[string]*os.File"); !regexp.MustCompile(`^type:[A-Za-z0-9+/]{8}$`).MatchString(got) {
		t.Errorf("type:map[string]*os.File: %s", got)
	}
}
