package cell

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Explain tells a reader what is wrong with a cell: for each of the first three
// mistakes what, where, the line with a mark under it, and how to mend it. The
// error is Rewrite's or the compiler's.
func (s *Session) Explain(text string, err error) string {
	s.mu.Lock()
	name := fmt.Sprintf("cell[%d]", s.cells)
	s.mu.Unlock()
	list := mistakes(err)
	if len(list) == 0 {
		return err.Error()
	}
	cleaned, _ := clean(text)
	lines := strings.Split(cleaned, "\n")
	var b strings.Builder
	told := make(map[string]bool)
	for i, e := range list {
		if i == 3 {
			fmt.Fprintf(&b, "\nand %d more\n", len(list)-i)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s\n%s, line %d:\n", e.Text, e.Name, e.Line)
		help := e.Help
		if e.Name == name && e.Line >= 1 && e.Line <= len(lines) {
			line := lines[e.Line-1]
			b.WriteString(pointed(line, e.Column))
			if help == "" {
				help = habit(line, e)
			}
		}
		if help != "" && !told[help] {
			told[help] = true
			fmt.Fprintf(&b, "%s\n", help)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

var compilerLine = regexp.MustCompile(`(?m)^(cell\[\d+\]):(\d+)(?::(\d+))?: (.*)$`)

// mistakes are the errors of an error, each text once.
func mistakes(err error) (list []*Error) {
	seen := make(map[string]bool)
	add := func(e *Error) {
		if !seen[e.Text] {
			seen[e.Text] = true
			list = append(list, e)
		}
	}
	var walk func(err error)
	walk = func(err error) {
		var e *Error
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, err := range joined.Unwrap() {
				walk(err)
			}
		} else if errors.As(err, &e) {
			add(e)
		} else if err != nil {
			for _, m := range compilerLine.FindAllStringSubmatch(err.Error(), -1) {
				line, _ := strconv.Atoi(m[2])
				column, _ := strconv.Atoi(m[3])
				add(&Error{Name: m[1], Line: line, Column: column, Text: m[4]})
			}
		}
	}
	walk(err)
	return list
}

// Widths of what is shown of a line.
const (
	tabWidth  = 4
	lineWidth = 100
)

// pointed is a line with a caret under a column, which counts bytes from 1; 0 is
// none.
func pointed(line string, column int) string {
	at := max(0, min(column-1, len(line)))
	before, after := columns(line[:at]), columns(line[at:])
	if n := len(before) - lineWidth; n > 0 {
		before = append([]string{"…"}, before[n:]...)
	}
	if n := lineWidth*2 - len(before); len(after) > n {
		after = append(after[:n:n], "…")
	}
	shown := strings.Join(before, "")
	text := "    " + strings.TrimRight(shown+strings.Join(after, ""), " ") + "\n"
	if column == 0 {
		return text
	}
	n := 0
	for _, c := range shown {
		n += runeWidth(c)
	}
	return text + "    " + strings.Repeat(" ", n) + "^\n"
}

// columns are the characters of a text, tabs as spaces.
func columns(text string) (cells []string) {
	for _, c := range text {
		if c == '\t' {
			cells = append(cells, strings.Repeat(" ", tabWidth))
		} else {
			cells = append(cells, string(c))
		}
	}
	return cells
}

func runeWidth(c rune) int {
	switch k := width.LookupRune(c).Kind(); {
	case unicode.Is(unicode.Mn, c), unicode.Is(unicode.Me, c), unicode.Is(unicode.Cf, c):
		return 0
	case k == width.EastAsianWide, k == width.EastAsianFullwidth:
		return 2
	}
	return 1
}
