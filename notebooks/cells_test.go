package notebooks_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/kernels"
)

// longestCell is how many lines a code cell may have: one idea.
const longestCell = 15

// defines are the functions that cells may define: where defining is what they show.
var defines = map[string][]string{"04_importing_camlib.ipynb": {"block", "own"}, "08_your_own_network.ipynb": {"small"}}

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
		{Type: "code", Source: []string{"%%\n", "var four func()\n", "four = func() {}\n", "all := a.Where(func(label int) bool { return true })\n", "// func five() is a comment"}},
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
