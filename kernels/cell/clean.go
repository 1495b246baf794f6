package cell

import (
	"go/scanner"
	"go/token"
	"strings"
)

// clean gives a cell's text Go's line ends, takes a byte order mark out and
// disarms comments that would direct the compiler. Lines and columns stay.
// Directives are those that a reader may have put hopes in.
func clean(text string) (cleaned string, directives []mark) {
	text = strings.TrimPrefix(text, "\ufeff")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	if !strings.Contains(text, "line ") && !strings.Contains(text, "//go:") {
		return text, nil
	}
	b := []byte(text)
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(text))
	s.Init(file, []byte(text), func(token.Position, string) {}, scanner.ScanComments)
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return string(b), directives
		}
		if tok != token.COMMENT || len(lit) < 5 || lit[2:] != strings.TrimLeft(lit[2:], " \t") {
			continue
		}
		at := file.Offset(pos)
		switch word := strings.Fields(lit)[0]; {
		case word == "//line" || word == "/*line":
			b[at+2] = ' '
		case strings.HasPrefix(word, "//go:"):
			b[at+2] = ' '
			if word == "//go:embed" || word == "//go:linkname" {
				directives = append(directives, mark{word, at})
			}
		}
	}
}
