// Package legible makes any text fit to be shown on a line: names of files and
// classes hold what their makers put there.
package legible

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Text returns s in Unicode's normal form C, with every kind of space as a space and
// a line's end as "\n". Other control characters become their pictures (␛), bytes
// that are not UTF-8 become U+FFFD, and what only marks direction, joins or
// variants is dropped.
func Text(s string) string {
	if plain(s) {
		return s
	}
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t' || unicode.In(r, unicode.Zs, unicode.Zl, unicode.Zp):
			return ' '
		case r < 0x20:
			return 0x2400 + r
		case r == 0x7f:
			return '␡'
		case unicode.IsControl(r), unicode.Is(unicode.Noncharacter_Code_Point, r): // XML may have none
			return utf8.RuneError
		case unicode.In(r, unicode.Cf, unicode.Variation_Selector):
			return -1
		}
		return r
	}, norm.NFC.String(s))
}

// plain reports whether there is nothing to do.
func plain(s string) bool {
	for i := range len(s) {
		if (s[i] < ' ' || s[i] > '~') && s[i] != '\n' {
			return false
		}
	}
	return true
}

// Line returns [Text] on one line, its line's ends as ␊.
func Line(s string) string { return strings.ReplaceAll(Text(s), "\n", "␊") }

// Short returns s if fits says so, else the longest of its beginnings and ends, of
// whole characters, with … between them, that does; at least the …: of a file's name
// both ends tell it from others.
func Short(s string, fits func(s string) bool) string {
	if fits(s) {
		return s
	}
	var parts []string // characters with their accents
	for rest := s; rest != ""; {
		n := norm.NFC.NextBoundaryInString(rest, true)
		parts, rest = append(parts, rest[:n]), rest[n:]
	}
	short := "…"
	for low, high := 1, len(parts)-1; low <= high; {
		keep := (low + high) / 2
		try := strings.Join(parts[:(keep+1)/2], "") + "…" + strings.Join(parts[len(parts)-keep/2:], "")
		if fits(try) {
			short, low = try, keep+1
		} else {
			high = keep - 1
		}
	}
	return short
}

// Runes returns s of at most n characters, shortened by [Short].
func Runes(s string, n int) string {
	return Short(s, func(s string) bool { return utf8.RuneCountInString(s) <= n })
}
