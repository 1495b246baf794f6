package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExport(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program in which cells run")
	}
	dir, err := prepared()
	if err != nil {
		t.Skip(err)
	}
	file := filepath.Join(t.TempDir(), "a.ipynb")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"cells": [
		{"cell_type": "markdown", "source": "x := no Go"},
		{"cell_type": "code", "source": ["x := 3\n", "!ls"]},
		{"cell_type": "code", "source": "%%bash\necho 'no Go'"},
		{"cell_type": "code", "source": "%% --n=3\n?fmt.Println\nstrings.Repeat(\"a\", x)"}]}`)
	program, err := export(dir, file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"package main\n", "\"strings\"\n", "\tx = 3\n", "\tfmt.Println(strings.Repeat(\"a\", x))\n"} {
		if !strings.Contains(string(program), want) {
			t.Errorf("no %q in\n%s", want, program)
		}
	}
	for text, want := range map[string]string{
		`{"cells": []}`: "has no code cells",
		`[`:             "is no notebook",
		`{"cells": [{"cell_type": "code", "source": "y := nope"}]}`: "undefined: nope",
	} {
		write(text)
		if _, err := export(dir, file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
