package images_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/shared"
)

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, name string, data []byte) image.Image {
	t.Helper()
	photo, err := images.Read(write(t, name, data))
	if err != nil {
		t.Fatal(err)
	}
	return photo
}

func encoded(t *testing.T, format string, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	var err error
	switch format {
	case "png":
		err = png.Encode(&b, img)
	case "jpeg":
		err = jpeg.Encode(&b, img, &jpeg.Options{Quality: 95})
	case "gif":
		err = gif.Encode(&b, img, nil)
	case "bmp":
		err = bmp.Encode(&b, img)
	case "tiff":
		err = tiff.Encode(&b, img, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func samePixels(t *testing.T, what string, got, want image.Image) {
	t.Helper()
	if got.Bounds().Size() != want.Bounds().Size() {
		t.Errorf("%s: size %v, want %v", what, got.Bounds().Size(), want.Bounds().Size())
		return
	}
	g, w := got.Bounds().Min, want.Bounds().Min
	for y := range want.Bounds().Dy() {
		for x := range want.Bounds().Dx() {
			a := color.NRGBA64Model.Convert(got.At(g.X+x, g.Y+y))
			b := color.NRGBA64Model.Convert(want.At(w.X+x, w.Y+y))
			if a != b {
				t.Errorf("%s: pixel (%d, %d) is %v, want %v", what, x, y, a, b)
				return
			}
		}
	}
}

// lopsided is a picture that looks different however it is turned.
func lopsided(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, color.NRGBA{uint8(250 * x / w), uint8(250 * y / h), uint8(x * y), 255})
		}
	}
	return img
}

// v4 gives a BMP file a longer header: alpha is ignored after the oldest one.
func v4(file []byte) []byte {
	const header = 14 + 40
	out := slices.Concat(file[:header], make([]byte, 108-40), file[header:])
	binary.LittleEndian.PutUint32(out[10:], header+108-40)
	binary.LittleEndian.PutUint32(out[14:], 108)
	return out
}

// TestTransparentFiles is that what is transparent in a file shows the background,
// before it is resized.
func TestTransparentFiles(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 8, 4))
	flat := image.NewPaletted(img.Rect, color.Palette{color.NRGBA{}, color.NRGBA{10, 200, 30, 255}})
	for y := range 4 {
		for x := range 8 {
			img.SetNRGBA(x, y, color.NRGBA{10, 200, 30, 255})
			flat.SetColorIndex(x, y, 1)
			if x < 3 {
				img.SetNRGBA(x, y, color.NRGBA{255, 0, 0, 0})
				flat.SetColorIndex(x, y, 0)
			}
		}
	}
	deep := image.NewNRGBA64(img.Rect)
	for y := range 4 {
		for x := range 8 {
			deep.Set(x, y, img.At(x, y))
		}
	}
	files := map[string][]byte{
		"a.png": encoded(t, "png", img), "deep.png": encoded(t, "png", deep), "palette.png": encoded(t, "png", flat),
		"a.gif": encoded(t, "gif", flat), "a.bmp": v4(encoded(t, "bmp", img)), "a.tiff": encoded(t, "tiff", img), "deep.tiff": encoded(t, "tiff", deep),
		"wrong ending.jpg": encoded(t, "gif", flat), "garbage at its end.png": append(encoded(t, "png", img), "garbage"...),
	}
	for _, background := range []color.Color{nil, color.Black, color.NRGBA{0, 0, 255, 255}} {
		behind := background
		if behind == nil {
			behind = color.White
		}
		want := image.NewNRGBA(img.Rect)
		for y := range 4 {
			for x := range 8 {
				want.Set(x, y, behind)
				if x >= 3 {
					want.Set(x, y, color.NRGBA{10, 200, 30, 255})
				}
			}
		}
		for name, data := range files {
			got, err := images.ReadOptions{Background: background}.Read(write(t, name, data))
			if err != nil {
				t.Fatal(err)
			}
			samePixels(t, name, got, want)
			samePixels(t, name+", resized", images.Square(got, 3), images.Square(want, 3))
		}
		samePixels(t, "resized", images.Square(images.Over(img, background), 3), images.Square(want, 3))
		if background == nil {
			samePixels(t, "resized by default", images.Square(img, 3), images.Square(want, 3))
		}
	}
}

// TestGIFCanvas is that a first frame that is smaller than its picture stays in its
// place on it.
func TestGIFCanvas(t *testing.T) {
	frame := image.NewPaletted(image.Rect(2, 1, 3, 2), color.Palette{color.Black})
	second := image.NewPaletted(image.Rect(0, 0, 4, 4), color.Palette{color.NRGBA{255, 0, 0, 255}})
	var b bytes.Buffer
	err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{frame, second}, Delay: []int{0, 0}, Config: image.Config{Width: 4, Height: 4}})
	if err != nil {
		t.Fatal(err)
	}
	want := image.NewGray(image.Rect(0, 0, 4, 4))
	for i := range want.Pix {
		want.Pix[i] = 255
	}
	want.SetGray(2, 1, color.Gray{})
	samePixels(t, "GIF", read(t, "a.gif", b.Bytes()), want)
}

// bomb is the header of a PNG of that size and some of its pixels.
func bomb(width, height uint32, depth, kind byte) []byte {
	header := binary.BigEndian.AppendUint32([]byte("IHDR"), width)
	header = append(binary.BigEndian.AppendUint32(header, height), depth, kind, 0, 0, 0)
	b := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), header...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(header))
	return append(b, "\x00\x00\x10\x00IDATx\x9c"...)
}

// TestHostileFiles is that no file panics, hangs or takes the memory that it claims.
func TestHostileFiles(t *testing.T) {
	good := lopsided(40, 24)
	const formats = "want a PNG, JPEG, GIF, WebP, BMP or TIFF picture"
	const more = "ReadOptions.MaxPixels, or --max-megapixels, allows more"
	patched := func(format string, at int, with ...byte) []byte {
		b := encoded(t, format, good)
		copy(b[at:], with)
		return b
	}
	large := encoded(t, "jpeg", good)
	frame := bytes.Index(large, []byte{0xff, 0xc0})
	copy(large[frame+5:], []byte{0xff, 0xff, 0xff, 0xff})
	progressive := slices.Clone(large)
	progressive[frame+1] = 0xc2
	wide := encoded(t, "tiff", good)
	for at := int(binary.LittleEndian.Uint32(wide[4:])) + 2; at+12 < len(wide); at += 12 {
		if tag := binary.LittleEndian.Uint16(wide[at:]); tag == 256 || tag == 257 {
			binary.LittleEndian.PutUint16(wide[at+2:], 4)
			binary.LittleEndian.PutUint32(wide[at+8:], 60000)
		}
	}
	scans := bytes.Repeat([]byte("\xff\xda\x00\x08\x01\x01\x11\x00\x3f\x00\x00"), 9000)
	scan := bytes.Index(encoded(t, "jpeg", good), scans[:2])
	slow := slices.Concat(encoded(t, "jpeg", good)[:scan], scans)
	slowest := slices.Concat(large[:scan], scans[:11*17])
	copy(slowest[frame+5:], []byte{10000 >> 8, 10000 & 0xff, 12000 >> 8, 12000 & 0xff})
	shortWebP, err := os.ReadFile("testdata/formats/lossy.webp")
	if err != nil {
		t.Fatal(err)
	}
	webp := []byte("RIFF\x1e\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x10\x00\x00\x00\x3f\x9c\x00\x3f\x9c\x00") // a canvas of 40,000×40,000
	for _, test := range []struct {
		name string
		data []byte
		want string
	}{
		{"16 bits.png", bomb(60000, 60000, 16, 6), "60000×60000 pixels, want at most 128000000 pixels (" + more + ")"},
		{"one bit.png", bomb(60000, 60000, 1, 0), "60000×60000 pixels, want at most 128000000"},
		{"largest.png", bomb(1<<31-1, 1<<31-1, 16, 6), formats},
		{"thin.png", bomb(1, 1<<31-1, 8, 2), "1×2147483647 pixels, want at most"},
		{"large.jpg", large, "65535×65535 pixels, want at most"},
		{"progressive.jpg", progressive, "65535×65535 pixels, want at most"},
		{"many scans.jpg", slow, "a JPEG picture of more than 96 scans"},
		{"17 scans of 120 million pixels.jpg", slowest, "a JPEG picture of more than 16 scans"},
		{"large.gif", patched("gif", 6, 0xff, 0xff, 0xff, 0xff), "65535×65535 pixels, want at most"},
		{"large.bmp", patched("bmp", 18, 0x60, 0xea, 0, 0, 0x60, 0xea, 0, 0), "60000×60000 pixels, want at most"},
		{"large.tiff", wide, "60000×60000 pixels, want at most"},
		{"large.webp", webp, "40000×40000 pixels, want at most"},
		{"short.png", encoded(t, "png", good)[:60], "png: invalid format: not enough pixel data, want a PNG"},
		{"short.jpg", encoded(t, "jpeg", good)[:300], "the file ends too early, want the whole of"},
		{"short.gif", encoded(t, "gif", good)[:900], "gif: not enough image data, " + formats},
		{"short.bmp", encoded(t, "bmp", good)[:100], "the file ends too early"},
		{"short.tiff", encoded(t, "tiff", good)[:100], formats[5:]},
		{"short.webp", shortWebP[:70], "the file ends too early, want the whole of"},
		{"claims much.png", bomb(2000, 2000, 16, 6), "png: invalid format: not enough pixel data"},
		{"empty.png", nil, "an unknown format, " + formats},
		{"text.png", []byte("no picture"), "an unknown format, " + formats},
		{"picture.heic", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"), "an unknown format, " + formats},
		{"vector.svg", []byte("<svg/>"), "an unknown format, " + formats},
		{"zero.bmp", patched("bmp", 18, 0, 0, 0, 0, 0, 0, 0, 0), "0×0 pixels, want at least 1×1"},
	} {
		path := write(t, test.name, test.data)
		_, err := images.Read(path)
		if err == nil || !strings.HasPrefix(err.Error(), "images: read: "+path+": ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %s", test.name, err, test.want)
		}
		if tooLarge := strings.Contains(test.want, "at most"); errors.Is(err, images.ErrTooLarge) != tooLarge {
			t.Errorf("%s: error %v, of kind %q: %v", test.name, err, images.ErrTooLarge, !tooLarge)
		}
		if tooLarge := strings.Contains(test.want, "at most"); tooLarge != errors.Is(images.ReadOptions{}.Check(path), images.ErrTooLarge) {
			t.Errorf("%s: Check says another thing than Read", test.name)
		}
	}
}

// TestFewScans is that what only looks like scans is none: in a thumbnail, and in a film
// after the picture, which phones append.
func TestFewScans(t *testing.T) {
	good := encoded(t, "jpeg", lopsided(40, 24))
	scans := bytes.Repeat([]byte("\xff\xda\x00\x08\x01\x01\x11\x00\x3f\x00\x00"), 200)
	thumbnail := slices.Concat(good[:2], []byte{0xff, 0xe2}, binary.BigEndian.AppendUint16(nil, uint16(2+len(scans))), scans, good[2:])
	for name, data := range map[string][]byte{"thumbnail.jpg": thumbnail, "film.jpg": slices.Concat(good, scans)} {
		samePixels(t, name, read(t, name, data), read(t, "good.jpg", good))
	}
}

// TestMaxPixels is that the limit can be set both ways, and is of width times height.
func TestMaxPixels(t *testing.T) {
	path := write(t, "a.png", encoded(t, "png", lopsided(40, 24)))
	for most, ok := range map[int]bool{0: true, 960: true, 959: false, 1: false, 1 << 40: true, -1: false} {
		if _, err := (images.ReadOptions{MaxPixels: most}).Read(path); (err == nil) != ok {
			t.Errorf("at most %d: error %v for 960 pixels", most, err)
		}
	}
}

func TestSquareOfNothing(t *testing.T) {
	for _, img := range []image.Image{nil, (*image.NRGBA)(nil), image.NewNRGBA(image.Rect(0, 0, 0, 3)), image.NewUniform(color.White)} {
		if got := images.Square(img, 32); !got.Bounds().Empty() {
			t.Errorf("%T: %v, want no pixels", img, got.Bounds())
		}
	}
	for _, side := range []int{0, -1, 1 << 40} {
		if got := images.Square(lopsided(2, 2), side); !got.Bounds().Empty() {
			t.Errorf("side %d: %v, want no pixels", side, got.Bounds())
		}
	}
}

// TestTransparentCases is that the pictures of shared/cases with hidden colors are, to
// the network, those that they look like.
func TestTransparentCases(t *testing.T) {
	dir := shared.Cases(t)
	for _, hidden := range []string{"hidden_black.png", "hidden_red.png"} {
		for want, background := range map[string]color.Color{"on_white.png": nil, "on_black.png": color.Black} {
			a, errA := images.ReadOptions{Background: background}.Read(filepath.Join(dir, "transparent", hidden))
			b, errB := images.Read(filepath.Join(dir, "transparent", want))
			if err := errors.Join(errA, errB); err != nil {
				t.Fatal(err)
			}
			samePixels(t, hidden+" as "+want, images.Square(a, 32), images.Square(b, 32))
		}
	}
}
