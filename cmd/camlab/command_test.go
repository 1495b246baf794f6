package main

import (
	"bytes"
	"encoding/json"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"codeberg.org/sbinet/npyio/npy"

	"github.com/camlab-go/camlab/camlib/cifar10"
)

// slow skips a test that takes half a minute or more under -short.
func slow(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes half a minute or more")
	}
}

// command runs a command line and returns its standard output.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, _, err := commandSaying(t, args...)
	return out, err
}

// commandSaying is command, with what it says on standard error.
func commandSaying(t *testing.T, args ...string) (out, said string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	err = root.ExecuteContext(t.Context())
	return stdout.String(), stderr.String(), err
}

// array reads a .npy file of any float type and its shape.
func array(t *testing.T, path string) (values []float64, shape []int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := npy.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.Header.Descr.Type, "f8") {
		if err := r.Read(&values); err != nil {
			t.Fatal(err)
		}
		return values, r.Header.Descr.Shape
	}
	var single []float32
	if err := r.Read(&single); err != nil {
		t.Fatal(err)
	}
	for _, v := range single {
		values = append(values, float64(v))
	}
	return values, r.Header.Descr.Shape
}

// sameRows wants every row, an image's map or scores, within 1e-4 of its
// largest value.
func sameRows(t *testing.T, what string, got, want []float64, row int) {
	t.Helper()
	if len(got) == 0 || len(got) > len(want) || len(got)%row != 0 {
		t.Fatalf("%s: %d values, want rows of %d, at most %d values", what, len(got), row, len(want))
	}
	for start := 0; start < len(got); start += row {
		largest, worst := 0.0, 0.0
		for i := start; i < start+row; i++ {
			largest = max(largest, math.Abs(want[i]))
			worst = max(worst, math.Abs(got[i]-want[i]))
		}
		if !(worst <= 1e-4*largest) {
			t.Errorf("%s: image %d is off by %.2g of its largest value, want 1e-4", what, start/row, worst/largest)
		}
	}
}

// files reads all files of a folder.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

// sampleIndex is the --index of the first n images of the sample.
func sampleIndex(n int) string {
	var index []string
	for _, i := range cifar10.Sample().Index[:n] {
		index = append(index, strconv.Itoa(i))
	}
	return strings.Join(index, ",")
}

// pngBytes is image i of the sample as a file.
func pngBytes(t *testing.T, i int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, cifar10.Sample().Image(i)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unsetenv takes variables out of the environment for a test.
func unsetenv(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		t.Setenv(name, "") // set again after the test
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func readManifest(t *testing.T, dir string) (m manifest) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// same wants two folders to hold the same files, of the same bytes.
func same(t *testing.T, what, dir string, want map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(want) {
		t.Errorf("%s: %d files, want %d", what, len(entries), len(want))
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if w, ok := want[e.Name()]; err != nil || !ok || w != string(b) {
			t.Errorf("%s: %s: error %v, or not the bytes of a run that was not stopped", what, e.Name(), err)
		}
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
}
