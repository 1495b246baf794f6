package main

import (
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The longest parts of a picture's name, in bytes: the whole, with what of a class is
// explained, a method's name and what atomicfile adds for the temporary file, is no longer
// than the 255 that file systems take.
const (
	maxImageName = 130
	maxClassName = 28
)

// fileNames makes names fit to be parts of file names, each its own also where case
// or the form of accents does not count. A name that had to be changed or shortened,
// or that is another's but for case, ends in ~ and eight digits of its checksum. The
// character from becomes to.
func fileNames(names []string, longest int, from, to string) []string {
	fit := make([]string, len(names))
	used := make(map[uint64]int, len(names)) // by hash: where two hashes meet, a checksum too many does no harm
	for i, name := range names {
		fit[i] = legal(strings.ReplaceAll(name, from, to))
		used[hash(fit[i])]++
	}
	for i, name := range names {
		if fit[i] != strings.ReplaceAll(name, from, to) || len(fit[i]) > longest || used[hash(fit[i])] > 1 {
			fit[i] = cutBytes(fit[i], longest-9) + checksum(name)
		}
	}
	return fit
}

// legal replaces what a file name may not have on some system, what does not show,
// and what a command line takes for an option.
func legal(name string) string {
	var b strings.Builder
	for i, r := range name {
		_, size := utf8.DecodeRuneInString(name[i:])
		switch {
		case r == utf8.RuneError && size == 1,
			unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) && r != '\u200c' && r != '\u200d', // these two are parts of words and emoji
			strings.ContainsRune(`/\<>:"|?*`, r),
			i == 0 && strings.ContainsRune("-. ~", r):
			r = '_'
		}
		b.WriteRune(r)
	}
	switch {
	case b.Len() == 0:
		return "_"
	case b.String() == name:
		return name // whose memory is there already
	}
	return b.String()
}

// folded is equal for names that are one on some file systems.
func folded(name string) string {
	return norm.NFC.String(strings.ToLower(strings.ToUpper(norm.NFC.String(name))))
}

// hash stands for the name of a file, on any file system.
func hash(name string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, folded(name)) // never fails
	return h.Sum64()
}

// checksum is what tells a changed name from others.
func checksum(name string) string {
	sum := sha256.Sum256([]byte(name))
	return fmt.Sprintf("~%x", sum[:4])
}

// cutBytes returns the longest beginning of whole characters that has at most n bytes.
func cutBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// valid returns a name as JSON can hold it: bytes that are not UTF-8 as \xe9.
func valid(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	var b strings.Builder
	for i, r := range name {
		if _, size := utf8.DecodeRuneInString(name[i:]); r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, `\x%02x`, name[i])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
