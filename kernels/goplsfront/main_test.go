package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPassMakesChangesWhole(t *testing.T) {
	const (
		change = `{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///a/go.mod","version":2},"contentChanges":[{"range":{"start":{"line":0,"character":0},"end":{"line":0,"character":0}},"rangeLength":0,"text":"module ä"}]}}`
		whole  = `{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"contentChanges":[{"text":"module ä"}],"textDocument":{"uri":"file:///a/go.mod","version":2}}}`
		other  = `{"jsonrpc":"2.0","id":1,"method":"textDocument/completion","params":{"range":1}}`
	)
	frame := func(bodies ...string) string {
		var b strings.Builder
		for _, body := range bodies {
			fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
		}
		return b.String()
	}
	var got bytes.Buffer
	if err := pass(&got, bufio.NewReader(strings.NewReader(frame(other, change, other)))); err != nil {
		t.Fatal(err)
	}
	if want := frame(other, whole, other); got.String() != want {
		t.Errorf("passed on\n%q\nwant\n%q", got.String(), want)
	}
	if err := pass(&got, bufio.NewReader(strings.NewReader(frame(change)[:100]))); err == nil {
		t.Error("half a message was taken for the end")
	}
}

func TestUnfinishedCellGetsTheImportsOfEarlierOnes(t *testing.T) {
	dir := t.TempDir()
	text := "package main\n\nimport \"fmt\"\nfunc main() {\nm.\n}\n"
	file := func() map[string]any { return map[string]any{"text": text} }
	got := file()
	withImports("file://"+dir+"/main.go", got)
	if got["text"] != text {
		t.Errorf("without other.go: %q", got["text"])
	}
	if err := os.WriteFile(filepath.Join(dir, "other.go"), []byte("package main\n\nimport (\n\t\"fmt\"\n\tx \"a/b\"\n\t\"c\"\n)\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	withImports("file://"+dir+"/main.go", got)
	if want := "package main; import x \"a/b\"; import \"c\"\n" + strings.TrimPrefix(text, "package main\n"); got["text"] != want {
		t.Errorf("main.go is %q, want %q", got["text"], want)
	}
	got = file()
	withImports("file://"+dir+"/go.mod", got)
	if got["text"] != text {
		t.Errorf("another file is changed: %q", got["text"])
	}
}
