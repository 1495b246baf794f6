package folder_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/folder"
	"github.com/camlab-go/camlab/camlib/images"
)

// memory is three images of 2×3 pixels, of the second and the first class.
func memory(t *testing.T, channels int, classes ...string) images.Dataset {
	t.Helper()
	pixels := make([]uint8, 3*2*3*channels)
	for i := range pixels {
		pixels[i] = uint8(37 * i)
	}
	ds, err := images.NewMemory(images.Size{Height: 2, Width: 3, Channels: channels}, classes, pixels, []int{1, 0, 1})
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// TestWrite is that Open reads what Write wrote, to the last bit, in color and gray, and that
// a class without images has no folder.
func TestWrite(t *testing.T) {
	for _, channels := range []int{1, 3} {
		dir, ds := filepath.Join(t.TempDir(), "new"), memory(t, channels, "cat", "a dog", "none")
		for range 2 { // the second time over what is there
			if err := folder.Write(dir, ds); err != nil {
				t.Fatal(err)
			}
		}
		back, err := folder.Open(dir, folder.Options{Size: ds.Size()})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := pathsOf(back, dir), []string{"a dog/00000.png", "a dog/00002.png", "cat/00001.png"}; !slices.Equal(got, want) {
			t.Errorf("%d channels: files %q, want %q", channels, got, want)
		}
		sorted, err := images.Subset(ds, 0, 2, 1)
		if err != nil {
			t.Fatal(err)
		}
		want, err := images.Pixels(sorted)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := images.Pixels(back); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d channels: pixels %v (%v), want %v", channels, got, err, want)
		}
	}
}

func TestWriteSaysWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		ds   images.Dataset
		want string
	}{
		"no images":      {nil, "folder: write: images: data set without images"},
		"four channels":  {memory(t, 4, "cat", "dog"), "folder: write: images of 4 channels, want 1 or 3"},
		"a way out":      {memory(t, 3, "..", "dog"), `folder: write: class "..", want the name of a folder`},
		"two folders":    {memory(t, 3, "cat", `dog/puppy`), `folder: write: class "dog/puppy", want`},
		"none":           {memory(t, 3, "cat", ""), `folder: write: class "", want`},
		"passed over":    {memory(t, 3, "cat", ".dog"), `folder: write: class ".dog", want`},
		"twice the same": {memory(t, 3, "cat", "cat"), `folder: write: class "cat", want the name of a folder, of each class its own`},
	} {
		dir := t.TempDir()
		if err := folder.Write(dir, test.ds); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: %d files (%v), want none", name, len(left), err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil)
	if err := folder.Write(file, memory(t, 3, "cat", "dog")); err == nil || !strings.HasPrefix(err.Error(), "folder: write: mkdir ") {
		t.Errorf("a file in the folder's place: error %v", err)
	}
}
