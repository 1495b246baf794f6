// Package notebooks_test runs the notebooks: each of them in quick mode, and
// the import of camlib from a folder that knows nothing of this checkout.
package notebooks_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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

// TestNotebooksQuick executes every notebook in quick mode into a temporary
// folder and wants pictures from the same cells as in the committed one.
func TestNotebooksQuick(t *testing.T) {
	env := environment(t)
	for _, file := range committed(t) {
		t.Run(file, func(t *testing.T) {
			path, err := filepath.Abs(file)
			if err != nil {
				t.Fatal(err)
			}
			report, err := env.RunNotebook(t.Context(), path, kernels.RunOptions{Out: t.TempDir(), Quick: true, HTML: true, PNG: true, Progress: func(s string) { t.Log(s) }})
			if err != nil {
				t.Fatal(err)
			}
			got, want := pictures(t, report.Notebook), pictures(t, file)
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("pictures by code cell\n%v\nwant, as committed,\n%v", got, want)
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
	}
}

// pictures lists, for the code cells that show pictures, their number and the
// pictures' types.
func pictures(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var nb struct {
		Cells []struct {
			Outputs []struct {
				Data map[string]json.RawMessage `json:"data"`
			} `json:"outputs"`
		} `json:"cells"`
	}
	if err := json.Unmarshal(data, &nb); err != nil {
		t.Fatal(err)
	}
	var all []string
	for i, cell := range nb.Cells {
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
// camlib, with nothing prepared.
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
	if err := env.CheckImport(t.Context()); err != nil {
		t.Fatal(err)
	}
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
			if spec.Name == kernels.PureGo {
				want = "<nil> 1000 true"
			}
			if !strings.Contains(string(data), want) {
				t.Errorf("no %q in\n%s", want, data)
			}
		})
	}
}
