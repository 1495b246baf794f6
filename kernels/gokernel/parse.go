package main

import (
	"regexp"
	"strings"
)

// line is a line of a cell that is for the kernel.
type line struct {
	name string // "!", "!*", "?", or with its "%", such as "%cd" and "%%bash"
	args string
	body string // of one that takes the whole cell
}

// parsed is a cell in its parts.
type parsed struct {
	whole         *line  // takes all of the cell
	before, after []line // of the Go
	text          string // the Go, with empty lines where lines for the kernel were
}

// wholes are the commands that take the rest of the cell.
var wholes = map[string]bool{"%%writefile": true, "%%bash": true, "%%sh": true, "%%script": true}

// settings hold for the Go of their cell, wherever they stand.
var settings = map[string]bool{"%%": true, "%main": true, "%args": true, "%time": true, "%%time": true, "%goflags": true, "%autoget": true, "%noautoget": true}

var (
	command  = regexp.MustCompile(`^(%%?[A-Za-z_]\w*|%%|!\*|!)[ \t]*((?s:.*))$`)
	question = regexp.MustCompile(`^(\?\??)[ \t]*([\pL_][\pL\pN_.]*)[ \t]*$|^([\pL_][\pL\pN_.]*)(\?\??)[ \t]*$`)
)

// parseLine reads a line that may be for the kernel.
func parseLine(text string) (line, bool) {
	text = strings.TrimPrefix(text, "//gonb:") // so that the cell is Go for other tools too
	if m := command.FindStringSubmatch(text); m != nil {
		return line{name: m[1], args: strings.TrimSpace(m[2])}, true
	}
	if m := question.FindStringSubmatch(text); m != nil {
		return line{name: "?", args: m[1] + m[4] + m[2] + m[3]}, true
	}
	if strings.HasPrefix(text, "%") { // said to be unknown
		name, args, _ := strings.Cut(text, " ")
		return line{name: name, args: args}, true
	}
	return line{}, false
}

// parseCell takes the lines out of a cell that are for the kernel: those that begin
// with ! or %, at their first column and where Go may begin a statement.
func parseCell(text string) parsed {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if first, ok := parseLine(strings.SplitN(strings.TrimLeft(text, " \t\n"), "\n", 2)[0]); ok && wholes[first.name] {
		_, first.body, _ = strings.Cut(strings.TrimLeft(text, " \t\n"), "\n")
		return parsed{whole: &first}
	}
	var p parsed
	var s scanState
	lines := strings.Split(text, "\n")
	goSeen := false
	var later []line
	for i := 0; i < len(lines); i++ {
		l, ok := line{}, false
		if s.clean() {
			full, last := lines[i], i
			if strings.HasPrefix(full, "//gonb:") || strings.HasPrefix(full, "!") || strings.HasPrefix(full, "%") {
				for strings.HasSuffix(full, `\`) && last+1 < len(lines) {
					last++
					full += "\n" + lines[last]
				}
			}
			if l, ok = parseLine(full); ok {
				if !strings.HasPrefix(l.name, "!") {
					l.args = strings.ReplaceAll(l.args, "\\\n", " ")
				}
				for ; i < last; i++ {
					lines[i] = ""
				}
				lines[i] = ""
			}
		}
		if !ok {
			s.scan(lines[i])
			if strings.TrimSpace(lines[i]) != "" {
				goSeen = true
				p.before = append(p.before, later...) // Go comes behind them
				later = nil
			}
			continue
		}
		if goSeen && !settings[l.name] && !wholes[l.name] { // a whole one is wrong here
			later = append(later, l)
		} else {
			p.before = append(p.before, l)
		}
	}
	p.after = later
	p.text = strings.Join(lines, "\n")
	return p
}

// scanState is where in Go a line begins.
type scanState struct {
	raw, comment bool // in a raw string or a general comment
	last         byte // that is no space and no comment, or 0
}

// clean reports whether a statement may begin.
func (s *scanState) clean() bool {
	return !s.raw && !s.comment && (s.last == 0 || !strings.ContainsRune("(,&|+-*/=<>^%[", rune(s.last)))
}

func (s *scanState) scan(text string) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case s.raw:
			s.raw = c != '`'
		case s.comment:
			if strings.HasPrefix(text[i:], "*/") {
				s.comment = false
				i++
			}
		case strings.HasPrefix(text[i:], "//"):
			return
		case strings.HasPrefix(text[i:], "/*"):
			s.comment = true
			i++
		case c == ' ' || c == '\t' || c == '\r':
		default:
			plus := i > 0 && (c == '+' || c == '-') && text[i-1] == c // x++ ends a statement
			s.last = c
			if plus {
				s.last = ';'
			}
			if c == '`' {
				s.raw = true
			}
			if c == '"' || c == '\'' {
				for i++; i < len(text) && text[i] != c; i++ {
					if text[i] == '\\' {
						i++
					}
				}
			}
		}
	}
}

// words splits arguments as a shell does: at spaces, but for those in quotes and
// behind a backslash.
func words(text string) []string {
	var list []string
	var b strings.Builder
	in, quote := false, rune(0)
	escaped := false
	for _, c := range text {
		switch {
		case escaped:
			b.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			in, escaped = true, true
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				b.WriteRune(c)
			}
		case c == '"' || c == '\'':
			in, quote = true, c
		case c == ' ' || c == '\t' || c == '\n':
			if in {
				list = append(list, b.String())
				b.Reset()
				in = false
			}
		default:
			in = true
			b.WriteRune(c)
		}
	}
	if in {
		list = append(list, b.String())
	}
	return list
}
