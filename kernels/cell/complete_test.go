package cell

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// helped is a session that knows where packages are.
func helped(t *testing.T) *notebook {
	n := start(t)
	n.Packages = func() []string { return []string{"fmt", "image/color", "math", "math/rand", "strconv", "strings"} }
	n.Dir = func(path string) string {
		out, err := exec.Command("go", "list", "-f", "{{.Dir}}", path).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	return n
}

// at cuts the mark | out of a cell.
func at(text string) (string, int) {
	before, after, _ := strings.Cut(text, "|")
	return before + after, len(before)
}

func TestComplete(t *testing.T) {
	n := helped(t)
	n.Live = live
	if c := n.Complete("fmt.Printl", 10); len(c.Items) != 1 || c.Items[0] != (Item{"Println", "function", "func(a ...any) (n int, err error)"}) {
		t.Errorf("before anything has run: %+v", c)
	}
	n.run("type inner struct{ Deep, mu int }\nfunc (inner) Dive() {}\ntype T struct{ Alpha, Beta int; gamma string; inner }\nfunc (t *T) Get() int { return t.Alpha }\nv, list := T{}, []T{{}}\nb := strings.Builder{}\nfunc double(x int) int { return 2 * x }")
	members := "Alpha Beta Deep gamma inner mu Dive Get"
	for _, row := range []struct{ rule, text, want string }{
		{"a variable of an earlier cell", "v.|", members},
		{"in parentheses", "fmt.Println(1, v.|", members},
		{"in closed parentheses", "fmt.Println(v.|)\nx := 3", members},
		{"in a block", "for i := range 3 {\n\tif v.|\n}", members},
		{"in a block that goes on", "if v.Alpha == 3 {\n v.|\n}\nfmt.Println(v)", members},
		{"after an operator", "y := 3 + v.|", members},
		{"a condition", "switch v.|", members},
		{"a case", "switch 3 {\ncase v.|", members},
		{"a go statement", "go v.G|", "Get gamma"},
		{"a range", "for _, x := range v.|", members},
		{"an element", "list[0].A|", "Alpha"},
		{"a variable of a range", "for _, x := range list {\n\tx.B|", "Beta"},
		{"a parameter", "func g(a T) { a.A|", "Alpha"},
		{"a closure's parameter", "slices.SortFunc(list, func(a, b T) int { return a.A|", "Alpha"},
		{"a variable of this cell", "w := strings.Builder{}\nw.WriteS|", "WriteString"},
		{"what a call returns", "strings.NewReplacer(\"a\", \"b\").|", "Replace WriteString"},
		{"an exported name of a package", "strings.ToUp|", "ToUpper ToUpperSpecial"},
		{"a type of a package in a signature", "func f(s strings.B|", "Builder"},
		{"a type in a declaration", "var q []strings.B|", "Builder"},
		{"other cases' letters", "strings.toupperS|", "ToUpperSpecial"},
		{"a struct's keys", "T{Alpha: 1, |}", "Beta"},
		{"a struct's key over lines", "t := &T{\n\tAl|\n}", "Alpha"},
		{"a local variable", "for i := range 3 {\n\tlocal := i\n\tif lo|", "local"},
		{"not one of later", "lo|\nlocal := 3", ""},
		{"not one that its own value would make", "local := lo|", ""},
		{"a function of an earlier cell", "dou|", "double"},
		{"a type declared below", "x := Be|\ntype Below struct{}", "Below"},
		{"a package", "strin|", "string strings"},
		{"a package that several have the name of", "ran|", "rand range"},
		{"a keyword", "ret|", "return"},
		{"what needs no import", "Mus|", "Must"},
		{"an import path", "import \"ma|", "math math/rand"},
		{"an import path in a group", "import (\n\t\"fmt\"\n\tr \"math/|\"\n)", "math/rand"},
		{"not in a string", "x := \"v.|\"", ""},
		{"not in a comment", "x := 3 // v.|", ""},
		{"the head of an if", "for _, w := range list {\n\tif y := w.Al|", "Alpha"},
		{"the head of a for", "for _, w := range list {\n\tfor i := 0; i < w.Al|", "Alpha"},
		{"the left of an assignment", "for _, w := range list {\n\tx, w.Al|", "Alpha"},
		{"a deferred call", "for _, w := range list {\n\tdefer w.G|", "Get gamma"},
		{"a parameter's type", "func f(a strings.B|", "Builder"},
		{"a receiver's type", "func (t *T|", "T true type"},
		{"after a bracket too many", "}\nfor _, w := range list {\n\tw.Al|", "Alpha"},
		{"after an open string", "w := T{}\nx := \"open\nw.Al|", "Alpha"},
		{"with what is wrong elsewhere", "x := nope(\nv.G|", "Get gamma"},
		{"after a cell's mistake", "x y z\nv.G|", "Get gamma"},
		{"with Windows' line ends", "x := 3\r\nv.G|", "Get gamma"},
	} {
		text, offset := at(row.text)
		c := n.Complete(text, offset)
		var got []string
		for _, it := range c.Items {
			got = append(got, it.Text)
		}
		if row.rule == "a struct's keys" {
			got = got[:min(1, len(got))] // before all that may be a value
		}
		if strings.Join(got, " ") != row.want {
			t.Errorf("%s: %s\noffers %q, want %q", row.rule, row.text, got, row.want)
		}
		if c.End < offset || c.Start > offset || c.End > len(text) {
			t.Errorf("%s: from %d to %d of %d, at %d", row.rule, c.Start, c.End, len(text), offset)
		}
	}
	c := n.Complete("fmt.Pri(x)", 6)
	if c.Start != 4 || c.End != 7 || !slices.ContainsFunc(c.Items, func(i Item) bool { return i.Text == "Printf" }) {
		t.Errorf("in the middle of a name: %+v", c)
	}
	n.run("v.Get()") // the session is what it was
}

func TestCompleteNeverFails(t *testing.T) {
	n := helped(t)
	n.run("x := 3\ntype T struct{ A int }")
	text := "package main\nimport (\"fmt\"; . \"math\")\ntype U struct { T; b map[string]int }\nfunc (u *U) f(a ...int) (s string) {\n\tfor i, v := range a { switch { case i > v: s += `x` + \"y\" } }\n\treturn\n}\nu := &U{T: T{A: 1}}\nL: for { select {} ; break L }\nif y := u.f(1, 2); y != \"\" { fmt.Println(y, 'a', Sqrt(2)) } // end\n"
	for i := range len(text) + 1 {
		n.Complete(text[:i], i)
		n.Complete(text, i)
		n.Inspect(text, i, 0)
		n.Inspect(text[:i], i, 1)
		Status(text[:i])
		if _, err := n.Rewrite(text[:i]); err != nil {
			n.Explain(text[:i], err)
		}
	}
}
