package notebooks_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestNotebookArticleInBrowser runs the article in JupyterLab as a reader
// does, and looks at what is displayed.
func TestNotebookArticleInBrowser(t *testing.T) {
	t.Parallel()
	const name = "01_article.ipynb"
	l := startLab(t)
	l.open(name)
	l.do(`watch()`)
	l.runAll()
	all, want := l.ran(), drawn(t, name)
	if len(all) != len(want) {
		t.Fatalf("%d code cells, want %d", len(all), len(want))
	}
	for i, cell := range all {
		if cell.Count != i+1 {
			t.Errorf("code cell %d: execution count %d", i+1, cell.Count)
		}
		if len(cell.Errors) > 0 {
			t.Errorf("code cell %d: error output %q", i+1, cell.Errors)
		}
		if len(cell.Pictures) != want[i] {
			t.Errorf("code cell %d: %d pictures, want %d as committed", i+1, len(cell.Pictures), want[i])
		}
		for k, p := range cell.Pictures {
			// The smallest is a row of three 32-pixel images.
			if p.Width < 90 || p.Height < 30 {
				t.Errorf("code cell %d: picture %d is displayed with %.0f by %.0f pixels", i+1, k+1, p.Width, p.Height)
			}
		}
		if len(cell.Pictures) > 0 {
			l.show(i, fmt.Sprintf("01_article_%02d", i+1))
		}
	}
	seen, err := eval[struct{ Bars, Pictures []string }](l, `seen`)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("while cells ran: progress bars %v, %d pictures", seen.Bars, len(seen.Pictures))
	curves := 0
	for _, p := range seen.Pictures {
		if strings.Contains(p, "image/svg+xml") {
			curves++
		}
	}
	if len(seen.Bars) < 2 || curves < 2 {
		t.Errorf("while cells ran, %d states of a progress bar and %d of curves were seen, want at least 2 and 2", len(seen.Bars), curves)
	}
}

// drawn returns the number of pictures of each code cell of a notebook.
func drawn(t *testing.T, file string) []int {
	t.Helper()
	var counts []int
	for _, c := range read(t, file) {
		if c.Type != "code" {
			continue
		}
		n := 0
		for _, out := range c.Outputs {
			if out.Data["image/png"] != nil || out.Data["image/svg+xml"] != nil {
				n++
			}
			n += bytes.Count(out.Data["text/html"], []byte("<img")) + bytes.Count(out.Data["text/html"], []byte("<svg"))
		}
		counts = append(counts, n)
	}
	return counts
}

// newNotebook names no kernel. Its second cell fails.
const newNotebook = `{"cells": [
{"cell_type": "code", "id": "a", "execution_count": null, "metadata": {}, "outputs": [], "source": ["cifar10.Sample().Image(0)"]},
{"cell_type": "code", "id": "b", "execution_count": null, "metadata": {}, "outputs": [], "source": ["panic(\"a cell fails\")"]}],
"metadata": {}, "nbformat": 4, "nbformat_minor": 5}`

// TestNotebookNewInBrowser chooses the kernel of a new notebook in JupyterLab's
// dialog, and sees both a picture and an error in it.
func TestNotebookNewInBrowser(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	l.write(filepath.Join(l.root, "new.ipynb"), []byte(newNotebook))
	l.open("new.ipynb")
	l.runAll()
	all := l.ran()
	if len(all) != 2 || len(all[0].Errors) != 0 || len(all[0].Pictures) != 1 || all[0].Pictures[0].Width != 192 || all[0].Pictures[0].Height != 192 {
		t.Errorf("%+v, want a picture of 32 by 32 pixels, six times as large, in the first of two cells", all)
	}
	if errs := strings.Join(all[1].Errors, "\n"); !strings.Contains(errs, "panic: a cell fails") {
		t.Errorf("the second cell shows the errors %q, want its panic", errs)
	}
	t.Log(l.screenshot("new"))
}
