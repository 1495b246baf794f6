package shared

import (
	"os"
	"path/filepath"
	"testing"
)

// found runs find in a test of its own, and returns what it gave, or "" if it
// skipped.
func found(t *testing.T, find func(testing.TB) string) (dir string) {
	t.Run("find", func(t *testing.T) { dir = find(t) })
	return dir
}

func TestLookup(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	deep := filepath.Join(top, "repository", "a", "b")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(deep)
	t.Setenv("CAMLAB_DATA", "")

	if got := found(t, Data); got != "" {
		t.Errorf("without go.mod: %s, want a skip", got)
	}
	if err := os.WriteFile(filepath.Join(top, "repository", "go.mod"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := found(t, Data); got != "" {
		t.Errorf("without shared: %s, want a skip", got)
	}
	for name, find := range map[string]func(testing.TB) string{"data": Data, "reference": Reference} {
		want := filepath.Join(top, "shared", name)
		if err := os.MkdirAll(want, 0o755); err != nil {
			t.Fatal(err)
		}
		if got := found(t, find); got != want {
			t.Errorf("%s: %q, want %s", name, got, want)
		}
	}
	t.Setenv("CAMLAB_DATA", "elsewhere")
	if got := found(t, Data); got != "elsewhere" {
		t.Errorf("with CAMLAB_DATA: %q, want elsewhere", got)
	}
}
