package kernels

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shown is an output that shows data of a MIME type.
func shown(mime string, data any) map[string]any {
	return map[string]any{"output_type": "display_data", "data": map[string]any{mime: data}}
}

// tagged returns the cell with tags.
func tagged(cell map[string]any, tags ...string) map[string]any {
	cell["metadata"] = map[string]any{"tags": tags}
	return cell
}

func TestWritePictures(t *testing.T) {
	one, two := base64.StdEncoding.EncodeToString([]byte("one")), base64.StdEncoding.EncodeToString([]byte("two"))
	data := book(t,
		tagged(codeCell(1, "a", shown("image/png", one+"\n")), "varies"),
		codeCell(2, "b"),
		tagged(codeCell(3, "c", shown("text/html", []string{"<img src='data:image/png;base64,", two, "'>"}), shown("image/svg+xml", "<svg/>")), "varies", PictureTag))
	dir := t.TempDir()
	stale := []string{filepath.Join(dir, "nb_09_1.png"), filepath.Join(dir, "nb_docs-picture.svg")}
	for _, path := range stale {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	paths, err := writePictures(data, "nb", dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, filepath.Base(p)+"="+string(text))
	}
	if want := []string{"nb_01_1.png=one", "nb_03_1.png=two", "nb_03_2.svg=<svg/>", "nb_docs-picture.png=two"}; !slices.Equal(got, want) {
		t.Errorf("pictures %v, want %v", got, want)
	}
	for _, path := range stale {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s of an earlier run is still there", path)
		}
	}
}

func TestWritePicturesSaysWhatIsWrong(t *testing.T) {
	png := shown("image/png", base64.StdEncoding.EncodeToString([]byte("one")))
	for _, row := range []struct {
		data []byte
		want string
	}{
		{book(t, codeCell(1, "a", png), tagged(codeCell(2, "b"), PictureTag)), "code cell 2 is tagged docs-picture but shows no picture, want one"},
		{book(t, tagged(codeCell(1, "a", png), PictureTag), tagged(codeCell(2, "b", png), PictureTag)), "code cells 1 and 2 are tagged docs-picture, want one"},
		{book(t, codeCell(1, "a"), codeCell(2, "b", shown("image/png", "no base64!"))), "code cell 2: image/png: illegal base64"},
	} {
		if _, err := writePictures(row.data, "nb", t.TempDir()); err == nil || !strings.HasPrefix(err.Error(), row.want) {
			t.Errorf("error %v, want %q", err, row.want)
		}
	}
}
