package images_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"slices"
	"testing"

	"github.com/camlab-go/camlab/camlib/images"
)

// exif is a TIFF header and one tag: the orientation, of a type.
func exif(order binary.AppendByteOrder, orientation, kind uint16) []byte {
	b := []byte("II*\x00\x08\x00\x00\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*\x00\x00\x00\x08")
	}
	for _, v := range []uint16{1, 0x0112, kind} {
		b = order.AppendUint16(b, v)
	}
	b = order.AppendUint32(b, 1)
	if kind == 3 { // a short, in the first two of four bytes
		b = order.AppendUint16(order.AppendUint16(b, orientation), 0)
	} else {
		b = order.AppendUint32(b, uint32(orientation))
	}
	return order.AppendUint32(b, 0)
}

// inJPEG and inPNG put EXIF where files have it; inTIFF adds the tag to the file's own.
func inJPEG(file, exif []byte) []byte {
	segment := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(2+6+len(exif)))
	return slices.Concat(file[:2], segment, []byte("Exif\x00\x00"), exif, file[2:])
}

func inPNG(file, exif []byte) []byte {
	const afterHeader = 8 + 12 + 13
	chunk := append([]byte("eXIf"), exif...)
	length := binary.BigEndian.AppendUint32(nil, uint32(len(exif)))
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(chunk))
	return slices.Concat(file[:afterHeader], length, chunk, sum, file[afterHeader:])
}

func inTIFF(file []byte, orientation uint16) []byte {
	order := binary.LittleEndian
	at := order.Uint32(file[4:])
	n := int(order.Uint16(file[at:]))
	tags := slices.Collect(slices.Chunk(file[at+2:int(at)+2+12*n], 12))
	tags = append(tags, exif(order, orientation, 3)[10:22])
	slices.SortFunc(tags, func(a, b []byte) int { return int(order.Uint16(a)) - int(order.Uint16(b)) })
	out := slices.Clone(file)
	order.PutUint32(out[4:], uint32(len(file)))
	return append(order.AppendUint16(out, uint16(n+1)), append(bytes.Join(tags, nil), 0, 0, 0, 0)...)
}

// upright returns what a stored picture shows, after the EXIF standard's words (CIPA
// DC-008, 4.6.5.1): which side of what is shown the first row and the first column are.
func upright(stored image.Image, orientation int) *image.NRGBA64 {
	sides := [][2]string{
		1: {"top", "left"}, {"top", "right"}, {"bottom", "right"}, {"bottom", "left"},
		{"left", "top"}, {"right", "top"}, {"right", "bottom"}, {"left", "bottom"},
	}[orientation]
	rows, columns := stored.Bounds().Dy(), stored.Bounds().Dx()
	size := image.Pt(columns, rows)
	if sides[0] == "left" || sides[0] == "right" {
		size = image.Pt(rows, columns)
	}
	shown := image.NewNRGBA64(image.Rectangle{Max: size})
	place := map[string]func(p *image.Point, i int){
		"top": func(p *image.Point, i int) { p.Y = i }, "bottom": func(p *image.Point, i int) { p.Y = size.Y - 1 - i },
		"left": func(p *image.Point, i int) { p.X = i }, "right": func(p *image.Point, i int) { p.X = size.X - 1 - i },
	}
	for r := range rows {
		for c := range columns {
			var p image.Point
			place[sides[0]](&p, r)
			place[sides[1]](&p, c)
			shown.Set(p.X, p.Y, stored.At(stored.Bounds().Min.X+c, stored.Bounds().Min.Y+r))
		}
	}
	return shown
}

// TestOrientation is all eight orientations in all formats that can have one, in both
// byte orders and in the types that programs write it in.
func TestOrientation(t *testing.T) {
	stored := lopsided(40, 24)
	orders := []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian}
	for orientation := 1; orientation <= 8; orientation++ {
		for _, order := range orders {
			for _, kind := range []uint16{3, 4} {
				tag := exif(order, uint16(orientation), kind)
				bare := encoded(t, "jpeg", stored)
				name := fmt.Sprintf("orientation %d, %v, type %d", orientation, order, kind)
				samePixels(t, "JPEG "+name, read(t, "a.jpg", inJPEG(bare, tag)), upright(read(t, "b.jpg", bare), orientation))
				samePixels(t, "PNG "+name, read(t, "a.png", inPNG(encoded(t, "png", stored), tag)), upright(stored, orientation))
			}
		}
		name := fmt.Sprintf("TIFF orientation %d", orientation)
		samePixels(t, name, read(t, "a.tiff", inTIFF(encoded(t, "tiff", stored), uint16(orientation))), upright(stored, orientation))
	}
	// The resized pixels too: those of a view of YCbCr are those of YCbCr.
	bare := encoded(t, "jpeg", stored)
	turned := read(t, "a.jpg", inJPEG(bare, exif(binary.BigEndian, 3, 3)))
	back := upright(turned, 3)
	samePixels(t, "resized", images.Square(read(t, "b.jpg", bare), 8), images.Square(back, 8))
}

// TestWebP reads a file made by Pillow 13.0.0: lossless, orientation 6, its last
// column transparent.
func TestWebP(t *testing.T) {
	photo, err := images.Read("testdata/orientation6.webp")
	if err != nil {
		t.Fatal(err)
	}
	want := image.NewNRGBA(image.Rect(0, 0, 6, 4))
	for y := range 4 {
		for x := range 6 {
			want.SetNRGBA(x, y, color.NRGBA{uint8(40 * x), uint8(60 * y), 200, 255})
			if x == 5 {
				want.SetNRGBA(x, y, color.NRGBA{255, 255, 255, 255})
			}
		}
	}
	samePixels(t, "WebP", photo, want)
}

// TestDamagedEXIF is that nothing in EXIF fails a picture.
func TestDamagedEXIF(t *testing.T) {
	bare := encoded(t, "jpeg", lopsided(40, 24))
	want := read(t, "bare.jpg", bare)
	whole := exif(binary.LittleEndian, 6, 3)
	damaged := map[string][]byte{"empty": {}, "no TIFF": []byte("hello, world, how are you")}
	for n := range len(whole) - 6 { // up to the tag's value
		damaged[fmt.Sprintf("the first %d bytes", n)] = whole[:n]
	}
	for _, v := range []uint16{0, 9, 255, 65535} {
		damaged[fmt.Sprintf("orientation %d", v)] = exif(binary.LittleEndian, v, 3)
	}
	for at, values := range map[int][]byte{4: {0xff, 7, 0}, 5: {0xff}, 7: {0x80, 0xff}, 8: {0}, 10: {0}, 12: {0, 2, 7, 200}} {
		for _, v := range values {
			b := slices.Clone(whole)
			b[at] = v
			damaged[fmt.Sprintf("byte %d is %d", at, v)] = b
		}
	}
	loop := slices.Clone(whole)
	binary.LittleEndian.PutUint32(loop[22:], 8) // the next directory is this one
	damaged["loop without orientation"] = append(slices.Clone(loop[:10]), append([]byte{0x13}, loop[11:]...)...)
	for what, tag := range damaged {
		samePixels(t, what, read(t, "a.jpg", inJPEG(bare, tag)), want)
	}
}
