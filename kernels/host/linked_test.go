//go:build linux && amd64

package main

import (
	"flag"
	"fmt"
	"go/types"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

var all = flag.Bool("all", false, "TestEverythingExported: all packages of the host, not some")

// TestEverythingExported refers in a cell to all that packages export: what the
// linker has left out of the host must be found in their archives.
func TestEverythingExported(t *testing.T) {
	k := open(t)
	packages := []string{"bytes", "context", "crypto/tls", "encoding/json", "fmt", "html/template", "image/png", "math/big", "net/http", "os", "reflect", "runtime",
		"strings", "sync", "time", "text/template", "testing/synctest", "expvar", "gonum.org/v1/gonum/mat", "gonum.org/v1/plot", "github.com/gomlx/gomlx/ml/layers/rational", module + "camlib", module + "camlib/figure"}
	if *all {
		packages = nil
		for p := range k.build.files {
			if parts := strings.Split(p, "/"); !slices.Contains(parts, "internal") && parts[0] != "vendor" && p != module+"kernels/host" {
				packages = append(packages, p)
			}
		}
		slices.Sort(packages)
	}
	count, failed := 0, 0
	for _, path := range packages {
		text, n := everything(t, k, path)
		if n == 0 {
			continue
		}
		r := k.run(text)
		if r.Reply == nil {
			t.Fatalf("%s: the host has ended: %.3000s", path, r.stderr)
		}
		if count += n; r.Failure != nil || strings.TrimSpace(r.stdout) != "true" {
			failed++
			t.Errorf("%s: %.400s; prints %.200q", path, failure(r), r.stdout)
		}
	}
	t.Logf("%d names of %d packages, %d packages fail", count, len(packages), failed)
}

// TestImports checks that the host links all of camlib: `go generate` writes imports.go.
func TestImports(t *testing.T) {
	text, err := os.ReadFile("imports.go")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "list", module+"camlib/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for p := range strings.FieldsSeq(string(out)) {
		if !slices.Contains(strings.Split(p, "/"), "internal") && !strings.Contains(string(text), "\t_ \""+p+"\"\n") {
			t.Errorf("imports.go lacks %s", p)
		}
	}
}

// everything is a cell that refers to all functions, variables and types of a
// package, and has a look at each.
func everything(t *testing.T, k *kernel, path string) (text string, n int) {
	pkg, err := k.session.Importer.Import(path)
	if err != nil {
		t.Fatal(err)
	}
	if pkg.Name() == "main" || path == "unsafe" {
		return "", 0
	}
	var b strings.Builder
	fmt.Fprintf(&b, "import everything %q\nfunc() bool {\n\tvar list []any\n", path)
	for _, name := range pkg.Scope().Names() {
		o := pkg.Scope().Lookup(name)
		if !o.Exported() {
			continue
		}
		switch o := o.(type) {
		case *types.Var:
			fmt.Fprintf(&b, "\tlist = append(list, &everything.%s)\n", name)
		case *types.Func:
			if o.Signature().TypeParams() != nil {
				continue
			}
			fmt.Fprintf(&b, "\tlist = append(list, everything.%s)\n", name)
		case *types.TypeName:
			if g, ok := o.Type().(interface{ TypeParams() *types.TypeParamList }); ok && g.TypeParams().Len() > 0 {
				continue
			}
			if i, ok := o.Type().Underlying().(*types.Interface); ok && !i.IsMethodSet() {
				continue
			}
			fmt.Fprintf(&b, "\tlist = append(list, (*everything.%s)(nil))\n", name)
		default:
			continue
		}
		n++
	}
	fmt.Fprintf(&b, "\tfor _, x := range list { if t := reflect.TypeOf(x); t.String() == \"\" { return false } else { for i := range t.NumMethod() { _ = t.Method(i).Func.Pointer() } } }\n\treturn len(list) == %d\n}()", n)
	return b.String(), n
}
