package notebooks_test

import (
	"cmp"
	"errors"
	"fmt"
	"go/importer"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/camlab-go/camlab/kernels"
	gocells "github.com/camlab-go/camlab/kernels/cell"
)

// compiled are the files of the compiled packages that cells may import, by path.
var compiled = sync.OnceValues(func() (map[string]string, error) {
	const gomlx = "github.com/gomlx/gomlx/ml/" // of which camlib needs less than cells do
	out, err := exec.Command("go", "list", "-export", "-deps", "-f", "{{if .Export}}{{.ImportPath}}={{.Export}}{{end}}",
		"std", kernels.ModulePath+"/camlib/...", gomlx+"layers", gomlx+"layers/activation", gomlx+"layers/norm").Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("go list: %w: %s", err, exit.Stderr)
	}
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	files := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		files[name] = file
	}
	return files, nil
})

// session is one of a kernel that does not run what it compiles.
func session(t *testing.T) *gocells.Session {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command, which lists the compiled packages that cells import")
	}
	files, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string][]string)
	for _, p := range slices.SortedFunc(maps.Keys(files), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	}) {
		names[path.Base(p)] = append(names[path.Base(p)], p)
	}
	open := func(path string) (io.ReadCloser, error) {
		file, ok := files[path]
		if !ok {
			return nil, fmt.Errorf("package %s is not compiled", path)
		}
		return os.Open(file)
	}
	return &gocells.Session{
		Importer: importer.ForCompiler(token.NewFileSet(), "gc", open),
		Live:     kernels.ModulePath + "/camlib/notebook/live",
		Find: func(name string, _ ...string) (string, bool) {
			if len(names[name]) == 0 {
				return "", false
			}
			return names[name][0], true
		},
	}
}

// rank orders packages of one name as the kernel does.
func rank(path string) int {
	first, _, _ := strings.Cut(path, "/")
	switch {
	case strings.HasPrefix(path, kernels.ModulePath+"/"):
		return 0
	case !strings.Contains(first, "."):
		return 1
	}
	return 2
}

// goText is a code cell's source, of which the kernel has made lines for itself empty.
func goText(c cell) string {
	lines := slices.Clone(c.Source)
	for i, line := range lines {
		if strings.HasPrefix(line, "!") || strings.HasPrefix(line, "%") || strings.HasPrefix(line, "?") {
			lines[i] = "\n"
		}
	}
	return strings.Join(lines, "")
}

// faults lists what a kernel would say to a notebook's cells, run in order, and
// variables that are of another type in a later cell: run out of order, such cells fail.
func faults(s *gocells.Session, cells []cell) (all []string) {
	for i, c := range cells {
		if c.Type != "code" {
			continue
		}
		was := make(map[string]string)
		for _, name := range s.Names() {
			if typ := s.TypeOf(name); typ != nil {
				was[name] = typ.String()
			}
		}
		u, err := s.Rewrite(goText(c))
		if err != nil {
			all = append(all, fmt.Sprintf("cell %d: %v", i+1, err))
			continue
		}
		u.Keep()
		for _, w := range u.Warnings {
			all = append(all, fmt.Sprintf("cell %d: %v", i+1, w))
		}
		for _, name := range u.Declared {
			if typ := s.TypeOf(name); typ != nil && was[name] != "" && was[name] != typ.String() {
				all = append(all, fmt.Sprintf("cell %d: %s is a %s, and was a %s before", i+1, name, typ, was[name]))
			}
		}
	}
	return all
}

// TestNotebookCellsCompile has the kernel's compiler read the cells of every
// notebook, so that a change of camlib that breaks one shows without running it.
func TestNotebookCellsCompile(t *testing.T) {
	for _, file := range committed(t) {
		for _, fault := range faults(session(t), read(t, file)) {
			t.Errorf("%s: %s", file, fault)
		}
	}
}

// fence matches the Go in Markdown.
var fence = regexp.MustCompile("(?ms)^```go\n(.*?)^```")

// fenced returns the Go in a Markdown text, each block as a cell.
func fenced(text string) (cells []cell) {
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		cells = append(cells, cell{Type: "code", Source: strings.SplitAfter(m[1], "\n")})
	}
	return cells
}

// TestNotebookCellsInDocs has the kernel's compiler read the cells in documents and in
// notebooks' text.
func TestNotebookCellsInDocs(t *testing.T) {
	check := func(file, before, text string) {
		cells := fenced(text)
		for _, fault := range faults(session(t), append([]cell{{Type: "code", Source: []string{before}}}, cells...)) {
			t.Errorf("%s, where the blocks of Go are cells from 2 on: %s", file, fault)
		}
	}
	for file, before := range map[string]string{
		"../README.md":               "var img, photo image.Image",
		"../docs/onnx.md":            "var photo image.Image",
		"../docs/interchange.md":     "net, backend := Must(article.Pretrained()), Must(camlib.Backend(\"\"))\nctx, test := context.Background(), cifar10.Sample()",
		"../docs/troubleshooting.md": "",
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(fenced(string(text))) == 0 {
			t.Errorf("%s has no Go, want some", file)
		}
		check(file, before, string(text))
	}
	for _, file := range committed(t) {
		for _, c := range read(t, file) {
			if c.Type == "markdown" {
				check(file, "", strings.Join(c.Source, ""))
			}
		}
	}
}

func TestNotebookFaults(t *testing.T) {
	for _, row := range []struct{ name, cells, want string }{
		{"one after the other", "!ls\n%env A=b\nx := 1|y := fmt.Sprint(x)|y", ""},
		{"values that fail", "Must(camlib.Article()).Explain(\"cam\", \"predicted\", cifar10.Sample().Image(0))", ""},
		{"the name of a package", "import \"github.com/gomlx/gomlx/ml/model\"\ns := model.NewStore()|model := 3", ""},
		{"what camlib has not", "camlib.Artcle()", "undefined: camlib.Artcle"},
		{"before it is there", "x + 1|x := 1", "undefined: x"},
		{"not used", "f := func() { y := 1 }", "declared and not used: y"},
		{"another type", "x := 1|x := 2|x := \"one\"", "cell 3: x is a string, and was a int before"},
	} {
		var cells []cell
		for source := range strings.SplitSeq(row.cells, "|") {
			cells = append(cells, cell{Type: "code", Source: strings.SplitAfter(source, "\n")})
		}
		got := faults(session(t), cells)
		if len(got) != min(len(row.want), 1) || !strings.Contains(strings.Join(got, ""), row.want) {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}
