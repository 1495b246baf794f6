package kernels

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGoNBChangesFit is that each change finds its place in the GoNB of go.mod,
// and that what comes of them compiles.
func TestGoNBChangesFit(t *testing.T) {
	module := strings.TrimSpace(string(must(t, exec.Command("go", "list", "-m", "-f", "{{.Dir}}", gonbModule))))
	modfile, err := changedGoNB(module, "..", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	must(t, exec.Command("go", "vet", "-modfile", modfile, gonbModule+"/internal/goexec", gonbModule+"/internal/dispatcher"))
}

// TestGoNBOfAnotherVersion is an error that names the file and the text that it lacks.
func TestGoNBOfAnotherVersion(t *testing.T) {
	module := t.TempDir()
	file := filepath.Join(module, filepath.FromSlash(gonbChanges[0].file))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("package goexec\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := changedGoNB(module, "..", t.TempDir())
	if err == nil || !strings.Contains(err.Error(), `composer.go has "// Write preamble`) {
		t.Errorf("error %v, want the file and the text", err)
	}
}

func must(t *testing.T, cmd *exec.Cmd) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", cmd, err, &stderr)
	}
	return out
}
