// Package pngtext keeps a picture's description in its PNG file, in an iTXt chunk
// with the keyword Description (PNG specification, third edition, section 11.3.3.4).
package pngtext

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"github.com/camlab-go/camlab/internal/legible"
)

const (
	signature = "\x89PNG\r\n\x1a\n"
	header    = len(signature) + 4 + 4 + 13 + 4 // to the end of the IHDR chunk
	// keyword, and: not compressed, no language, no translated keyword.
	prefix = "Description\x00\x00\x00\x00\x00"
)

// Describe returns a PNG file with a description after its header, [legible.Text]. An empty
// text, or a file that is no PNG, changes nothing.
func Describe(png []byte, text string) []byte {
	if text == "" || len(png) < header || !bytes.HasPrefix(png, []byte(signature)) {
		return png
	}
	body := []byte("iTXt" + prefix + legible.Text(text))
	out := append(make([]byte, 0, len(png)+len(body)+8), png[:header]...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(body)-4))
	out = append(out, body...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(body))
	return append(out, png[header:]...)
}

// Description returns what [Describe] put into a PNG file, or an empty text.
func Description(png []byte) string {
	if !bytes.HasPrefix(png, []byte(signature)) {
		return ""
	}
	for rest := png[len(signature):]; len(rest) >= 12; {
		size := int64(binary.BigEndian.Uint32(rest))
		if size+12 > int64(len(rest)) {
			return ""
		}
		kind, data := string(rest[4:8]), rest[8:8+size]
		if text, ok := bytes.CutPrefix(data, []byte(prefix)); ok && kind == "iTXt" {
			return string(text)
		}
		rest = rest[12+size:]
	}
	return ""
}
