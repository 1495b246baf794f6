package cell

import (
	"regexp"
	"strings"
)

// habit is how to write in Go a line that is in another language's or lacks a
// little; empty if it is not known.
func habit(line string, e *Error) string {
	for _, h := range habits {
		if h.message != "" && !strings.Contains(e.Text, h.message) {
			continue
		}
		m := h.line.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		help := h.help
		for i, group := range m[1:] {
			help = strings.ReplaceAll(help, "$"+string(rune('1'+i)), condition(strings.TrimSpace(group)))
		}
		if h.packages {
			if path := modules[strings.Split(m[1], ".")[0]]; path != "" {
				return "Go has no " + m[1] + ": see package " + path + "."
			}
		}
		return help
	}
	return ""
}

var words = strings.NewReplacer(" and ", " && ", " or ", " || ", "not ", "!", "True", "true", "False", "false", "None", "nil")

// condition writes Python's words in Go.
func condition(text string) string {
	return strings.TrimPrefix(strings.TrimSuffix(words.Replace(" "+text+" "), " "), " ")
}

// What does in Go what the usual modules of Python do.
var modules = map[string]string{
	"numpy": `"gonum.org/v1/gonum/mat" or "gonum.org/v1/gonum/floats"`, "scipy": `"gonum.org/v1/gonum"`,
	"torch": `"github.com/gomlx/gomlx"`, "tensorflow": `"github.com/gomlx/gomlx"`, "jax": `"github.com/gomlx/gomlx"`, "keras": `"github.com/gomlx/gomlx"`,
	"matplotlib": `"gonum.org/v1/plot"`, "PIL": `"image"`, "cv2": `"image"`, "random": `"math/rand/v2"`, "json": `"encoding/json"`,
	"re": `"regexp"`, "sys": `"os"`, "datetime": `"time"`, "csv": `"encoding/csv"`, "pathlib": `"path/filepath"`, "subprocess": `"os/exec"`,
}

// anyLine is any line.
var anyLine = regexp.MustCompile("")

// habits are tried in order. In help, $1 is what the line's first group holds.
var habits = []struct {
	line     *regexp.Regexp
	message  string // that the error's has in it
	help     string
	packages bool
}{
	{line: regexp.MustCompile(`^\s*(?:async\s+)?def\s+(\w+)\s*\((.*)\).*:`), help: "Go's form: func $1(x float64) float64 {, with the type of each parameter and of the result, and } at the end."},
	{line: regexp.MustCompile(`^\s*class\s+(\w+)`), help: "Go's form: type $1 struct { … }, with its methods beside it: func (x *$1) Name() { … }."},
	{line: regexp.MustCompile(`^\s*for\s+(\w+)\s+in\s+range\(\s*([^,()]+)\s*\)\s*:?`), help: "Go's form: for $1 := range $2 {"},
	{line: regexp.MustCompile(`^\s*for\s+(\w+)\s+in\s+range\(\s*([^,()]+)\s*,\s*([^,()]+)\s*\)\s*:?`), help: "Go's form: for $1 := $2; $1 < $3; $1++ {"},
	{line: regexp.MustCompile(`^\s*for\s+(\w+)\s+in\s+(.+?)\s*(?:\{.*|:(?:\s.*)?)?$`), help: "Go's form: for _, $1 := range $2 {"},
	{line: regexp.MustCompile(`^\s*elif\s+(.+?)\s*:?\s*$`), help: "Go's form: } else if $1 {"},
	{line: regexp.MustCompile(`^\s*else\s*:`), help: "Go's form: } else {"},
	{line: regexp.MustCompile(`^\s*if\s+(.+?)\s*:\s*$`), help: "Go's form: if $1 {"},
	{line: regexp.MustCompile(`^\s*while\s+(.+?)\s*(?:\{.*|:(?:\s.*)?)?$`), help: "Go's form: for $1 {"},
	{line: regexp.MustCompile(`^\s*(?:try|except|finally)\b.*:`), help: "Go has no exceptions: a function that can fail returns an error. x := Must(f()) stops the cell if there is one."},
	{line: regexp.MustCompile(`^\s*with\s+(.+?)\s+as\s+(\w+)\s*:`), help: "Go's form: $2 := Must($1), then defer $2.Close()."},
	{line: regexp.MustCompile(`^\s*raise\b`), help: `Go's form: return errors.New("what is wrong"), or panic.`},
	{line: regexp.MustCompile(`^\s*(?:pass|del\s.*)$`), help: "Go needs nothing here."},
	{line: regexp.MustCompile(`^\s*import\s+([\w.]+)(?:\s+as\s+\w+)?\s*$`), help: `An import path is a string: import "$1". Packages of the standard library need no import in a cell.`, packages: true},
	{line: regexp.MustCompile(`^\s*from\s+([\w.]+)\s+import\b`), help: `Go's form: import "path/of/package", then package.Name.`, packages: true},
	{line: regexp.MustCompile(`#`), message: "U+0023", help: "A comment begins with //."},
	{line: regexp.MustCompile(`([fr]?)'([^']*)'`), message: "rune literal", help: "A string is in double quotes: \"$2\". Single quotes hold one character."},
	{line: regexp.MustCompile(`'([^']*)'`), message: "rune constant", help: `A string is in double quotes: "$1". Single quotes hold one character, a number to Go.`},
	{line: anyLine, message: "types rune", help: "A string is in double quotes. Single quotes hold one character, a number to Go."},
	{line: anyLine, message: "curly quotation", help: `These are a text's quotes: write ".`},
	{line: anyLine, message: "U+2018", help: `These are a text's quotes: write ".`},
	{line: anyLine, message: "U+2019", help: `These are a text's quotes: write ".`},
	{line: anyLine, message: "U+00A0", help: "This space is a special one, perhaps from a web page: type it anew."},
	{line: anyLine, message: "illegal UTF-8", help: "The text is not in UTF-8: type this character anew."},
	{line: anyLine, message: "NUL", help: "There is a byte in the text that is no character: take it out."},
	{line: anyLine, message: "U+003F", help: "Go has no ? operator: write an if statement."},
	{line: regexp.MustCompile(`\blambda\s+(\w+)\s*:\s*(.+?)\)*\s*$`), help: "Go's form: func($1 float64) float64 { return $2 }"},
	{line: regexp.MustCompile(`\b[fr]"`), message: "expect", help: `Go's form: fmt.Sprintf("x is %v", x).`},
	{line: regexp.MustCompile(`\b[fr]"`), message: "missing ','", help: `Go's form: fmt.Sprintf("x is %v", x).`},
	{line: regexp.MustCompile(`(\w+)\[-(\d+)\]`), message: "must not be negative", help: "Go's form: $1[len($1)-$2]"},
	{line: regexp.MustCompile(`(\w+)\s+is\s+not\s+(\w+)`), message: "unexpected is", help: "Go's form: $1 != $2"},
	{line: regexp.MustCompile(`(\w+)\s+is\s+(\w+)`), message: "unexpected is", help: "Go's form: $1 == $2"},
	{line: regexp.MustCompile(`^\s*(?:let|val|auto)\s+(\w+)\s*=\s*(.+?);?\s*$`), help: "Go's form: $1 := $2"},
	{line: regexp.MustCompile(`^\s*(?:\+\+|--)\s*(\w+)`), help: "Go's form: $1++ or $1--, on a line of its own."},
	{line: regexp.MustCompile(`[=(,]\s*\w+\s*(?:\+\+|--)`), help: "x++ is a statement in Go: put it on a line of its own."},
	{line: regexp.MustCompile(`(\w+)\s*:?=\s*\[([^\]]*)\]\s*$`), message: "expect", help: "Go's form of a list: $1 := []float64{$2}"},
	{line: regexp.MustCompile(`(\w+)\s*:?=\s*\{(.*:.*)\}\s*$`), message: "expect", help: "Go's form of a dictionary: $1 := map[string]int{$2}"},
	{line: regexp.MustCompile(`^\s*(if|for|switch|select|func)\b[^{]*$`), message: "expected {", help: "{ must be on the line of $1."},
	{line: regexp.MustCompile(`^\s*else\b`), help: "else must be on the line of the } before it: } else {"},
	{line: regexp.MustCompile(`\bnot\s+(\w+)`), help: "Go's form: !$1"},
	{line: regexp.MustCompile(`\b(?:and|or)\b`), message: "expect", help: "Go writes && for and, || for or, ! for not."},
	{line: regexp.MustCompile(`^\s*print\s+(\S.*)$`), message: "expect", help: "Go's form: fmt.Println($1)"},
	{line: regexp.MustCompile(`(\w+)\s*\*\*\s*(\w+)`), help: "Go's form: math.Pow($1, $2), with float64 values."},
	{line: regexp.MustCompile(`^\t* +\t*\S`), message: "indent", help: "Go does not look at indentation: blocks are in { }."},
	{line: anyLine, message: "missing ',' before newline in", help: "In Go the last line of a list ends in a comma too, unless the bracket closes on it."},
	{line: anyLine, message: "string literal not terminated", help: "A string ends on its line; one of several lines is in back quotes: `…`."},
}
