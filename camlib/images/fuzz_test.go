package images_test

import (
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/images"
)

// fuzzRead is that whatever the bytes, Read returns a picture whose pixels can all be
// prepared, or an error, and that the picture is within the limit. The seeds are the recorded
// files of a format.
func fuzzRead(f *testing.F, magic string, endings ...string) {
	for _, ending := range endings {
		files, err := filepath.Glob("testdata/formats/*." + ending)
		if err != nil || len(files) == 0 {
			f.Fatal(files, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	const most = 1 << 16
	path := filepath.Join(f.TempDir(), "picture")
	prepared := images.Preparation{Height: 5, Width: 7, Fit: images.Letterbox}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < len(magic) || string(data[:len(magic)]) != magic { // another decoder's
			return
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		o := images.ReadOptions{MaxPixels: most}
		photo, err := o.Read(path)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "images: read: ") {
				t.Fatalf("error %v", err)
			}
			return
		}
		if size := photo.Bounds().Size(); size.X*size.Y > most {
			t.Fatalf("read %v, more than %d pixels", size, most)
		}
		if got, _, err := prepared.Picture(photo); err != nil || got.Rect != image.Rect(0, 0, 7, 5) {
			t.Fatalf("%T of %v: %v", photo, photo.Bounds(), err)
		}
	})
}

func FuzzReadPNG(f *testing.F)  { fuzzRead(f, "\x89PNG\r\n\x1a\n", "png") }
func FuzzReadJPEG(f *testing.F) { fuzzRead(f, "\xff\xd8", "jpg") }
func FuzzReadGIF(f *testing.F)  { fuzzRead(f, "GIF8", "gif") }
func FuzzReadWebP(f *testing.F) { fuzzRead(f, "RIFF", "webp") }
func FuzzReadBMP(f *testing.F)  { fuzzRead(f, "BM", "bmp") }
func FuzzReadTIFF(f *testing.F) { fuzzRead(f, "II", "tif") }

// FuzzReadNPY is that whatever the bytes, ReadNPY returns a batch that Check likes, or an
// error.
func FuzzReadNPY(f *testing.F) {
	for _, header := range []string{
		"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 1, 1), }", "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2, 2), }",
		"{'descr': '>f8', 'fortran_order': True, 'shape': (9223372036854775807, 3), }",
	} {
		f.Add(array(header, make([]byte, 8)))
	}
	path := filepath.Join(f.TempDir(), "x.npy")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, layout := range []images.Layout{images.NHWC, images.NCHW} {
			b, err := images.ReadOptions{}.ReadNPY(path, layout, images.Size{})
			if err == nil {
				err = b.Check()
				if err != nil || len(b.Pixels) > len(data) {
					t.Fatalf("%v of %d bytes: %v", b, len(data), err)
				}
			}
		}
	})
}
