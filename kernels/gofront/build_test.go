package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestNothingNewNeedsNoGoCommand(t *testing.T) {
	g := warm(t)
	g.source("fmt", `fmt.Println("two")`)
	g.want(none, "get")
	g.build(none)
	g.prints("two\n")

	program := filepath.Join(g.dir, "cell")
	before, _ := os.Stat(program)
	g.build(none)
	if after, _ := os.Stat(program); !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Error("the same main.go was built again")
	}
	g.write("cell", "something else")
	g.build(none)
	g.prints("two\n")

	g.source("fmt strconv unsafe", `fmt.Println(strconv.Itoa(3), unsafe.Sizeof(int64(0)))`) // fmt uses strconv itself
	g.want(none, "get")
	g.build(none)
	g.prints("3 8\n")
}

func TestNewImportsAreLearned(t *testing.T) {
	g := warm(t)
	g.source("fmt encoding/hex", `fmt.Println(hex.EncodeToString([]byte{7}))`)
	g.want(get, "get")
	g.build(learn)
	g.prints("07\n")
	g.source("fmt", `fmt.Println("fewer")`)
	g.want(none, "get")
	g.build(none)
	g.prints("fewer\n")
	g.source("fmt text/tabwriter", `fmt.Println(tabwriter.Escape)`)
	g.want(get, "get")
	g.build(learn)
	g.source("fmt text/tabwriter encoding/hex", `fmt.Println(tabwriter.Escape, hex.ErrLength)`)
	g.want(none, "get")
	g.build(none)
	g.prints("255 encoding/hex: odd length hex string\n")
}

func TestAnotherWorldIsLearnedAnew(t *testing.T) {
	g := warm(t)
	for _, row := range []struct {
		what   string
		change func(g *gonb)
	}{
		{"go.mod", func(g *gonb) { g.write("go.mod", "module gonb_test\n\ngo 1.24\n") }},
		{"go.sum", func(g *gonb) {
			g.write("go.sum", "example.com/a v1.0.0/go.mod h1:b5ufEkwEZTk9Xqnpl1CmfG4rB4LGmaPZrvzZJCGhHNg=\n")
		}},
		{"the environment", func(g *gonb) { g.env = append(g.env, "GOAMD64=v2") }},
		{"a file that cannot be read", func(g *gonb) { g.write(memoryDir+"/memory.json", "{") }},
	} {
		t.Run(row.what, func(t *testing.T) {
			g.T = t
			row.change(g)
			g.source("fmt", fmt.Sprintf("fmt.Println(%q)", row.what))
			g.want(get, "get")
			g.build(learn)
			g.prints(row.what + "\n")
			g.want(none, "get")
		})
	}
	t.Run("the build cache", func(t *testing.T) {
		g.T = t
		file := filepath.Join(g.dir, memoryDir, "memory.json")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		i := bytes.Index(text, []byte(`"fmt":"`)) + len(`"fmt":"`)
		g.write(memoryDir+"/memory.json", string(text[:i])+"/gone"+string(text[i:]))
		g.source("fmt", `fmt.Println("two")`)
		g.build(learn)
		g.prints("two\n")
	})
}

// TestRealGoIsNotMisled has the real go command build a program again after
// gofront has put another one in its place.
func TestRealGoIsNotMisled(t *testing.T) {
	g := warm(t)
	g.source("fmt", `fmt.Println("two")`)
	g.build(none)
	g.source("fmt", `fmt.Println("one")`)
	for _, flags := range [][]string{{quickFlags()}, nil} {
		args := append(append([]string{"build"}, flags...), "-o", filepath.Join(g.dir, "cell"))
		cmd := exec.Command("go", args...)
		cmd.Dir, cmd.Env = g.dir, g.env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		g.prints("one\n")
	}
}

// TestOnlyPlainProgramsAreHurried has the real go command called, untouched,
// where a program may be more than one file of Go.
func TestOnlyPlainProgramsAreHurried(t *testing.T) {
	g := warm(t)
	for _, row := range []struct {
		what   string
		prints bool
		change func(g *gonb)
	}{
		{"a second file", true, func(g *gonb) { g.write("more.go", "package main\n") }},
		{"a directive", true, func(g *gonb) {
			g.write("main.go", "package main\n\nimport \"fmt\"\n\n//go:noinline\nfunc main() { fmt.Println(2) }\n")
		}},
		{"a build constraint", true, func(g *gonb) {
			g.write("main.go", "// +build linux\n\npackage main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(2) }\n")
		}},
		{"cgo", true, func(g *gonb) {
			g.write("main.go", "package main\n\n// int two() { return 2; }\nimport \"C\"\nimport \"fmt\"\n\nfunc main() { fmt.Println(C.two()) }\n")
		}},
		{"a profile", false, func(g *gonb) { g.write("default.pgo", "") }},
		{"a workspace", false, func(g *gonb) { g.write("go.work", "go 1.24\nuse .\n") }},
		{"another folder than GoNB's", true, func(g *gonb) { g.env = append(g.env, tmpDirEnv+"="+os.TempDir()) }},
		{"no GoNB", true, func(g *gonb) { g.env = append(g.env, tmpDirEnv+"=") }},
	} {
		t.Run(row.what, func(t *testing.T) {
			g.T = t
			env := g.env
			g.source("fmt", "fmt.Println(2)")
			row.change(g)
			if out, calls, _ := g.run("get"); calls != get {
				t.Errorf("calls %s, want %s%s", calls, get, out)
			}
			if out, calls, _ := g.run("build", "-o", filepath.Join(g.dir, "cell")); calls != plain {
				t.Errorf("calls %s, want %s%s", calls, plain, out)
			}
			if row.prints {
				g.prints("2\n")
			}
			g.env = env
			for _, name := range []string{"more.go", "default.pgo", "go.work", "cell"} {
				os.Remove(filepath.Join(g.dir, name))
			}
		})
	}
	t.Run("a workspace that does not hold", func(t *testing.T) { // as in the kernels
		g.T = t
		g.write("go.work", "go 1.24\nuse .\n")
		env := g.env
		g.env = append(g.env, "GOWORK=off")
		for i := range 3 {
			g.source("fmt", fmt.Sprintf("fmt.Println(%d)", i))
			if _, calls, _ := g.run("build", "-o", filepath.Join(g.dir, "cell")); i == 2 && calls != none {
				t.Errorf("calls %s, want none", calls)
			}
		}
		os.Remove(filepath.Join(g.dir, "go.work"))
		g.env = env
	})
	t.Run("flags of the user's", func(t *testing.T) {
		g.T = t
		g.env = append(g.env, "GOFLAGS=-mod=mod -ldflags=-w")
		g.source("fmt", "fmt.Println(2)")
		g.build(plain)
		g.want("build -v -o cell\n", "build", "-v", "-o", filepath.Join(g.dir, "cell"))
	})
}
