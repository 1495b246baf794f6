// Package notebooks_test runs the notebooks: each of them in quick mode, and
// the import of camlib from a folder that knows nothing of this checkout.
package notebooks_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/kernels"
)

// environment returns the checkout's environment. The tests that execute
// notebooks are run by `make test-notebooks`, which makes it first.
func environment(t *testing.T) kernels.Env {
	t.Helper()
	if os.Getenv("CAMLAB_TEST_NOTEBOOKS") == "" {
		t.Skip("executes notebooks for minutes: `make test-notebooks`, or set CAMLAB_TEST_NOTEBOOKS=1 after `camlab setup`")
	}
	env, err := kernels.FindEnv()
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func committed(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.ipynb")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no notebooks beside this test")
	}
	return files
}

// alone are the notebooks that need nothing beside them: they are executed in an
// empty folder.
var alone = []string{"04_importing_camlib.ipynb"}

// translations are notebooks whose code is that of another one, which
// [TestNotebookInJapanese] sees to: what that prints and shows, they do.
var translations = map[string]string{"01_article.ipynb": "01_article.ja.ipynb"}

// TestNotebooksQuick executes every notebook in quick mode into a temporary
// folder, and wants pictures from the same cells as in the committed one and the
// same text from all cells that are not tagged "varies": quick mode and other
// processors change what those print.
func TestNotebooksQuick(t *testing.T) {
	env := environment(t)
	for _, file := range committed(t) {
		if slices.Contains(slices.Collect(maps.Values(translations)), file) {
			continue
		}
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			path, err := filepath.Abs(file)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(alone, file) {
				path = copyFile(t, path)
			}
			report, err := env.RunNotebook(t.Context(), path, kernels.RunOptions{Out: t.TempDir(), Quick: true, HTML: true, PNG: true, Progress: func(s string) { t.Log(s) }})
			if err != nil {
				t.Fatal(err)
			}
			same := []string{file}
			if other, ok := translations[file]; ok {
				same = append(same, other)
			}
			for _, file := range same {
				got, want := pictures(t, report.Notebook), pictures(t, file)
				if strings.Join(got, "\n") != strings.Join(want, "\n") {
					t.Errorf("%s: pictures by code cell\n%v\nwant, as committed,\n%v", file, got, want)
				}
				if diff := differences(printed(t, report.Notebook), printed(t, file)); diff != "" {
					t.Errorf("%s: text other than committed:\n%s", file, diff)
				}
			}
			for _, where := range undescribed(read(t, report.Notebook)) {
				t.Errorf("%s has no alternative text that says what it shows", where)
			}
			page, err := os.ReadFile(report.HTML)
			if err != nil {
				t.Fatal(err)
			}
			for _, img := range element.FindAllString(string(page), -1) {
				if alt := altText.FindStringSubmatch(img); alt == nil || strings.HasPrefix(alt[1], "No description") {
					t.Errorf("page: no alternative text: %.60s", img)
				}
			}
			t.Logf("%d pictures, %.1f s", len(report.Pictures), report.Seconds)
		})
	}
}

// TestNotebooksCommitted holds the committed outputs to the gate.
func TestNotebooksCommitted(t *testing.T) {
	for _, file := range committed(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := kernels.CheckNotebook(data); err != nil {
			t.Errorf("%s: %v; `make notebooks` writes the outputs", file, err)
		}
		if strings.Contains(string(data), `"execution": {`) {
			t.Errorf("%s: holds execution times; `make notebooks` strips them", file)
		}
		for _, where := range undescribed(read(t, file)) {
			t.Errorf("%s: %s has no alternative text that says what it shows; show it with notebook.Show or ShowAlt", file, where)
		}
		for i, c := range read(t, file) {
			for k := 1; k < len(c.Outputs); k++ {
				if name := c.Outputs[k].Name; name != "" && name == c.Outputs[k-1].Name {
					t.Errorf("%s: cell %d: %s is cut into several outputs, perhaps in the middle of a line; `make notebooks` joins them", file, i+1, name)
				}
			}
		}
	}
}

// TestNotebookInJapanese holds the Japanese notebook to the code of the English.
func TestNotebookInJapanese(t *testing.T) {
	const file = "01_article.ipynb"
	english, japanese := read(t, file), read(t, translations[file])
	if len(english) != len(japanese) {
		t.Fatalf("%d cells, want %d as the English", len(japanese), len(english))
	}
	for i, c := range japanese {
		switch {
		case c.Type != english[i].Type:
			t.Errorf("cell %d is %s, want %s", i+1, c.Type, english[i].Type)
		case c.Type == "code" && !slices.Equal(c.Source, english[i].Source):
			t.Errorf("cell %d: code other than the English:\n%s", i+1, strings.Join(c.Source, ""))
		case c.Type != "code" && slices.Equal(c.Source, english[i].Source):
			t.Errorf("cell %d is not translated", i+1)
		}
	}
}

// copyFile copies a file into an empty folder.
func copyFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

type cell struct {
	Type     string   `json:"cell_type"`
	Source   []string `json:"source"`
	Metadata struct {
		Tags []string `json:"tags"`
	} `json:"metadata"`
	Outputs []struct {
		Name     string                     `json:"name"`
		Text     []string                   `json:"text"`
		Data     map[string]json.RawMessage `json:"data"`
		Metadata map[string]struct {
			Alt string `json:"alt"`
		} `json:"metadata"`
	} `json:"outputs"`
}

func read(t *testing.T, file string) []cell {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var nb struct {
		Cells []cell `json:"cells"`
	}
	if err := json.Unmarshal(data, &nb); err != nil {
		t.Fatal(err)
	}
	return nb.Cells
}

// printed returns what each cell that is not tagged "varies" printed, and the values that
// it showed as text alone.
func printed(t *testing.T, file string) []string {
	t.Helper()
	var all []string
	for _, c := range read(t, file) {
		text := ""
		for _, out := range c.Outputs {
			if slices.Contains(c.Metadata.Tags, "varies") {
				continue
			}
			if out.Name == "stdout" {
				text += strings.Join(out.Text, "")
			}
			var value []string
			if plain, ok := out.Data["text/plain"]; ok && out.Data["image/png"] == nil && json.Unmarshal(plain, &value) == nil {
				text += strings.Join(value, "") + "\n"
			}
		}
		all = append(all, text)
	}
	return all
}

// differences compares texts word by word. Numbers may differ by a thousandth, for
// processors round differently.
func differences(got, want []string) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d cells, want %d", len(got), len(want))
	}
	trim := func(s string) string { return strings.Trim(s, "[](),:;") }
	same := func(a, b string) bool {
		x, errX := strconv.ParseFloat(trim(a), 64)
		y, errY := strconv.ParseFloat(trim(b), 64)
		return a == b || errX == nil && errY == nil && math.Abs(x-y) <= 1e-3*(1+math.Abs(y))
	}
	var b strings.Builder
	for i := range want {
		if !slices.EqualFunc(strings.Fields(got[i]), strings.Fields(want[i]), same) {
			fmt.Fprintf(&b, "cell %d printed\n%swant\n%s", i+1, got[i], want[i])
		}
	}
	return b.String()
}

func TestNotebookDifferences(t *testing.T) {
	for _, test := range []struct {
		name, got, want string
		same            bool
	}{
		{"equal", "frog: 1.5", "frog: 1.5", true},
		{"rounding", "[1.50001 2]", "[1.5 2]", true},
		{"small numbers", "worst 1.5e-05", "worst 2e-05", true},
		{"another number", "p 0.985", "p 0.982", false},
		{"another word", "frog 1", "toad 1", false},
		{"less", "a", "a b", false},
	} {
		if got := differences([]string{test.got}, []string{test.want}); (got == "") != test.same {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}

// pictures lists, for the code cells that show pictures, their number and the
// pictures' types.
func pictures(t *testing.T, file string) []string {
	t.Helper()
	var all []string
	for i, cell := range read(t, file) {
		for _, out := range cell.Outputs {
			for _, mime := range []string{"image/png", "image/svg+xml"} {
				if _, ok := out.Data[mime]; ok {
					all = append(all, fmt.Sprintf("%s in cell %d", mime, i+1))
				}
			}
		}
	}
	return all
}

// firstCell is a notebook in a folder of its own: its first cell imports
// camlib, with nothing prepared. Kernels that run cells by GoNB want the %%, which says
// where the program begins; the others pass over it.
const firstCell = `{"cells": [{"cell_type": "code", "id": "first", "execution_count": null, "metadata": {}, "outputs": [], "source": [
"import \"github.com/camlab-go/camlab/camlib\"\n",
"import \"github.com/camlab-go/camlab/camlib/cifar10\"\n",
"%%\n",
"b, err := camlib.Backend(\"\")\n",
"fmt.Println(err, cifar10.Sample().Len(), camlib.IsPureGo(b))"]}],
"metadata": {"kernelspec": {"name": "camlab-go", "display_name": "Go", "language": "go"}}, "nbformat": 4, "nbformat_minor": 5}`

// TestNotebookAnywhereOffline executes firstCell in an empty folder on kernels
// whose module proxies are cut down to files.
func TestNotebookAnywhereOffline(t *testing.T) {
	env := environment(t)
	// The kernels cut no proxy; a proxy that refuses everything does.
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	file := filepath.Join(t.TempDir(), "first.ipynb")
	if err := os.WriteFile(file, []byte(firstCell), 0o644); err != nil {
		t.Fatal(err)
	}
	specs, err := kernels.List(env.KernelDir())
	if err != nil {
		t.Fatal(err)
	}
	if len(specs) == 0 {
		t.Fatal("no kernels; run `camlab setup`")
	}
	for _, spec := range specs {
		t.Run(spec.Name, func(t *testing.T) {
			report, err := env.RunNotebook(t.Context(), file, kernels.RunOptions{Out: t.TempDir(), Kernel: spec.Name})
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(report.Notebook)
			if err != nil {
				t.Fatal(err)
			}
			want := "<nil> 1000 false"
			if strings.HasPrefix(spec.Name, kernels.PureGo) {
				want = "<nil> 1000 true"
			}
			if !strings.Contains(string(data), want) {
				t.Errorf("no %q in\n%s", want, data)
			}
		})
	}
}
