package cell

import (
	"strings"
	"testing"
)

func TestExport(t *testing.T) {
	n := start(t)
	n.Live = live
	for _, row := range []struct {
		rule  string
		cells []string
		want  string // printed
		has   string // in the program
	}{
		{"values and declarations", []string{
			"import \"fmt\"\nx := 3\n// Double doubles.\nfunc double() int { return 2 * x }",
			"x += 2\n\n// What it is.\ndouble()", "fmt.Println(\"end\", x);",
		}, "10\nend 5\n", "// Double doubles.\nfunc double() int { return 2 * x }\n"},
		{"a name of another type", []string{
			"x := 3\nfunc f() int { return x }\nx, f()", "x := \"text\"\nfunc g() string { return x }\nx + g()", "x := 4.5\nx",
		}, "3 3\ntexttext\n4.5\n", "var (\n\tx  int\n\tx2 string\n\tx3 float64\n)"},
		{"functions and types declared again", []string{
			"type T struct{ a int }\nfunc (t T) Get() int { return t.a }\nfunc mk() T { return T{a: 1} }\nv := mk()\nv.Get()",
			"type T struct{ a, b int }\nw := mk()\nw.b, w.Get()",
			"func mk() T { return T{2, 3} }\nmk().b",
			"const (\n\tA = iota\n\tB\n)\nA, B", "const A = 5\nA, B",
		}, "1\n0 1\n3\n0 1\n5 1\n", "type T2 struct"},
		{"errors", []string{"n := Must(strconv.Atoi(\"4\"))\nCheck(nil)\nn", "strconv.Atoi(\"5\")", "strconv.Atoi(\"6\");", "error(nil)", "3 + 4;"}, "4\n5\n", "func Must[T any]"},
		{"return and defer end a cell", []string{"defer fmt.Println(\"deferred\")\nfmt.Println(1)\nif true {\n\treturn\n}\nfmt.Println(2)", "fmt.Println(3)"}, "1\ndeferred\n3\n", "func() {"},
		{"init and main", []string{"func init() { fmt.Println(\"init\") }\nfunc main() { fmt.Println(\"main\") }", "package main\nfunc main() { fmt.Println(\"again\") }"}, "init\nmain\nagain\n", "func main2()"},
		{"imports", []string{
			"import r \"math/rand\"\nimport \"os\"\nimport . \"math\"\nimport _ \"image/png\"\nrand := r.Intn(1)\nSqrt(4), rand",
			"strings := strings.ToUpper(\"a\")\nstrings", "import r \"math/rand/v2\"\nr.IntN(1)",
		}, "2 0\nA\n0\n", "_ \"image/png\""},
		{"generics, labels, closures", []string{
			"type Stack[T any] struct{ items []T }\nfunc (s *Stack[T]) Push(x T) { s.items = append(s.items, x) }\nfunc Map[T, U any](xs []T, f func(T) U) (ys []U) {\n\tfor _, x := range xs {\n\t\tys = append(ys, f(x))\n\t}\n\treturn\n}",
			"var s Stack[int]\ns.Push(3)\nunused:\nfor i := range 3 {\n\ty := i\n\tif i == 1 {\n\t\tbreak\n\t}\n}\nMap(s.items, strconv.Itoa)",
			"count := 0\ninc := func() int { count++; return count }\ninc()\ninc()", "",
		}, "[3]\n2\n", ""},
		{"methods declared again", []string{
			"type M struct{ a int }\nm := M{1}", "func (m M) Twice() int { return 2 * m.a }\nm.Twice()", "func (m M) Twice() int { return 20 * m.a }\nm.Twice()",
		}, "20\n20\n", "return 20 * m.a"},
		{"types made of one declared again", []string{
			"type A struct{ n int }\ntype L []A\nl := L{{1}}", "type A struct{ n, m int }\nL{{2, 3}}[0].m", "func (a A) Sum() int { return a.n + a.m }\nA{4, 5}.Sum()",
		}, "3\n9\n", "type L2 []A2"},
		{"composite literals and pictures", []string{
			"type maker struct{ n int }\nfunc (m maker) Make() (image.Image, error) { return image.NewGray(image.Rect(0, 0, m.n, 2)), nil }",
			"maker{n: 3}.Make()", "image.NewGray(image.Rect(0, 0, 1, 1))",
		}, "picture (3,2)\npicture (1,1)\n", "if v1, err := (maker{n: 3}.Make()); err != nil {"},
		{"exits stay", []string{"fmt.Println(1)\nif len(os.Args) > 5 { os.Exit(3) }"}, "1\n", "os.Exit(3)"},
	} {
		out, err := n.Export(row.cells)
		if err != nil {
			t.Errorf("%s: %v", row.rule, err)
			continue
		}
		if src := string(out); !strings.Contains(src, row.has) || strings.Contains(src, "//line") {
			t.Errorf("%s: want %q in\n%s", row.rule, row.has, src)
		}
		if got := program(t, map[string]string{"main.go": string(out)}); got != row.want {
			t.Errorf("%s: prints %q, want %q\n%s", row.rule, got, row.want, out)
		}
	}
	if len(n.Names()) != 0 {
		t.Errorf("the session has %v", n.Names())
	}
	if _, err := n.Export([]string{"x := 1", "y := nope"}); err == nil || !strings.Contains(err.Error(), "cell[2], line 1:\n    y := nope") {
		t.Errorf("%v", err)
	}
}
