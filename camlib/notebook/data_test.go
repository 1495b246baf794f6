package notebook

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cifar10"
)

func TestFullOrQuick(t *testing.T) {
	for value, want := range map[string]int{"1": 4, "": 15} {
		t.Setenv("CAMLAB_QUICK", value)
		if got := FullOrQuick(15, 4); got != want {
			t.Errorf("CAMLAB_QUICK=%q: %d, want %d", value, got, want)
		}
	}
}

// TestSampleInParts is that a notebook gets the sample in quick mode, and where CIFAR-10 is
// not there and is not to be fetched: every image once, and each class in both parts.
func TestSampleInParts(t *testing.T) {
	t.Setenv("CAMLAB_DATA", t.TempDir())
	for _, quick := range []string{"1", ""} {
		t.Setenv("CAMLAB_QUICK", quick)
		training, test := CIFAR10(quick == "1") // quick mode does not look, and so does not fetch
		if training.Len() != 800 || test.Len() != 200 {
			t.Fatalf("quick %q: %d and %d images, want 800 and 200", quick, training.Len(), test.Len())
		}
		index := slices.Concat(training.Index, test.Index)
		slices.Sort(index)
		if want := cifar10.Sample().Index; !slices.Equal(index, want) {
			t.Errorf("quick %q: other images than the sample's", quick)
		}
		for _, part := range []*cifar10.Dataset{training.First(200), test} {
			var n [10]int
			for _, l := range part.Labels {
				n[l]++
			}
			if slices.Min(n[:]) < 10 {
				t.Errorf("quick %q: %v images of the classes in a part of 200, want some of each", quick, n)
			}
		}
		if got := TestImages(); got.Len() != 1000 {
			t.Errorf("quick %q: %d test images, want the sample's 1000", quick, got.Len())
		}
	}
}

// TestAllImages looks at CIFAR-10 itself, where it is in the folder that is looked in.
func TestAllImages(t *testing.T) {
	t.Setenv("CAMLAB_QUICK", "")
	dir, err := cifar10.DefaultDir()
	if err != nil {
		t.Skip(err)
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "cifar-10-*")); len(found) == 0 {
		t.Skip("CIFAR-10 is not there: `camlab data --download`, or set CAMLAB_DATA")
	}
	if training, test := CIFAR10(false); training.Len() != 50000 || test.Len() != 10000 {
		t.Errorf("%d and %d images, want 50,000 and 10,000", training.Len(), test.Len())
	}
	if test := TestImages(); test.Len() != 10000 || test.Split != cifar10.Test {
		t.Errorf("%s, want the test split", test)
	}
}

// TestDamagedDataEndsTheCell is that files that are there but wrong are not passed over for
// the sample.
func TestDamagedDataEndsTheCell(t *testing.T) {
	if os.Getenv("CAMLAB_DAMAGED") == "1" {
		TestImages()
		t.Fatal("still running")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "test_batch.bin"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := endsTheCell(t, "CAMLAB_DAMAGED=1", "CAMLAB_QUICK=", "CAMLAB_DATA="+dir)
	if want := "cifar10: "; len(out) < len(want) || out[:len(want)] != want {
		t.Errorf("error output %q, want what is wrong with the file", out)
	}
}

// TestFetched is that a notebook gets the network that was fetched, and another in quick mode
// and where there is none.
func TestFetched(t *testing.T) {
	cache := t.TempDir()
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} { // of Linux, macOS and Windows
		t.Setenv(name, cache)
	}
	path, err := camlib.Fetched("resnet")
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(path, cache) {
		t.Fatalf("%s, %v, want a file of %s that is not there", path, err, cache)
	}
	t.Setenv("CAMLAB_QUICK", "")
	if got := Fetched("resnet", "small.onnx"); got != "small.onnx" {
		t.Errorf("%s, want the other one where it is not there", got)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := Fetched("resnet", "small.onnx"); got != path {
		t.Errorf("%s, want %s", got, path)
	}
	t.Setenv("CAMLAB_QUICK", "1")
	if got := Fetched("resnet", "small.onnx"); got != "small.onnx" {
		t.Errorf("%s in quick mode, want the other one", got)
	}
}
