package cell

import (
	"errors"
	"strings"
	"testing"
)

// says checks what is said of a cell that is wrong.
func (n *notebook) says(text, want string) {
	n.Helper()
	_, err := n.Rewrite(text)
	if err == nil {
		n.Errorf("%s: no error", text)
		return
	}
	if got := n.Explain(text, err); !strings.Contains(got+"\n", want) {
		n.Errorf("%s\nsays\n%s\nwant\n%s", text, got, want)
	}
}

func TestExplain(t *testing.T) {
	n := start(t)
	n.Live = live
	n.Packages = func() []string { return []string{"strings", "strconv", "math", "math/rand", "fmt", "os"} }
	n.run("model, text := 3, `a`\nfunc three() (int, string, error) { return 1, \"\", nil }\nfunc two() (int, error) { return 1, nil }\nfunc one() int { return 1 }\ntype T struct{ Alpha, hidden int }\nvar t T")
	for _, row := range []struct{ text, want string }{
		{"modeel + 1", "undefined: modeel\ncell[2], line 1:\n    modeel + 1\n    ^\nDid you mean model?"},
		{"fmt.Println(1)\n\tm := two()", "assignment mismatch: 1 variable but two returns 2 values\ncell[3], line 2:\n        m := two()\n             ^\n" +
			"two returns an error too. Must takes it off and stops the cell if there is one:\n    m := Must(two())"},
		{"日本 := \"日本\" + modeel", "undefined: modeel\ncell[4], line 1:\n    日本 := \"日本\" + modeel\n                     ^\nDid you mean model?"},
		{"\tx\t:= modeel", "\n        x    := modeel\n                ^\n"},
		{"u1\nu2\nu3\nu4\nu1\nu5", "undefined: u3\ncell[6], line 3:\n    u3\n    ^\n\nand 2 more"},
		{"a, b := three()", "Write\n    a, b, err := three()"},
		{"a := three()", "Write\n    a, _, err := three()"},
		{"a, err := one()", "Write a := one()"},
		{"var a = two()", "Must(two())"},
		{"two().X", "Must(two())"},
		{"os.Open(\"x\").Name()", "Must(os.Open(\"x\"))"},
		{"z = 3", "A new variable is made with :=\n    z := 3"},
		{"x := 3\nx := 4", "The cell has declared it: write\n    x = 4"},
		{"1 + 1\nmodel", "Only the last expression of a cell shows itself"},
		{"strings.ToUper(text)", "Did you mean ToUpper?"},
		{"strigns.ToUpper(text)", "Did you mean strings?"},
		{"mat.NewDense(1)", "Did you mean math?"},
		{"fmt.Printl(text)", "Did you mean Println?"},
		{"t.Alpah", "Did you mean Alpha?"},
		{"Println(3)", "It is in package fmt: fmt.Println"},
		{"fmt", "fmt is a package"},
		{"int", "A type is no value"},
		{"strings.Builder{}.buf", "Only names that begin with a capital letter are seen"},
		{"import \"x/y\"", "x/y"},
		{"import \"rand\"", `Did you mean "math/rand"?`},
		{"import \"github.com/x/y\"", "!*go get github.com/x/y"},
		{"var f float64 = model", "Go converts no numbers by itself: float64(model)"},
		{"1.5 * model", "Go converts no numbers by itself"},
		{"text + 1", "fmt.Sprint(x)"},
		{"if model {\n}", "Go's conditions are of type bool"},
		{"import . \"math\"\nfunc Sqrt(x int) int { return x }\nSqrt(2) + Cos(3)", "The dot import has this name too"},
	} {
		n.says(row.text, row.want)
	}
}

func TestExplainOtherLanguages(t *testing.T) {
	n := start(t)
	n.run("model := 3\nxs := []int{1}")
	for _, row := range []struct{ text, want string }{
		{"def f(x):\n    return x", "func f(x float64) float64 {"},
		{"class Model(object):\n    pass", "type Model struct"},
		{"for i in range(3):\n    print(i)", "for i := range 3 {"},
		{"for i in range(1, 3):", "for i := 1; i < 3; i++ {"},
		{"for x in xs:", "for _, x := range xs {"},
		{"import numpy as np", "Go has no numpy: see package \"gonum.org"},
		{"import math", "import \"math\""},
		{"from math import pi", "import \"path/of/package\""},
		{"x = 'hello'", "A string is in double quotes: \"hello\""},
		{"s := 'a'\ns += \"b\"", "Single quotes hold one character"},
		{"x := 1 # a remark", "A comment begins with //."},
		{"if model > 2 and model < 4 {\n}", "Go writes && for and"},
		{"if model > 2 and not model:\n  x", "Go's form: if model > 2 && !model {"},
		{"elif x:", "} else if x {"},
		{"if model > 2 {\n}\nelse {\n}", "} else {"},
		{"if model > 2\n{\n}", "{ must be on the line of if."},
		{"func f()\n{\n}", "{ must be on the line of func."},
		{"while model < 2:", "for model < 2 {"},
		{"while model < 2 { model++ }", "for model < 2 {\n"},
		{"for x in xs { fmt.Println(x) }", "for _, x := range xs {\n"},
		{"for x in xs[0:1]: print(x)", "for _, x := range xs[0:1] {\n"},
		{"print(f\"{model}\")", "fmt.Sprintf"},
		{"xs[-2]", "xs[len(xs)-2]"},
		{"xs is not None", "xs != nil"},
		{"xs is None", "xs == nil"},
		{"True", "Go's form: true"},
		{"x := None", "Go's form: nil"},
		{"2 ** 3", "math.Pow"},
		{"x := [1, 2]", "x := []float64{1, 2}"},
		{"x := {\"a\": 1}", "x := map[string]int{\"a\": 1}"},
		{"x := \"a\nb\"", "back quotes"},
		{"fmt.Println(1,\n2\n)", "ends in a comma too"},
		{"x := model ? 1 : 2", "Go has no ? operator"},
		{"let x = 3", "x := 3"},
		{"++model", "model++"},
		{"y := model++", "on a line of its own"},
		{"f\"{x}\"", "fmt.Sprintf"},
		{"print \"x\"", "fmt.Println(\"x\")"},
		{"lambda x: x + 1", "func(x float64) float64 { return x + 1 }"},
		{"x := “a”", "write \""},
		{"a\u00a0:= 3", "type it anew"},
		{"\xff", "not in UTF-8"},
		{"a\x00b", "no character"},
	} {
		n.says(row.text, row.want)
	}
}

func TestExplainWhatTheCompilerSays(t *testing.T) {
	n := start(t)
	n.run("x := 1")
	got := n.Explain("a\nb + c", errors.New("cell[1]:2:5: first\ncell[1]:2:5: first\n# cell\ncell[1]:1: second"))
	if want := "first\ncell[1], line 2:\n    b + c\n        ^\n\nsecond\ncell[1], line 1:\n    a"; got != want {
		t.Errorf("says\n%s\nwant\n%s", got, want)
	}
	if got := n.Explain("a", errors.New("no compiler")); got != "no compiler" {
		t.Error(got)
	}
	long := strings.Repeat("x", 5000) + "日" + strings.Repeat("y", 5000)
	got = n.Explain(long, errors.New("cell[1]:1:5001: here"))
	line, mark, _ := strings.Cut(strings.SplitN(got, "\n", 3)[2], "\n")
	if len(line) > 300 || strings.Index(mark, "^") != 4+1+lineWidth || !strings.Contains(line, "xx日yy") {
		t.Errorf("a long line:\n%s", got)
	}
}

func TestNear(t *testing.T) {
	for _, row := range []struct{ name, others, want string }{
		{"modeel", "model module", "model"},
		{"ToUper", "ToUpper ToLower", "ToUpper"},
		{"Printl", "Print Printf Println", "Println"},
		{"x", "y z", ""},
		{"completely", "different words", ""},
		{"same", "same", ""},
	} {
		if got := near(row.name, strings.Fields(row.others)); got != row.want {
			t.Errorf("near %s is %q, want %q", row.name, got, row.want)
		}
	}
}
