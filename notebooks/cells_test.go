package notebooks_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/kernels"
)

// longestCell is how many lines a code cell may have: one idea.
const longestCell = 15

// defines are the functions that cells may define: where defining is what they show.
var defines = map[string][]string{
	"00_go_for_notebook_people.ipynb": {"mean", "area"}, "00_notebooks_for_gophers.ipynb": {"norm"},
	"04_importing_camlib.ipynb": {"block", "own"}, "08_your_own_network.ipynb": {"small"},
}

// function matches the head of a function's declaration, or a function that is given a name.
var function = regexp.MustCompile(`(?m)^func (?:\([^)]*\) )?(\w+)|(?:^|\s)(\w+) :?= func\(`)

// functions returns the names of the functions that the code cells of a notebook define.
func functions(cells []cell) (names []string) {
	for _, c := range cells {
		if c.Type != "code" {
			continue
		}
		for _, m := range function.FindAllStringSubmatch(strings.Join(c.Source, ""), -1) {
			names = append(names, m[1]+m[2])
		}
	}
	return names
}

// TestNotebookCells holds code cells to one idea each: few lines, and no functions, which
// belong in camlib.
func TestNotebookCells(t *testing.T) {
	for _, file := range committed(t) {
		cells := read(t, file)
		for i, c := range cells {
			if c.Type == "code" && len(c.Source) > longestCell {
				t.Errorf("%s: cell %d has %d lines, want at most %d", file, i+1, len(c.Source), longestCell)
			}
		}
		if got := functions(cells); !slices.Equal(got, defines[file]) {
			t.Errorf("%s: cells define the functions %q, want %q: what others can use belongs in camlib", file, got, defines[file])
		}
	}
}

func TestNotebookFunctions(t *testing.T) {
	cells := []cell{
		{Type: "markdown", Source: []string{"func inProse() {}"}},
		{Type: "code", Source: []string{"func one() {\n", "\ttwo := func(x int) {}\n", "}\n", "func (t Try) three() {}\n", "net.Head = func() {}\n"}},
		{Type: "code", Source: []string{"var four func()\n", "four = func() {}\n", "all := a.Where(func(label int) bool { return true })\n", "// func five() is a comment"}},
	}
	if got, want := functions(cells), []string{"one", "two", "three", "four"}; !slices.Equal(got, want) {
		t.Errorf("functions %q, want %q", got, want)
	}
}

// TestNotebookPictureTags holds every notebook in English to one tagged picture, which
// `make notebooks` copies to docs.
func TestNotebookPictureTags(t *testing.T) {
	for _, file := range committed(t) {
		n := 0
		for _, c := range read(t, file) {
			if slices.Contains(c.Metadata.Tags, kernels.PictureTag) {
				n++
			}
		}
		want := 1
		if strings.HasSuffix(file, ".ja.ipynb") {
			want = 0 // the pictures are the English notebook's
		}
		if n != want {
			t.Errorf("%s: %d cells are tagged %s, want %d", file, n, kernels.PictureTag, want)
		}
	}
}

// opening matches a call that opens a network, with the arguments that say which.
var opening = regexp.MustCompile(`camlib\.(?:Article|Load|New|Open)\([\w., ]*`)

// dated lists what cells say that a kernel whose values live on does not need: marks for
// where a program begins, notebook's own Must and Check, the same network opened again.
func dated(cells []cell) (all []string) {
	opened := make(map[string]bool)
	for i, c := range cells {
		if c.Type != "code" {
			continue
		}
		for _, line := range c.Source {
			line = strings.TrimSpace(line)
			for _, old := range []string{"notebook.Must(", "notebook.Check("} {
				if strings.Contains(line, old) {
					all = append(all, fmt.Sprintf("cell %d: %s, want %s", i+1, old, strings.TrimPrefix(old, "notebook.")))
				}
			}
			if strings.HasPrefix(line, "%%") {
				all = append(all, fmt.Sprintf("cell %d: %s, want the statements alone", i+1, line))
			}
			for _, call := range opening.FindAllString(line, -1) {
				if opened[call] {
					all = append(all, fmt.Sprintf("cell %d: %s… again, want the variable that has it", i+1, call))
				}
				opened[call] = true
			}
		}
	}
	return all
}

// TestNotebookCellsKeepValues holds cells to what is short where values live on.
func TestNotebookCellsKeepValues(t *testing.T) {
	for _, file := range committed(t) {
		for _, what := range dated(read(t, file)) {
			t.Errorf("%s: %s", file, what)
		}
	}
}

func TestNotebookDated(t *testing.T) {
	for _, row := range []struct {
		name, source string
		want         int
	}{
		{"short", "model := Must(camlib.Article())\nother := Must(camlib.Open(file))\nCheck(err)", 0},
		{"a mark", "import \"fmt\"\n%%\nfmt.Println()", 1},
		{"a mark with arguments", "%% -v", 1},
		{"a verb", "fmt.Printf(\"95 %%\")", 0},
		{"Must and Check", "notebook.Check(f(notebook.Must(g())))", 2},
		{"opened twice", "a := Must(camlib.Article())\nb := Must(camlib.Article())", 1},
		{"two files", "a, b := Must(camlib.Open(one)), Must(camlib.Open(two))", 0},
	} {
		cells := []cell{{Type: "markdown", Source: []string{"%%"}}, {Type: "code", Source: strings.SplitAfter(row.source, "\n")}}
		if got := dated(cells); len(got) != row.want {
			t.Errorf("%s: %q, want %d", row.name, got, row.want)
		}
	}
}
