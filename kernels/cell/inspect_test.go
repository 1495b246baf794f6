package cell

import (
	"strings"
	"testing"
)

func TestInspect(t *testing.T) {
	n := helped(t)
	n.run("// Double doubles.\nfunc double(x int) int {\n\treturn 2 * x\n}\n\n// T is one.\ntype T struct {\n\tAlpha int\n}\n\nfunc (t *T) Get(k int) int { return k }\nv := T{}")
	for _, row := range []struct {
		rule, text string
		detail     int
		want       string
	}{
		{"a function of a package", "strings.ToUp|per(\"x\")", 0, "func ToUpper(s string) string\n\nToUpper returns s with all Unicode letters mapped to their upper case.\n\nExample:\n\nfmt.Println(strings.ToUpper(\"Gopher\"))\n// Output:\n// GOPHER"},
		{"comments in an example", "strings.EqualFold(|", 0, "// true because comparison uses simple case-folding\n"},
		{"its source", "strings.ToUpper|(\"x\")", 1, "isASCII, hasLower := true, false"},
		{"the function called", "strings.Repeat(\"x\", |", 0, "func Repeat(s string, count int) string"},
		{"the function called, a number under the cursor", "strings.Repeat(\"x\", 3|)", 0, "func Repeat("},
		{"a method called", "v.Get(|)", 0, "func (t *T) Get(k int) int"},
		{"a method of a package's type", "b := strings.Builder{}\nb.WriteStr|ing(\"x\")", 0, "WriteString appends the contents of s to b's buffer."},
		{"a function of a cell", "dou|ble(3)", 0, "func double(x int) int\n\nDouble doubles."},
		{"its source", "dou|ble(3)", 1, "\treturn 2 * x\n}"},
		{"a type of a cell", "T|{}", 0, "type T struct {\n\tAlpha int\n}\n\nT is one."},
		{"a variable", "v|", 0, "var v T"},
		{"a variable of this cell", "x := 3\nfmt.Println(x|)", 0, "var x int"},
		{"a field", "v.Alp|ha", 0, "Alpha int"},
		{"a field of a package's struct", "c := color.RGBA{}\nc.A|", 0, "A uint8"},
		{"a package", "strings|.X", 0, "package strings // import \"strings\"\n\nPackage strings implements"},
		{"a builtin", "len(|", 0, "func len(v Type) int\n\nThe len built-in function"},
		{"a constant", "math.P|i", 0, "Mathematical constants."},
		{"a type", "strings.Buil|der{}", 0, "// contains filtered or unexported fields"},
		{"a half typed cell", "for i := range 3 {\n\tx := strings.Fields(|", 0, "func Fields(s string) []string"},
		{"what this cell declares", "// Neg negates.\nfunc neg(x int) int { return -x }\nneg|(3)", 0, "func neg(x int) int\n\nNeg negates."},
	} {
		text, offset := at(row.text)
		markdown, plain, ok := n.Inspect(text, offset, row.detail)
		if !ok || !strings.Contains(plain, row.want) {
			t.Errorf("%s: %s\nis\n%s\nwant\n%s", row.rule, row.text, plain, row.want)
		}
		if !strings.HasPrefix(markdown, "```go\n") {
			t.Errorf("%s: the Markdown is\n%s", row.rule, markdown)
		}
	}
	for _, text := range []string{"nope|", "|", "3 + |4", "\"v|\"", "if| x"} {
		text, offset := at(text)
		if _, plain, ok := n.Inspect(text, offset, 0); ok {
			t.Errorf("%s is\n%s", text, plain)
		}
	}
}
