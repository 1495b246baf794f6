package cell

import (
	"fmt"
	"strings"
	"testing"
)

func TestOddText(t *testing.T) {
	n := start(t)
	n.Live = live
	for _, row := range []struct{ rule, text, warning string }{
		{"a byte order mark", "\ufefffmt.Println(1)", ""},
		{"Windows' line ends", "fmt.Println(1)\r\nx := `a\r\nb`\r\n", ""},
		{"an old Mac's", "fmt.Println(1)\rx := 3\r", ""},
		{"comments alone", "// a\n/* b\n */", ""},
		{"a build tag", "//go:build linux\n// +build linux\nfmt.Println(1)", ""},
		{"a line directive", "func f() {\n//line other.go:100\n/*line other.go:1:1*/ fmt.Println(1)\n}", ""},
		{"a directive in a function", "func g() {\n\t//go:noinline\n\tfmt.Println(1)\n}", ""},
		{"text that looks like one", "s := \"//line x.go:3\" + `\n//go:embed x\n`", ""},
		{"embed", "//go:embed x\nvar e string", "[cell[9]:1:1: //go:embed does nothing in a cell]"},
		{"a long line", "long := \"" + strings.Repeat("x", 1<<20) + "\"", ""},
		{"many statements", strings.Repeat("fmt.Println(1)\n", 2000), ""},
		{"blank names", "var _ = 3\n_ = 4\nvar _, b = 1, 2\nfor _ = range 3 {\n}", ""},
		{"a comment in the middle", "/* a\n b */ fmt.Println(1) /* c */; x = 4", ""},
		{"an import that only its init is for", "import _ \"image/png\"", ""},
		{"verbs that do not fit", "fmt.Printf(\"%d\\n\", \"x\")", "[cell[15]:1:13: fmt.Printf format %d has arg \"x\" of wrong type string]"},
		{"missing arguments", "x = 3\n\tfmt.Printf(\"%d %d\\n\", 1)", "[cell[16]:2:17: fmt.Printf format %d reads arg #2, but call has 1 arg]"},
		{"of a function of the cell's", "func logf(f string, v ...any) { fmt.Printf(f, v...) }\nlogf(\"%s\", 3)", "[cell[17]:2:7: logf format %s has arg 3 of wrong type int]"},
	} {
		u := n.run(row.text)
		got := fmt.Sprint(u.Warnings)
		if row.warning == "" {
			row.warning = "[]"
		}
		if got != row.warning {
			t.Errorf("%s: warnings %s, want %s", row.rule, got, row.warning)
		}
	}
	if src := n.TypeOf("s").String(); src != "string" {
		t.Errorf("s is %s", src)
	}
	equal(t, "blank imports", n.run("import _ \"image/png\"").Imports, []string{"image/png"})
	n.SetNumber(18)
	if u := n.run("func run18() int { return 1 }\nrun18()"); u.Function != "run18_" {
		t.Errorf("the cell's function is %s", u.Function)
	}
	if got := n.fails("x := 3\n\n//line other.go:1\nx := nope"); !strings.HasPrefix(got, "cell[19]:4:") {
		t.Errorf("a directive moved the error: %s", got)
	}
}

func TestClean(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"a\r\nb\rc", "a\nb\nc"},
		{"\ufeffa", "a"},
		{"//line x:1\n//go:build x\n// line\n/*line x:1*/", "// ine x:1\n// o:build x\n// line\n/* ine x:1*/"},
		{"`//line x:1` \"/*line \"", "`//line x:1` \"/*line \""},
	} {
		if got, _ := clean(row.text); got != row.want {
			t.Errorf("%q is %q, want %q", row.text, got, row.want)
		}
	}
}
