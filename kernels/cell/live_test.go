package cell

import (
	"strings"
	"testing"
)

// source is the file that a cell has become, without the //line directives.
func source(u *Unit) string {
	var b strings.Builder
	for line := range strings.Lines(string(u.Files[0])) {
		if !strings.HasPrefix(line, "//line ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestCellsCanBeInterrupted(t *testing.T) {
	n := start(t)
	n.Live = live
	for _, row := range []struct{ rule, text, want string }{
		{"a for", "for {\n\tbreak\n}", "for { live_.Loop();\n\tbreak\n}"},
		{"a range without a body", "for range 3 {}", "for range 3 { live_.Loop();}"},
		{"a loop in a function", "func f() { for i := 0; i < 3; i++ { } }", "i++ { live_.Loop(); }"},
		{"a loop in a literal of a variable that functions see", "g := func() { for { } }\nfunc h() { g() }", "func() { for { live_.Loop(); } }"},
		{"with an unused variable", "for i := range 3 { x := i }", "{ live_.Loop(); x := i; _ = x }"},
		{"every statement", "a := 1\nvar b, c = 2, 3\nif a > b { c = 1 }", "live_.Step(6); a  = 1\nlive_.Step(6); b, c = 2, 3\nlive_.Step(6); if a > b { c = 1 }\n"},
		{"a label", "L: for { break L }", "L: for { live_.Loop(); break L }"},
		{"a program", "package main\nfunc main() { for { break } }", "live_.Step(8); main()"},
	} {
		if got := source(n.run(row.text)); !strings.Contains(got, row.want) {
			t.Errorf("%s: want %q in\n%s", row.rule, row.want, got)
		}
	}
}

func TestGoroutinesReportPanics(t *testing.T) {
	n := start(t)
	n.Live = live
	n.run("type T struct{}\nfunc (T) M(x ...int) {}\nfunc gen[K comparable, V any](m map[K]V, v []V) {}\nv := T{}\nc := make(chan int)")
	for _, row := range []struct{ text, want string }{
		{"go func() {}()", "go live_.Go(func() {})()"},
		{"go v.M(1, 2)", "go live_.Go(v.M)(1, 2)"},
		{"go fmt.Println(1)", "go live_.Go(fmt_.Println)(1)"},
		{"go gen(map[string]T{}, []T{})", "go live_.Go(gen[string, T])(map"},
		{"go gen[string](map[string]rand.Rand{}, nil)", "go live_.Go(gen[string, rand_.Rand])(map"},
		{"go close(c)", "go close(c)"},
		{"go (func(x int) { for { go close(c) } })(3)", "go live_.Go((func(x int) { for { live_.Loop(); go close(c) } }))(3)"},
	} {
		if got := source(n.run(row.text)); !strings.Contains(got, row.want) {
			t.Errorf("%s: want %q in\n%s", row.text, row.want, got)
		}
	}
}

func TestCellsDoNotEndTheProcess(t *testing.T) {
	n := start(t)
	n.Live = live
	for _, row := range []struct{ rule, text, want, not string }{
		{"os.Exit", "import \"os\"\nos.Exit(3)", "live_.Exit(3)", "os_"},
		{"as a value", "f := os.Exit\nf(2)", "f  = live_.Exit", "os_"},
		{"under another name", "import l \"log\"\nl.Fatalf(\"%d\", 3)", "live_.Fatalf(\"%d\", 3)", "log_"},
		{"by a dot import", "import . \"log\"\nFatalln(3)", "live_.Fatalln(3)", "log_"},
		{"not a method of that name", "type e struct{}\nfunc (e) Exit(int) {}\n{ os := e{}; os.Exit(3) }", "os.Exit(3)", "live_.Exit"},
		{"in a goroutine", "go os.Exit(1)", "go live_.Go(live_.Exit)(1)", "os_"},
		{"beside another use", "fmt.Println(os.Args)\nos.Exit(0)", "os_ \"os\"", "os_.Exit"},
	} {
		if got := source(n.run(row.text)); !strings.Contains(got, row.want) || strings.Contains(got, row.not) {
			t.Errorf("%s: want %q and not %q in\n%s", row.rule, row.want, row.not, got)
		}
	}
}

func TestFlagsAreNamed(t *testing.T) {
	n := start(t)
	u := n.run("a := flag.Int(\"a\", 0, \"\")\nvar b string\nflag.StringVar(&b, `b`, \"\", \"\")\nflag.Set(\"c\", \"1\")\nset := flag.NewFlagSet(\"d\", 0)\nset.Int(\"e\", 0, \"\")\nflag.String(\"s\", \"value\", \"\")\nflag.Parse()")
	equal(t, "flags", u.Flags, []string{"a", "b", "s"})
	if u.Number != 1 || u.Name != "cell[1]" {
		t.Errorf("the first unit is %s, number %d", u.Name, u.Number)
	}
	n.SetNumber(7)
	if u := n.run(""); u.Number != 7 || u.Function != "run7" {
		t.Errorf("the unit is %s, number %d, want 7", u.Function, u.Number)
	}
}

func TestMustNeedsNoImport(t *testing.T) {
	n := start(t)
	n.Live = live
	u := n.run("x := Must(strconv.Atoi(\"3\"))")
	equal(t, "declared", u.Declared, []string{"Must", "x"})
	equal(t, "names", n.Names(), []string{"x"})
	u = n.run("func read() int { Check(nil); return Must(strconv.Atoi(\"4\")) }")
	equal(t, "carried", u.Carried, []string{"Must"})
	if got := n.TypeOf("x").String(); got != "int" {
		t.Errorf("x is %s, want int", got)
	}
	n.run("func Must(x int) int { return x }\nMust(3)")
	n.run("Must(4)")
	other := start(t)
	if got := other.fails("Must(3, nil)"); !strings.Contains(got, "undefined: Must") {
		t.Errorf("without package live: %s", got)
	}
}
