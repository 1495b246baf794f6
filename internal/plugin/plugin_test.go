package plugin

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func touch(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// isolate leaves no folder to search but those that the test adds. The device
// is one that no machine has, so that the system's own folders stay silent.
func isolate(t *testing.T) (home, work string) {
	t.Helper()
	home, work = t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv(PathEnv, "")
	t.Setenv("LD_LIBRARY_PATH", "")
	t.Chdir(work)
	return home, work
}

const device = "testdevice"

func TestFindOrder(t *testing.T) {
	home, work := isolate(t)
	_, _, err := Find(device)
	if !errors.Is(err, ErrNotFound) {
		t.Fatalf("with no plugin anywhere: error %v, want ErrNotFound", err)
	}
	if want := "plugin: testdevice: no such PJRT plugin; run `camlab setup`"; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %q, want it to begin %q", err, want)
	}

	// Each step adds a place that comes before all earlier ones.
	touch(t, filepath.Join(work, "go.mod"))
	steps := []struct{ name, path, source string }{
		{"the checkout, from a folder below it", filepath.Join(work, ".venv/lib/pjrt", FileName(device)), "the environment of this checkout"},
		{"LD_LIBRARY_PATH", filepath.Join(home, "system", "pjrt_plugin_"+device+extension()), "go-xla's standard folders"},
		{"go-xla's folder for CUDA", filepath.Join(home, ".local/lib/go-xla/nvidia", FileName(device)), "go-xla's standard folders"},
		{"go-xla's folder", filepath.Join(home, ".local/lib/go-xla", FileName(device)), "go-xla's standard folders"},
		{"the variable", filepath.Join(home, "mine", "pjrt-plugin-"+device+extension()), PathEnv},
	}
	below := filepath.Join(work, "a", "b")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(below)
	t.Setenv("LD_LIBRARY_PATH", filepath.Join(home, "system"))
	t.Setenv(PathEnv, "/nonexistent"+string(os.PathListSeparator)+filepath.Join(home, "mine"))
	for _, step := range steps {
		touch(t, step.path)
		path, source, err := Find(device)
		if err != nil || path != step.path || source != step.source {
			t.Errorf("%s: Find = %q, %q, %v, want %q, %q", step.name, path, source, err, step.path, step.source)
		}
	}
}

func TestFindIgnoresOtherDevicesAndFolders(t *testing.T) {
	_, work := isolate(t)
	t.Setenv(PathEnv, work)
	touch(t, filepath.Join(work, FileName("other")))
	if err := os.Mkdir(filepath.Join(work, FileName(device)), 0o755); err != nil {
		t.Fatal(err)
	}
	if path, _, err := Find(device); !errors.Is(err, ErrNotFound) {
		t.Errorf("Find = %q, %v, want ErrNotFound", path, err)
	}
}

func TestLoaderDirs(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "ld.so.conf")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("ld.so.conf", "# comment\n/one # trailing\ninclude "+dir+"/*.conf.d\nrelative\n/three\n")
	write("a.conf.d", "/two\ninclude "+conf+"\n")
	got := loaderDirs(conf, 7)
	if want := "/one /two /three"; strings.Join(got, " ") != want {
		t.Errorf("loaderDirs = %v, want %s", got, want)
	}
}

func TestFlagsAreThoseBesideThePlugin(t *testing.T) {
	path := touch(t, filepath.Join(t.TempDir(), FileName("cpu")))
	apply := func() string {
		t.Helper()
		if err := ApplyFlags(path); err != nil {
			t.Fatal(err)
		}
		return os.Getenv("XLA_FLAGS")
	}
	t.Setenv("XLA_FLAGS", "") // puts the variable back after the test
	os.Unsetenv("XLA_FLAGS")
	if got := apply(); got != "" {
		t.Errorf("a plugin without flags: XLA_FLAGS = %q, want none", got)
	}
	write := func(text string) {
		t.Helper()
		os.Unsetenv("XLA_FLAGS")
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), FlagsFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("--fast --custom\n--safe\n")
	if got := apply(); got != "--fast --custom" {
		t.Errorf("XLA_FLAGS = %q, want those of the first line", got)
	}
	RunForeign()
	t.Cleanup(func() { foreign.Store(false) })
	os.Unsetenv("XLA_FLAGS")
	if got := apply(); got != "--safe" {
		t.Errorf("to run foreign graphs: XLA_FLAGS = %q, want those of the second line", got)
	}
	write("--xla_cpu_use_onednn=true --fast --xla_cpu_experimental_onednn_custom_call=true\n")
	if got := apply(); got != "--fast" {
		t.Errorf("of a file of one line: XLA_FLAGS = %q, want it without oneDNN's", got)
	}
	write("--fast\n\n")
	if got := apply(); got != "" {
		t.Errorf("of an empty second line: XLA_FLAGS = %q, want none", got)
	}
	os.Setenv("XLA_FLAGS", "--mine")
	if got := apply(); got != "--mine" {
		t.Errorf("XLA_FLAGS = %q, want the user's --mine", got)
	}
}
