package notebooks_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// step is a cell of the first hour, and what a person expects of it.
type step struct {
	what  string
	code  string
	text  string // in what it shows, errors included
	fails bool
	// pictures are how many it shows, without errors.
	pictures int
}

// firstHour is what a newcomer types who knows notebooks.
var firstHour = []step{
	{what: "a statement", code: `fmt.Println("hi")`, text: "hi"},
	{what: "the three lines of the README", code: "img := cifar10.Sample().Image(1)\nmodel := Must(camlib.Article())\nmodel.Explain(\"cam\", \"predicted\", img)", pictures: 1},
	{what: "a value", code: `x := 3`},
	{what: "the value in the next cell", code: `x + 1`, text: "4"},
	{what: "a counter", code: "var counter int"},
	{what: "that counts", code: "counter++\ncounter++\ncounter", text: "2"},
	{what: "a struct", code: "type point struct{ X, Y int }\npoint{3, 4}", text: "point{X: 3, Y: 4}"},
	{what: "a table", code: "[]point{{1, 2}, {3, 4}}", text: "Y"},
	{what: "a dot import", code: "import . \"github.com/gomlx/gomlx/core/graph\"\ndouble := func(x *Node) *Node { return Add(x, x) }\nCallOnce(model.Backend, double, []float32{1, 2})", text: "[2 4]"},
	{what: "a cell that does not use it", code: `x * 2`, text: "6"},
	{what: "a forgotten error", code: `other := camlib.Article()`, text: "other := Must(camlib.Article())", fails: true},
	{what: "a misspelt name", code: "y := 1\nfmt.Printn(y)", text: "line 2", fails: true},
	{what: "a panic", code: "var m map[string]int\nm[\"frog\"]++", text: "assignment to entry in nil map", fails: true},
	{what: "values after a panic", code: `counter`, text: "2"},
	{what: "two %% lines", code: "%%\nfmt.Println(1)\n%%\nfmt.Println(2)", text: "2"},
	{what: "a shell command", code: `!echo from the shell`, text: "from the shell"},
	{what: "help", code: `?cam.GradCAM`, text: "arXiv:1610.02391"},
}

// notebookOf is a notebook with the given cells.
func notebookOf(t *testing.T, steps []step) []byte {
	t.Helper()
	cells := []any{}
	for i, s := range steps {
		cells = append(cells, map[string]any{"id": fmt.Sprint("c", i), "cell_type": "code", "source": s.code, "outputs": []any{}, "execution_count": nil, "metadata": map[string]any{}})
	}
	data, err := json.Marshal(map[string]any{"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": map[string]any{
		"kernelspec": map[string]any{"name": "camlab-xla-cpu", "display_name": "Go CAM · XLA CPU", "language": "go"}}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestNotebookFirstHourInBrowser types what every notebook user types, and looks at
// what comes. Then Run All has to stop where a cell panics, and Tab and Shift+Tab to
// help.
func TestNotebookFirstHourInBrowser(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	l.write(filepath.Join(l.root, "first.ipynb"), notebookOf(t, firstHour))
	l.open("first.ipynb")
	for i, s := range firstHour {
		l.do(fmt.Sprintf(`nb().content.activeCellIndex = %d; jupyterapp.commands.execute("notebook:run-cell")`, i))
		l.is(s.what+" to run", fmt.Sprintf(`codeCells()[%d].model.executionCount > 0 && codeCells()[%[1]d].model.executionState === "idle"`, i))
		l.is("what is put out by "+s.what+" to be drawn", fmt.Sprintf(`shown(codeCells()[%d])`, i))
		got, err := eval[struct {
			Outputs outputs
			Text    string
			Kinds   []string
		}](l, fmt.Sprintf(`({outputs: outputs(codeCells()[%d]), text: codeCells()[%[1]d].outputArea.node.innerText,
			kinds: codeCells()[%[1]d].model.outputs.toJSON().map(o => o.output_type)})`, i))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got.Text, s.text) {
			t.Errorf("%s: shows %q, want %q", s.what, got.Text, s.text)
		}
		if n := strings.Count(got.Text, s.text); s.text != "" && len(s.text) > 3 && n != 1 {
			t.Errorf("%s: says it %d times, want once: %q", s.what, n, got.Text)
		}
		if fails := slices.Contains(got.Kinds, "error"); fails != s.fails {
			t.Errorf("%s: an error is %v, want %v: %q", s.what, fails, s.fails, got.Text)
		}
		if !s.fails && len(got.Outputs.Errors) > 0 {
			t.Errorf("%s: error output %q", s.what, got.Outputs.Errors)
		}
		if len(got.Outputs.Pictures) != s.pictures {
			t.Errorf("%s: %d pictures, want %d", s.what, len(got.Outputs.Pictures), s.pictures)
		}
		l.do(fmt.Sprintf(`codeCells()[%d].node.scrollIntoView({block: "start"})`, max(0, i-1)))
		t.Log(l.screenshot(fmt.Sprintf("first_hour_%02d", i+1)))
	}

	// Tab, in a cell that nobody has run.
	l.do(`jupyterapp.commands.execute("notebook:insert-cell-below").then(() => { nb().content.activeCell.model.sharedModel.setSource("model."); nb().content.mode = "edit"
		const editor = nb().content.activeCell.editor; editor.focus(); editor.setCursorPosition({line: 0, column: 6}) })`)
	l.is("the new cell to be edited", `document.activeElement?.closest(".jp-Cell") === nb().content.activeCell.node`)
	l.press(kb.Tab)
	const items = `[...document.querySelectorAll(".jp-Completer-item .jp-Completer-match")].map(e => e.innerText)`
	l.is("the completion of model.", items+`.includes("Explain")`)
	names, err := eval[[]string](l, items)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(names, "Backend") || slices.Contains(names, "AddressLabel") {
		t.Errorf("Tab after model. offers %q, want the fields and methods of a model", names)
	}
	t.Log(l.screenshot("first_hour_tab"))
	l.press(kb.Escape)

	// The launcher offers the notebooks to begin with.
	l.do(`jupyterapp.commands.execute("launcher:create").then(() => undefined)`)
	l.is("the launcher's cards", `[...document.querySelectorAll(".jp-LauncherCard-label")].some(e => e.innerText.trim() === "Start here")`)
	t.Log(l.screenshot("first_hour_launcher"))
	l.do(`[...document.querySelectorAll(".jp-LauncherCard")].find(e => e.innerText.trim() === "Start here").click()`)
	l.is("00_start_here.ipynb to open", `[...jupyterapp.shell.widgets("main")].some(w => w.context?.path === "00_start_here.ipynb")`)
}

// TestNotebookRunAllStopsInBrowser: what comes after a cell that fails is not run.
func TestNotebookRunAllStopsInBrowser(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	l.write(filepath.Join(l.root, "stops.ipynb"), notebookOf(t, []step{{code: `a := 1`}, {code: `panic("here")`}, {code: `fmt.Println("not reached")`}}))
	l.open("stops.ipynb")
	l.runAll()
	l.is("the panic", `codeCells()[1].outputArea.node.innerText.includes("here")`)
	l.is("the kernel to be idle", `nb().sessionContext.session.kernel.status === "idle" && codeCells()[2].model.executionState === "idle"`)
	counts, err := eval[[]int](l, `codeCells().map(c => c.model.executionCount ?? 0)`)
	if err != nil {
		t.Fatal(err)
	}
	if want := []int{1, 2, 0}; !slices.Equal(counts, want) {
		t.Errorf("execution counts %v, want %v", counts, want)
	}
	t.Log(l.screenshot("run_all_stops"))
}
