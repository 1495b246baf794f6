package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// TestExplainTransparent is that hidden colors are not seen, in files of a folder in
// several formats, and that --background chooses what is.
func TestExplainTransparent(t *testing.T) {
	dir := t.TempDir()
	hidden, white, black := image.NewNRGBA(image.Rect(0, 0, 40, 40)), image.NewNRGBA(image.Rect(0, 0, 40, 40)), image.NewNRGBA(image.Rect(0, 0, 40, 40))
	flat := image.NewPaletted(hidden.Rect, color.Palette{color.NRGBA{}, color.NRGBA{200, 30, 30, 255}})
	for y := range 40 {
		for x := range 40 {
			shown := color.NRGBA{200, 30, 30, 255}
			hidden.SetNRGBA(x, y, shown)
			white.SetNRGBA(x, y, shown)
			black.SetNRGBA(x, y, shown)
			flat.SetColorIndex(x, y, 1)
			if x+y < 40 {
				hidden.SetNRGBA(x, y, color.NRGBA{0, 255, 0, 0})
				white.SetNRGBA(x, y, color.NRGBA{255, 255, 255, 255})
				black.SetNRGBA(x, y, color.NRGBA{0, 0, 0, 255})
				flat.SetColorIndex(x, y, 0)
			}
		}
	}
	for name, encode := range map[string]func(io.Writer) error{
		"a.png":  func(w io.Writer) error { return png.Encode(w, hidden) },
		"b.gif":  func(w io.Writer) error { return gif.Encode(w, flat, nil) },
		"c.TIFF": func(w io.Writer) error { return tiff.Encode(w, hidden, nil) },
		"d.png":  func(w io.Writer) error { return png.Encode(w, white) },
		"e.bmp":  func(w io.Writer) error { return bmp.Encode(w, black) },
	} {
		var b bytes.Buffer
		if err := errors.Join(encode(&b), os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for background, same := range map[string]int{"": 3, "black": 4, "#000": 4, "#000000": 4, "WHITE": 3, "#ffffff": 3} {
		out := filepath.Join(t.TempDir(), "out")
		args := []string{"explain", dir, "--backend", "go", "--out", out, "--json"}
		if background != "" {
			args = append(args, "--background", background)
		}
		text, err := command(t, args...)
		if err != nil {
			t.Fatal(err)
		}
		var m manifest
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		if len(m.Images) != 5 {
			t.Fatalf("%d pictures of the folder, want 5", len(m.Images))
		}
		scores := m.Maps[0].Score
		for i := range 3 {
			// The pure-Go backend adds up the last rows of a matrix in another order.
			if math.Abs(float64(scores[i]-scores[same])) > 1e-5 {
				t.Errorf("background %q: %s scores %v, want %v as %s", background, m.Images[i].Name, scores[i], scores[same], m.Images[same].Name)
			}
		}
		if scores[3] == scores[4] {
			t.Error("white and black have one score")
		}
		if !strings.Contains(m.Photos, "over "+cmp.Or(strings.ToLower(background), "white")) {
			t.Errorf("background %q: the manifest says %q", background, m.Photos)
		}
	}
}

func TestExplainPhotoFlags(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "large.png")
	var b bytes.Buffer
	if err := errors.Join(png.Encode(&b, image.NewGray(image.Rect(0, 0, 1200, 1000))), os.WriteFile(file, b.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		args []string
		want string
	}{
		{"background", []string{file, "--background", "blurple"}, "want a name such as white, black or gray, or #rrggbb"},
		{"background of too many digits", []string{file, "--background", "#12345678"}, "or #rrggbb"},
		{"no size", []string{file, "--max-megapixels", "0"}, "--max-megapixels 0, want 1 to"},
		{"too large", []string{file, "--max-megapixels", "1"}, "1200×1000 pixels, want at most 1000000 pixels"},
		{"a folder without pictures", []string{t.TempDir()}, "no .png, .jpg, .gif, .webp, .bmp or .tiff in"},
		{"a device", []string{"/dev/zero"}, "a device, want a file"},
	} {
		out := filepath.Join(t.TempDir(), "out")
		if _, err := command(t, append([]string{"explain", "--backend", "go", "--out", out}, c.args...)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.what, err, c.want)
		}
	}
}

// TestExplainBrokenPictures has one picture end early, which its header does not
// show, and one with no header.
func TestExplainBrokenPictures(t *testing.T) {
	photos, out, fresh := t.TempDir(), t.TempDir(), t.TempDir()
	for i := range 40 {
		write(t, filepath.Join(photos, fmt.Sprintf("%02d.png", i)), pngBytes(t, i))
	}
	const methods = "cam,gradcam"
	if _, err := command(t, "explain", photos, "--method", methods, "--out", fresh); err != nil {
		t.Fatal(err)
	}
	broken := pngBytes(t, 5)
	write(t, filepath.Join(photos, "05.png"), broken[:len(broken)/2])
	for range 2 { // a second start tells the same
		text, err := command(t, "explain", photos, "--method", methods, "--out", out, "--json")
		if err == nil || !strings.Contains(err.Error(), "1 of 40 pictures could not be read") || !strings.Contains(err.Error(), "05.png") {
			t.Fatalf("error %v, want which picture could not be read", err)
		}
		saved, err := os.ReadFile(filepath.Join(out, "manifest.json"))
		if err != nil || string(saved) != text {
			t.Errorf("%v, or --json printed another manifest", err)
		}
	}
	m := readManifest(t, out)
	if len(m.Images) != 39 || len(m.Failed) != 1 || m.Failed[0].Name != "05" || m.Failed[0].Error == "" || m.Images[5].Name != "06" {
		t.Errorf("%d images, failed %v; want 39, and 05", len(m.Images), m.Failed)
	}
	for file, row := range map[string]int{"logits.npy": 10, "maps_cam.npy": 256, "maps_gradcam.npy": 256} {
		all, _ := array(t, filepath.Join(fresh, file))
		got, shape := array(t, filepath.Join(out, file))
		if shape[0] != 39 {
			t.Fatalf("%s shaped %v, want 39 rows", file, shape)
		}
		sameRows(t, file, got, slices.Delete(all, 5*row, 6*row), row)
	}
	if len(m.Maps[0].Score) != 39 || len(m.Maps[1].Outcome) != 39 || m.Maps[1].Shape[0] != 39 {
		t.Errorf("maps %+v, want 39 of each method", m.Maps)
	}

	// None that can be read: nothing is left.
	none := filepath.Join(t.TempDir(), "new")
	if _, err := command(t, "explain", filepath.Join(photos, "05.png"), "--out", none); err == nil || !strings.Contains(err.Error(), "05.png") {
		t.Errorf("error %v, want the picture's name", err)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("a folder was left")
	}

	// What a header shows is found before anything is computed.
	write(t, filepath.Join(photos, "07.png"), []byte("no picture"))
	write(t, filepath.Join(photos, "09.png"), nil)
	if _, err := command(t, "explain", photos, "--out", none); err == nil || !strings.Contains(err.Error(), "2 of 40 files cannot be used") || !strings.Contains(err.Error(), "07.png") || !strings.Contains(err.Error(), "09.png") {
		t.Errorf("error %v, want both files' names", err)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("a folder was left")
	}
}
