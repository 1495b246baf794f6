package cell

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestConstantsDeclaredAgain(t *testing.T) {
	n := start(t)
	n.run("const (\n\ta = iota\n\tb\n\tc = a * 2\n)")
	u := n.run("const a = 10")
	equal(t, "declared", u.Declared, []string{"a", "b", "c"})
	if got := source(u); !strings.Contains(got, "\t_ = iota\n\tb\n\tc = a * 2") {
		t.Errorf("the group is\n%s", got)
	}
	n.run("func use() int { return b + c }")
	equal(t, "users", n.run("const c = 3").Declared, []string{"c", "use"})
	n.run("fmt.Println(a, b, c, use())")
	equal(t, "the same again", n.run("const a = 10").Declared, nil)
}

func TestWhatIsTheSameIsNotCompiledAgain(t *testing.T) {
	n := start(t)
	text := "type T struct{ a int }\nfunc (t T) Get() int { return t.a }\nfunc mk() T { return T{1} }\nfunc roll() int { return rand.Int() }"
	n.run(text)
	n.run("v := mk()")
	u := n.run(text)
	equal(t, "declared", u.Declared, nil)
	equal(t, "dropped", u.Dropped, nil)
	u = n.run(strings.Replace(text, "t.a", "2 * t.a", 1))
	equal(t, "a method with another body: declared", u.Declared, []string{"T.Get"})
	equal(t, "a method with another body: dropped", u.Dropped, nil)
	n.run("func twice(t T) int { return 2 * t.Get() }")
	u = n.run("func (t T) Get() int { return 0 }")
	equal(t, "its callers: declared", u.Declared, []string{"T.Get", "twice"})
	u = n.run("func (t T) Get() (n int) { return t.a }")
	equal(t, "a method with another signature: declared", u.Declared, []string{"T", "T.Get", "mk", "twice"})
	equal(t, "a method with another signature: dropped", u.Dropped, nil)
	n.run("type in struct{ T }\ntype Out struct{ *in; n int }")
	u = n.run("func (t T) Get() (n int) { return 3 }")
	equal(t, "types that have the method by embedding: declared", u.Declared, []string{"Out.Get", "T.Get", "in.Get", "twice"})
	u = n.run("import rand \"math/rand/v2\"\nfunc roll() int { return rand.Int() }")
	equal(t, "an import changed", u.Declared, []string{"roll"})
}

func TestOldDeclarationsKeepTheirImports(t *testing.T) {
	n := start(t)
	n.run("import r \"math/rand\"\nx := 1\nfunc roll() int { return x * r.Intn(6) }")
	u := n.run("import r \"math/rand/v2\"\nx := r.IntN(6) == 3\nfunc other() bool { return x }")
	equal(t, "roll cannot be compiled with a bool", u.Dropped, []string{"roll"})
	n.run("import r \"math/rand\"\nfunc roll() int { return r.Intn(y()) }\nfunc y() int { return 6 }")
	u = n.run("import r \"math/rand/v2\"\nfunc y() int { return r.IntN(6) + 1 }")
	equal(t, "declared", u.Declared, []string{"roll", "y"})
	equal(t, "imports", u.Imports, []string{"math/rand", "math/rand/v2"})
	n.run("import . \"math\"\nfunc root(x float64) float64 { return Sqrt(x) + z() }\nfunc z() float64 { return 0 }")
	n.run("func Abs() int { return 1 }\nfunc z() float64 { return 1 }")
}

func TestAVariableNamedLikeAPackage(t *testing.T) {
	n := start(t)
	for range 2 { // run again it does the same
		n.run("image := image.NewRGBA(image.Rect(0, 0, 1, 1))")
	}
	n.run("fmt.Println(image.Bounds())")
	n.run("import \"image\"\nfmt.Println(image.Rect(0, 0, 1, 1))")
	n.run("func f() any { return strings.Repeat(\"a\", 2) }\ntype s struct{ strings int }\nvar g = s{strings: 1}")
	n.run("fmt.Println(g)")
}

func TestRestart(t *testing.T) {
	n := start(t)
	n.run("type T struct{ a int }\nfunc (t *T) Get() int { return t.a + k }\nconst k = 3\nx := T{1}\nfunc get() int { return x.Get() }\nfunc twice() int { return 2 * k }")
	lost, text := n.Restart()
	equal(t, "lost", lost, []string{"x"})
	if text != "" {
		t.Errorf("the text is %q", text)
	}
	u := n.run("fmt.Println(twice())")
	equal(t, "declared when used", u.Declared, []string{"k", "twice"})
	equal(t, "carried then", n.run("fmt.Println(twice())").Carried, []string{"twice"})
	_, err := n.Rewrite("get()")
	if got := n.Explain("get()", err); !strings.Contains(got, "undefined: get\n") || !strings.Contains(got, "get needs x was lost when the process that held it ended: run the cell that makes it again.") {
		t.Error(got)
	}
	n.run("x := T{2}")
	equal(t, "it comes back with the variable", n.run("fmt.Println(get())").Declared, []string{"get"})
}

func TestForget(t *testing.T) {
	n := start(t)
	n.run("type T struct{}\nfunc (T) M() {}\nx, y := 1, T{}\nimport r \"math/rand\"\nr.Int()")
	n.Forget("T", "x")
	equal(t, "names", n.Names(), []string{"y"})
	_, err := n.Rewrite("x")
	if got := n.Explain("x", err); !strings.Contains(got, "x has been taken away.") {
		t.Error(got)
	}
	n.Forget()
	equal(t, "names", n.Names(), nil)
	if got := n.fails("r.Int()"); !strings.Contains(got, "undefined: r") {
		t.Error(got)
	}
	n.run("x := \"anew\"")
}

func TestAFailingCellChangesNothing(t *testing.T) {
	n := start(t)
	n.run("type T struct{ a int }\nx := T{1}\nfunc f() int { return x.a }")
	for _, text := range []string{"type T struct{ b int }\nnope", "x := 3\nnope", "func f() string { return 1 }", "import m \"math\"\nm.Nope", "import . \"math\"\nnope", "\"", "for {", "const x = nope"} {
		n.fails(text)
	}
	before := fmt.Sprint(n.Names())
	u := n.run("fmt.Println(x.a, f())")
	equal(t, "carried", u.Carried, []string{"T", "f", "x"})
	if after := fmt.Sprint(n.Names()); after != before {
		t.Errorf("the names are %s, want %s", after, before)
	}
	u, err := n.Rewrite("x := 4.5") // not kept: it could not be loaded
	if err != nil || len(u.Declared) == 0 {
		t.Fatal(err)
	}
	n.run("fmt.Println(x.a, f())")
}

// TestAVariableIsMadeOfItself: what it was is there until the cell sets it.
func TestAVariableIsMadeOfItself(t *testing.T) {
	n := start(t)
	n.run("xs := []int{1}\nx := 1\ntype P struct{ a int }\nps := []P{{1}}")
	for text, carried := range map[string][]string{
		"xs := append(xs, 16)\nfmt.Println(xs)":   {"xs"},
		"xs, k := append(xs, 16), 3":              {"xs"},
		"var xs = append(xs, 1)":                  {"xs"},
		"fmt.Println(x)\nx := x + 1":              {"x"},
		"ps := append(ps, P{2})\nfmt.Println(ps)": {"P", "ps"},
	} {
		u := n.run(text)
		for _, name := range carried {
			if !slices.Contains(u.Carried, name) || slices.Contains(u.Declared, name) {
				t.Errorf("%s: declared %v, carried %v, want %s carried", text, u.Declared, u.Carried, name)
			}
		}
	}
	if got := n.fails("x := float64(x) / 4"); !strings.Contains(got, "1:14: x is used here with its old type, int, and gets another in this cell: give the new one another name") {
		t.Error(got)
	}
	if got := n.fails("y := y + 1"); !strings.Contains(got, "undefined: y") {
		t.Error(got)
	}
	n.run("x := x + 1")
}

// TestACellThatFailed has made what it came to make, and no more.
func TestACellThatFailed(t *testing.T) {
	n := start(t)
	u := n.run("a := 1\nb := func() int {\n\treturn a\n}()\nc := 3\nfunc useB() int { return b }\nfunc outer() int { return useB() + a }")
	equal(t, "not made", u.Failed(3), []string{"b", "c"})
	n.run("fmt.Println(a)")
	if got := n.fails("c + 1"); !strings.Contains(got, "undefined: c") {
		t.Error(got)
	}
	if _, err := n.Rewrite("b"); !strings.Contains(n.Explain("b", err), "b was not made: cell[1] failed before, at line 3.") {
		t.Errorf("it says %s", n.Explain("b", err))
	}
	u = n.run("b := 5\nfmt.Println(outer())")
	equal(t, "functions that mention it, and who calls them", u.Declared, []string{"b", "outer", "useB"})
	u = n.run("d := 1\nfor {}")
	equal(t, "made before", u.Failed(2), nil)
}

// TestANameOfAPackageThatWasAVariable: a package is found for it, which is no help.
func TestANameOfAPackageThatWasAVariable(t *testing.T) {
	n := start(t)
	for text, want := range map[string]string{
		"strings.OverlayOn(0)": "There is no variable strings: has the cell that makes it run? strings is taken for the package \"strings\", which has no OverlayOn.",
		"fmt.Printn(1)":        "Did you mean Print?",
	} {
		if _, err := n.Rewrite(text); !strings.Contains(n.Explain(text, err), want) {
			t.Errorf("%s: %s", text, n.Explain(text, err))
		}
	}
	n.run("strings := []int{1}")
	n.Restart()
	if _, err := n.Rewrite("strings.Sum()"); !strings.Contains(n.Explain("strings.Sum()", err), "strings was lost when the process that held it ended") {
		t.Errorf("it says %s", n.Explain("strings.Sum()", err))
	}
}
