// Package pngtext keeps a picture's description in its PNG file, in an iTXt chunk
// with the keyword Description (PNG specification, third edition, section 11.3.3.4).
package pngtext

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"unicode"
)

const (
	signature = "\x89PNG\r\n\x1a\n"
	header    = len(signature) + 4 + 4 + 13 + 4 // to the end of the IHDR chunk
	// keyword, and: not compressed, no language, no translated keyword.
	prefix = "Description\x00\x00\x00\x00\x00"
)

// Plain returns a text as any format can hold it: what is not UTF-8, as in a file's
// name, is replaced, and controls but line ends are spaces.
func Plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' || r == '\ufffe' || r == '\uffff' { // XML has none of these
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
}

// Describe returns a PNG file with a description after its header, [Plain]. An empty
// text, or a file that is no PNG, changes nothing.
func Describe(png []byte, text string) []byte {
	if text == "" || len(png) < header || !bytes.HasPrefix(png, []byte(signature)) {
		return png
	}
	body := []byte("iTXt" + prefix + Plain(text))
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
