// Package pngtext keeps texts in a PNG file, in iTXt chunks (PNG specification, third
// edition, section 11.3.3.4).
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
)

// Description is the keyword of what a picture shows in words.
const Description = "Description"

// prefix begins the chunk of a keyword: not compressed, no language, no translated keyword.
func prefix(keyword string) string { return keyword + "\x00\x00\x00\x00\x00" }

// Set returns a PNG file with a text after its header, [legible.Text]. A keyword has 1 to
// 79 characters of ASCII. An empty text, or a file that is no PNG, changes nothing.
func Set(png []byte, keyword, text string) []byte {
	if text == "" || len(png) < header || !bytes.HasPrefix(png, []byte(signature)) {
		return png
	}
	body := []byte("iTXt" + prefix(keyword) + legible.Text(text))
	out := append(make([]byte, 0, len(png)+len(body)+8), png[:header]...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(body)-4))
	out = append(out, body...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(body))
	return append(out, png[header:]...)
}

// Get returns what [Set] put into a PNG file, or an empty text.
func Get(png []byte, keyword string) string {
	if !bytes.HasPrefix(png, []byte(signature)) {
		return ""
	}
	for rest := png[len(signature):]; len(rest) >= 12; {
		size := int64(binary.BigEndian.Uint32(rest))
		if size+12 > int64(len(rest)) {
			return ""
		}
		kind, data := string(rest[4:8]), rest[8:8+size]
		if text, ok := bytes.CutPrefix(data, []byte(prefix(keyword))); ok && kind == "iTXt" {
			return string(text)
		}
		rest = rest[12+size:]
	}
	return ""
}
