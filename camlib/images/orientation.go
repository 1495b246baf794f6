package images

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"golang.org/x/image/riff"
)

// maxEXIF bounds what is read of a file's EXIF, of which the orientation is at the
// beginning.
const maxEXIF = 1 << 20

// orientation returns the EXIF orientation of a picture, 1 to 8; 1 if it has none.
// What is wrong with the EXIF does not matter, as with any viewer.
func orientation(f io.ReadSeeker, format string) int {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 1
	}
	if format == "tiff" {
		return tiffOrientation(f)
	}
	find, ok := map[string]func(*bufio.Reader) []byte{"jpeg": jpegEXIF, "png": pngEXIF, "webp": webpEXIF}[format]
	if !ok {
		return 1
	}
	exif := bytes.TrimPrefix(find(bufio.NewReader(f)), []byte("Exif\x00\x00"))
	return tiffOrientation(bytes.NewReader(exif))
}

// tiffOrientation returns the orientation that a TIFF file, or EXIF, has; 1 if it has none.
func tiffOrientation(r io.ReadSeeker) int {
	if value := tiffTag(r, 0x0112); value >= 1 && value <= 8 {
		return value
	}
	return 1
}

// tiffTag returns the value of a tag in the first directory of a TIFF file, which EXIF is
// too: TIFF 6.0, section 2. It is 0 if there is none.
func tiffTag(r io.ReadSeeker, tag uint16) int {
	var header [8]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0
	}
	var order binary.ByteOrder
	switch string(header[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 0
	}
	if _, err := r.Seek(int64(order.Uint32(header[4:])), io.SeekStart); err != nil {
		return 0
	}
	directory := bufio.NewReader(r)
	var entry [12]byte // tag, type, count, value
	if _, err := io.ReadFull(directory, entry[:2]); err != nil {
		return 0
	}
	for range order.Uint16(entry[:]) {
		if _, err := io.ReadFull(directory, entry[:]); err != nil {
			return 0
		}
		if order.Uint16(entry[:]) != tag {
			continue
		}
		value := uint32(0)
		switch order.Uint16(entry[2:]) {
		case 1: // a byte; the standard says short, programs write all three
			value = uint32(entry[8])
		case 3:
			value = uint32(order.Uint16(entry[8:]))
		case 4:
			value = order.Uint32(entry[8:])
		}
		return int(value)
	}
	return 0
}

// The markers of a JPEG file: ITU T.81, table B.1.
const jpegStart, jpegEnd, jpegScan, jpegAPP1 = 0xd8, 0xd9, 0xda, 0xe1

// jpegSegment goes to the next segment of a JPEG file, through a scan's data or garbage,
// which decoders skip, and returns its marker and the length of what follows.
func jpegSegment(r *bufio.Reader) (marker byte, length int, err error) {
	for {
		if _, err := r.ReadSlice(0xff); errors.Is(err, bufio.ErrBufferFull) {
			continue
		} else if err != nil {
			return 0, 0, err
		}
		marker = 0xff
		for marker == 0xff { // which may be repeated
			if marker, err = r.ReadByte(); err != nil {
				return 0, 0, err
			}
		}
		switch {
		case marker == jpegEnd:
			return marker, 0, nil
		case marker <= 1, marker >= 0xd0 && marker <= jpegStart: // without a length
			continue
		}
		var b [2]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return 0, 0, err
		}
		return marker, max(0, int(binary.BigEndian.Uint16(b[:]))-2), nil
	}
}

// jpegEXIF returns the first APP1 segment of a JPEG file that is EXIF.
func jpegEXIF(r *bufio.Reader) []byte {
	for {
		marker, n, err := jpegSegment(r)
		if err != nil || marker == jpegEnd || marker == jpegScan {
			return nil
		}
		if mark, _ := r.Peek(6); marker == jpegAPP1 && string(mark) == "Exif\x00\x00" {
			return upTo(r, int64(n))
		}
		if _, err := r.Discard(n); err != nil {
			return nil
		}
	}
}

// pngEXIF returns the eXIf chunk of a PNG file.
func pngEXIF(r *bufio.Reader) []byte {
	var head [8]byte // the signature, then each chunk's length and type
	for skip := 0; ; {
		if _, err := r.Discard(skip); err != nil {
			return nil
		}
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return nil
		}
		length := int64(binary.BigEndian.Uint32(head[:]))
		switch {
		case head[0] == 0x89:
			continue
		case string(head[4:]) == "eXIf":
			return upTo(r, length)
		case length > 1<<31-1:
			return nil
		}
		skip = int(length) + 4 // a checksum follows
	}
}

// webpEXIF returns the EXIF chunk of a WebP file.
func webpEXIF(r *bufio.Reader) []byte {
	_, chunks, err := riff.NewReader(r)
	if err != nil {
		return nil
	}
	for {
		id, length, data, err := chunks.Next()
		if err != nil {
			return nil
		}
		if id == (riff.FourCC{'E', 'X', 'I', 'F'}) {
			return upTo(data, int64(length))
		}
	}
}

// upTo reads n bytes, or what there is of them.
func upTo(r io.Reader, n int64) []byte {
	b, _ := io.ReadAll(io.LimitReader(r, min(n, maxEXIF)))
	return b
}
