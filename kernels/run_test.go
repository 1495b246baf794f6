package kernels

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRunNotWritable wants a folder that cannot take the results noticed before the
// notebook runs, for which there is nothing here.
func TestRunNotWritable(t *testing.T) {
	dir := t.TempDir()
	spec := filepath.Join(dir, ".venv", "share", "jupyter", "kernels", PureGo)
	page := filepath.Join(dir, "page")
	for _, d := range []string{spec, filepath.Join(page, "a.html"), filepath.Join(dir, "same", "a.ipynb")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{filepath.Join(spec, "kernel.json"), filepath.Join(dir, "file")} {
		if err := os.WriteFile(f, []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	e := Env{Root: dir}
	for _, test := range []struct {
		opts RunOptions
		want string
	}{
		{RunOptions{Out: filepath.Join(dir, "file")}, "not a directory"},
		{RunOptions{Out: filepath.Join(dir, "same")}, "a.ipynb is a folder, want that name free for a file"},
		{RunOptions{Out: page, HTML: true}, "a.html is a folder, want that name free for a file"},
		{RunOptions{InPlace: true}, "in place: folder "},
	} {
		_, err := e.RunNotebook(t.Context(), filepath.Join(dir, "file", "a.ipynb"), test.opts)
		if err == nil || !strings.HasPrefix(err.Error(), "kernels: a.ipynb: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.opts, err, test.want)
		}
	}
}

// TestConcurrentEvery: what is said now and then comes until it is stopped.
func TestConcurrentEvery(t *testing.T) {
	said := make(chan time.Duration)
	stop := every(time.Millisecond, func(d time.Duration) {
		select {
		case said <- d:
		case <-t.Context().Done():
		}
	})
	first, second := <-said, <-said
	stop()
	if first <= 0 || second <= first {
		t.Errorf("said after %s and %s, want later and later", first, second)
	}
}
