package images_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/images"
)

// TestFormats reads what testdata/formats/record.py wrote, and holds every pixel to what
// Pillow reads.
func TestFormats(t *testing.T) {
	file, err := os.ReadFile("testdata/formats/pictures.json")
	if err != nil {
		t.Fatal(err)
	}
	var pictures map[string]*string
	if err := json.Unmarshal(file, &pictures); err != nil || len(pictures) < 40 {
		t.Fatal(len(pictures), err)
	}
	refused := map[string]string{
		"animated.webp":     "an animated WebP picture, want a PNG, JPEG, GIF, WebP, BMP or TIFF picture, of one frame",
		"cmyk-unmarked.jpg": "unsupported JPEG feature: unknown color model: 4-component JPEG doesn't have Adobe APP14 metadata, want a PNG, JPEG, GIF, WebP, BMP or TIFF picture in RGB or gray, 8 or 16 bits; save it as PNG",
		"cmyk.tif":          "tiff: unsupported feature: color model, want a PNG",
		"jpeg.tif":          "tiff: unsupported feature: ",
		"group4-black.tif":  "a fax (CCITT) TIFF picture whose 0 is black, want one whose 0 is white; save it as PNG",
		"float.tif":         "tiff: unsupported feature: ",
	}
	// Lossy formats leave the last levels to the decoder, and where colors are stored at half
	// the size, how they are enlarged: Go's repeats them, Pillow's interpolates.
	tolerance := map[string]int{"420.jpg": 30, "lossy.webp": 30, "lossy-alpha.webp": 30}
	for name, pixels := range pictures {
		photo, err := images.Read(filepath.Join("testdata/formats", name))
		if pixels == nil {
			if err == nil || !strings.Contains(err.Error(), refused[name]) || refused[name] == "" {
				t.Errorf("%s: error %v, want %q", name, err, refused[name])
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		flat, err := images.Flat(photo)
		if err != nil {
			t.Fatal(err)
		}
		want, err := hex.DecodeString(*pixels)
		if got := rgb(flat); err != nil || len(got) != len(want) || flat.Rect.Dx() != 12 {
			t.Errorf("%s: %d values, %v, want %d", name, len(got), err, len(want))
			continue
		}
		most := tolerance[name]
		if most == 0 && strings.HasSuffix(name, ".jpg") {
			most = 3
		}
		far := 0
		for i, v := range rgb(flat) {
			far = max(far, int(v)-int(want[i]), int(want[i])-int(v))
		}
		t.Logf("%s: at most %d levels from Pillow's", name, far)
		if far > most {
			t.Errorf("%s: %d levels from Pillow's, want at most %d", name, far, most)
		}
	}
}

// TestRefusedFilesAreClosed is that a file that is refused is closed.
func TestRefusedFilesAreClosed(t *testing.T) {
	open := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("counts /proc/self/fd, which this system lacks")
		}
		return len(files)
	}
	path := write(t, "large.png", bomb(60000, 60000, 16, 6))
	before := open()
	for range 50 {
		if _, err := images.Read(path); !errors.Is(err, images.ErrTooLarge) {
			t.Fatal(err)
		}
	}
	if after := open(); after > before+5 {
		t.Errorf("%d files are open after 50 that were refused, want %d", after, before)
	}
}
