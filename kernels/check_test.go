package kernels

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// codeCell is a code cell as Jupyter stores it.
func codeCell(count any, source string, outputs ...any) map[string]any {
	if outputs == nil {
		outputs = []any{}
	}
	return map[string]any{"cell_type": "code", "id": "c", "metadata": map[string]any{}, "execution_count": count, "source": source, "outputs": outputs}
}

func stderrText(text any) map[string]any {
	return map[string]any{"output_type": "stream", "name": "stderr", "text": text}
}

func book(t *testing.T, cells ...any) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{
		"cells": cells, "nbformat": 4, "nbformat_minor": 5,
		"metadata": map[string]any{"kernelspec": map[string]any{"name": XLACPU, "display_name": "Go", "language": "go"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCheckNotebook(t *testing.T) {
	markdown := map[string]any{"cell_type": "markdown", "source": []string{"panic: in prose is no failure"}}
	picture := map[string]any{"output_type": "display_data", "data": map[string]any{"image/png": "AAAA", "application/json": map[string]any{"a": 1}}}
	for _, row := range []struct {
		rule string
		data []byte
		want string // "" passes
	}{
		{"a good notebook passes", book(t, markdown, codeCell(1, "a", picture), codeCell(2, "b", stderrText("a warning"))), ""},
		{"an empty cell is not counted", book(t, codeCell(1, "a"), codeCell(nil, " \n"), codeCell(2, "b")), ""},
		{"exit status 0 and other words are no failure", book(t, codeCell(1, "a", stderrText("exit status 0\nno panic: here\n"))), ""},
		{"a panic split over two outputs", book(t, codeCell(1, "a"), codeCell(2, "b", stderrText("pan"), stderrText([]string{"ic: boom\n", "goroutine 1\n"}))), "code cell 2: panic: boom"},
		{"a panic on standard output is not one", book(t, codeCell(1, "a", map[string]any{"output_type": "stream", "name": "stdout", "text": "panic: printed"})), ""},
		{"a failing command", book(t, codeCell(1, "!false", stderrText("exit status 1\n"))), "code cell 1: exit status 1"},
		{"a killed cell", book(t, codeCell(1, "a", stderrText("x\nsignal: killed\n"))), "code cell 1: signal: killed"},
		{"an error output", book(t, codeCell(1, "a", map[string]any{"output_type": "error", "ename": "ERROR", "evalue": "\x1b[31mundefined: x\nmore"})), "code cell 1: ERROR: undefined: x"},
		{"a cell left out", book(t, codeCell(1, "a"), codeCell(nil, "b")), "code cell 2: not executed, want execution count 2"},
		{"cells run out of order", book(t, codeCell(2, "a"), codeCell(1, "b")), "code cell 1: execution count 2, want 1"},
		{"every offence has a line", book(t, codeCell(1, "a", stderrText("exit status 2")), codeCell(5, "b")), "code cell 1: exit status 2\ncode cell 2: execution count 5, want 2"},
		{"too large", book(t, codeCell(1, strings.Repeat("x", MaxNotebook))), "bytes, want at most 1048576"},
		{"not JSON", []byte("{"), "kernels: notebook: unexpected end of JSON input"},
	} {
		t.Run(row.rule, func(t *testing.T) {
			err := CheckNotebook(row.data)
			switch {
			case row.want == "" && err != nil:
				t.Errorf("CheckNotebook = %v, want it to pass", err)
			case row.want != "" && err == nil:
				t.Errorf("CheckNotebook passed, want %q", row.want)
			case row.want != "" && !strings.Contains(err.Error(), row.want):
				t.Errorf("CheckNotebook = %q, want %q in it", err, row.want)
			}
		})
	}
}

// TestNotebookGate executes notebooks that fail in every way, some of which Jupyter
// passes over with GoNB's kernels, and sees the gate stop each of them.
func TestNotebookGate(t *testing.T) {
	if os.Getenv("CAMLAB_TEST_NOTEBOOKS") == "" {
		t.Skip("executes notebooks: `make test-notebooks`, or set CAMLAB_TEST_NOTEBOOKS=1 after `camlab setup`")
	}
	env, err := FindEnv()
	if err != nil {
		t.Fatal(err)
	}
	original := book(t,
		codeCell(nil, "%%\nfmt.Println(\"fine\")"),
		codeCell(nil, "%%\npanic(\"boom\")"),
		codeCell(nil, "!false"),
		codeCell(nil, "%%\nfmt.Println(undefined)"),
		codeCell(nil, "import \"os\"\n%%\nos.Exit(3)"),
	)
	for flavor, wants := range map[Flavor][]string{
		Plain: {"code cell 2: panic: boom", "code cell 3: command: exit status 1", "code cell 4: compile error: undefined: undefined", "code cell 5: exit: exit status 3"},
		GoNB:  {"code cell 2: panic: boom", "code cell 3: exit status 1", "code cell 4: ERROR", "code cell 5: exit status 3"},
	} {
		t.Run("kernel"+string(flavor), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "bad.ipynb")
			if err := os.WriteFile(file, original, 0o644); err != nil {
				t.Fatal(err)
			}
			report, err := env.RunNotebook(t.Context(), file, RunOptions{Out: t.TempDir(), Kernel: PureGo + string(flavor), InPlace: true})
			if err == nil {
				t.Fatal("the gate passed a notebook that panics")
			}
			for _, want := range wants {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q, want %q in it", err, want)
				}
			}
			if strings.Contains(err.Error(), "code cell 1") {
				t.Errorf("error %q blames the cell that is fine", err)
			}
			if data, err := os.ReadFile(report.Notebook); err != nil || !strings.Contains(string(data), "boom") {
				t.Errorf("the failed notebook was not left to be looked at: %v", err)
			}
			if data, err := os.ReadFile(file); err != nil || string(data) != string(original) {
				t.Errorf("a notebook that fails was changed in place (%v)", err)
			}
		})
	}
}

// TestNotebookEquations converts equations with the environment's Python.
func TestNotebookEquations(t *testing.T) {
	if os.Getenv("CAMLAB_TEST_NOTEBOOKS") == "" {
		t.Skip("needs .venv: `make test-notebooks`, or set CAMLAB_TEST_NOTEBOOKS=1 after `camlab setup`")
	}
	env, err := FindEnv()
	if err != nil {
		t.Fatal(err)
	}
	got, err := env.toMathML(t.Context(), [][2]string{{`\alpha_k < 1`, "inline"}, {`\begin{aligned} a &= b \end{aligned}`, "block"}, {`\frac{`, "block"}})
	if err != nil {
		t.Fatal(err)
	}
	if got[0] == nil || !strings.Contains(*got[0], "<mi>&#x003B1;</mi>") {
		t.Errorf(`\alpha was not converted: %v`, got[0])
	}
	if got[1] != nil || got[2] != nil {
		t.Errorf("%v, %v: what latex2mathml cannot do right must stay LaTeX", got[1], got[2])
	}
}
