package cell

import (
	"bytes"
	"errors"
	"fmt"
	"go/importer"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// archives are the compiled packages that the cells of the tests may import.
var archives = sync.OnceValues(func() (map[string]string, error) {
	out, err := exec.Command("go", "list", "-export", "-deps", "-f", "{{if .Export}}{{.ImportPath}}={{.Export}}{{end}}",
		"fmt", "strings", "os", "errors", "math/rand", "math/rand/v2", "math", "image/color", "sort", "strconv", "sync", "encoding/binary", "log", "flag", "image", "image/png", "regexp", "./testdata/live").Output()
	if err != nil {
		return nil, err
	}
	files := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		files[path] = file
	}
	return files, nil
})

// live is the package that stands in for camlib/notebook/live.
const live = "github.com/camlab-go/camlab/kernels/cell/testdata/live"

// notebook is a session whose cells are compiled.
type notebook struct {
	*testing.T
	Session
	dir string
}

func start(t *testing.T) *notebook {
	t.Helper()
	files, err := archives()
	if err != nil {
		t.Fatal(err)
	}
	open := func(path string) (io.ReadCloser, error) {
		if file, ok := files[path]; ok {
			return os.Open(file)
		}
		return nil, fmt.Errorf("package %s is not in std", path)
	}
	n := &notebook{T: t, dir: t.TempDir()}
	n.Importer = importer.ForCompiler(token.NewFileSet(), "gc", open)
	n.Find = func(name string, _ ...string) (string, bool) {
		for _, path := range []string{name, "math/" + name, "image/" + name, "encoding/" + name} {
			if files[path] != "" {
				return path, true
			}
		}
		return "", false
	}
	return n
}

// run rewrites and compiles a cell.
func (n *notebook) run(text string) *Unit {
	n.Helper()
	u, err := n.Rewrite(text)
	if err != nil {
		n.Fatalf("%s\n%v", text, err)
	}
	if out := n.compile(u); out != "" {
		n.Fatalf("%s\n%s%s", text, out, bytes.Join(u.Files, []byte("--\n")))
	}
	u.Keep()
	return u
}

func (n *notebook) compile(u *Unit) string {
	files, _ := archives()
	var cfg bytes.Buffer
	for path, file := range files {
		fmt.Fprintf(&cfg, "packagefile %s=%s\n", path, file)
	}
	args := []string{"tool", "compile", "-p", PackagePath, "-importcfg", filepath.Join(n.dir, "cfg"), "-o", filepath.Join(n.dir, "cell.a")}
	for i, text := range append(u.Files, cfg.Bytes()) {
		name := filepath.Join(n.dir, fmt.Sprintf("%d.go", i))
		if i == len(u.Files) {
			name = filepath.Join(n.dir, "cfg")
		} else {
			args = append(args, name)
		}
		if err := os.WriteFile(name, text, 0o600); err != nil {
			n.Fatal(err)
		}
	}
	out, err := exec.Command("go", args...).CombinedOutput()
	if err == nil {
		return ""
	}
	return string(out) + err.Error()
}

// fails rewrites a cell that is wrong and returns what is said of it.
func (n *notebook) fails(text string) string {
	n.Helper()
	u, err := n.Rewrite(text)
	if err == nil {
		n.Fatalf("%s\nno error, want one\n%s", text, u.Files[0])
	}
	var e *Error
	if !errors.As(err, &e) {
		n.Fatalf("%s\n%v is no *Error", text, err)
	}
	return err.Error()
}

func equal[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestStatementsNeedNoMarker(t *testing.T) {
	n := start(t)
	n.run(`fmt.Println("hi")`)
	n.run("for i := range 3 {\n\tfmt.Println(i)\n}")
	n.run("func() { fmt.Println(2) }()")
	n.run("// nothing but a remark")
	n.run("")
}

func TestVariablesLiveOn(t *testing.T) {
	n := start(t)
	u := n.run("x := 3\nname, err := strconv.Itoa(x), error(nil)\nvar m = map[string][]int{}\nvar f float64 = 1")
	equal(t, "declared", u.Declared, []string{"err", "f", "m", "name", "x"})
	u = n.run("m[name] = append(m[name], x)\nx++")
	equal(t, "declared", u.Declared, nil)
	equal(t, "carried", u.Carried, []string{"m", "name", "x"})
	u = n.run("var zero int\nvar a, b = 1, \"two\"\n_, c := a, b")
	equal(t, "declared", u.Declared, []string{"a", "b", "c", "zero"})
	if got := n.TypeOf("c").String(); got != "string" {
		t.Errorf("c is a %s, want a string", got)
	}
}

func TestDeclarationsAndStatementsMix(t *testing.T) {
	n := start(t)
	u := n.run(`import "math"
type point struct{ x, y float64 }
func (p point) norm() float64 { return math.Hypot(p.x, p.y) * scale }
scale := 2.0
p := point{3, 4}
const (
	a = iota
	b
)
fmt.Println(p.norm(), b)`)
	equal(t, "declared", u.Declared, []string{"a", "b", "p", "point", "point.norm", "scale"})
	u = n.run("q := point{x: p.x, y: b}\nfmt.Println(q.norm())")
	equal(t, "declared", u.Declared, []string{"q"})
	equal(t, "carried", u.Carried, []string{"b", "p", "point", "point.norm"})
}

func TestAVariableOfTheSameTypeIsTheSame(t *testing.T) {
	n := start(t)
	n.run("x := 1\nfunc double() int { return 2 * x }")
	u := n.run("x := 5\nfmt.Println(double())")
	equal(t, "declared", u.Declared, nil)
	equal(t, "carried", u.Carried, []string{"x", "double"})
	n.run("func double() int { return 0 }")
	n.run("y := double()\nfunc show() { fmt.Println(x, double()) }\nfunc other() { x := 1; _ = x + y }")
	u = n.run(`x := "text"`)
	equal(t, "functions that mention it", u.Declared, []string{"other", "show", "x"})
	u = n.run("func double() string { return x }")
	equal(t, "functions that call it", u.Declared, []string{"double", "show"})
}

func TestATypeDeclaredAgain(t *testing.T) {
	n := start(t)
	n.run("type T struct{ A int }\nfunc (t T) Get() int { return t.A }\nfunc mk() T { return T{A: 1} }\ntype List []T\nfunc bad() T { return T{1} }")
	n.run("v := T{2}\nl := List{v}\nn := v.Get()")
	u := n.run("type T struct{ A int }")
	equal(t, "the same text: declared", u.Declared, nil)
	equal(t, "the same text: dropped", u.Dropped, nil)
	u = n.run("type T struct{ A, B int }")
	equal(t, "dropped", u.Dropped, []string{"l", "v", "bad"})
	equal(t, "declared", u.Declared, []string{"List", "T", "T.Get", "mk"})
	if got := fmt.Sprint(u.Warnings); got != "[cell[1]:5:26: bad is gone: too few values in struct literal of type T]" {
		t.Error(got)
	}
	if n.TypeOf("v") != nil || n.TypeOf("n") == nil {
		t.Errorf("the names are %v", n.Names())
	}
	u = n.run("func (t T) Sum() int { return t.A + t.B }")
	equal(t, "a new method: declared", u.Declared, []string{"List", "T", "T.Get", "T.Sum", "mk"})
	n.run("fmt.Println(mk().Sum(), List{{}})")
}

func TestWhatIsDeclaredAgainHasItsImports(t *testing.T) {
	n := start(t)
	n.run("type T struct{ A float64 }\nfunc (t T) Root() float64 { return math.Sqrt(t.A) }")
	u := n.run("type T struct{ A, B float64 }")
	equal(t, "declared", u.Declared, []string{"T", "T.Root"})
	equal(t, "imports", u.Imports, []string{"math"})
}

func TestGenericsAreCarriedWhole(t *testing.T) {
	n := start(t)
	n.run("type Stack[T any] struct{ items []T }\nfunc (s *Stack[T]) Push(x T) { s.items = append(s.items, x) }\nfunc Map[T, U any](xs []T, f func(T) U) (ys []U) {\n\tfor _, x := range xs {\n\t\tys = append(ys, f(x))\n\t}\n\treturn\n}")
	u := n.run("var s Stack[string]\ns.Push(\"a\")\nfmt.Println(len(s.items), Map([]int{1}, strconv.Itoa))")
	if src := string(bytes.Join(u.Files, nil)); !strings.Contains(src, "ys = append(ys, f(x))") {
		t.Error("a generic function came without its body")
	}
	n.run("fmt.Println(s)")
}

func TestImports(t *testing.T) {
	n := start(t)
	u := n.run("import (\n\t\"os\"\n\t\"errors\"\n\tr \"math/rand\"\n)\nfmt.Println(r.Int())")
	equal(t, "superfluous ones are left out", u.Imports, []string{"fmt", "math/rand"})
	u = n.run("f := func() error { return errors.New(strings.ToUpper(\"x\")) }")
	equal(t, "earlier and missing ones are there", u.Imports, []string{"errors", "strings"})
	n.run("type old struct{ *r.Rand }\nfunc roll() int { return r.Int() }\nvar gen = func(r *r.Rand) int { return r.Int() }")
	n.run("import r \"math/rand/v2\"\nfmt.Println(r.IntN(6), roll(), gen)")
	n.run("type new struct{ *r.PCG }\nfmt.Println(new{}, old{})")
	n.run("fmt.Println(new{}, old{})")
	n.run("import . \"math\"\nfmt.Println(Sqrt(2))")
	u = n.run("fmt.Println(f())")
	equal(t, "a dot import that is not used", u.Imports, []string{"fmt"})
	n.run("func Sqrt(x int) int { return x }")
	if got := n.fails("import \"no/such\""); !strings.Contains(got, "cell[10]:1:8: ") || !strings.Contains(got, "no/such") {
		t.Error(got)
	}
}

func TestUnusedVariablesAreWarnings(t *testing.T) {
	n := start(t)
	for _, text := range []string{
		"func f() {\n\tx := 1\n}",
		"func g(c chan int) {\n\tselect {\n\tcase v := <-c:\n\t}\n}",
		"for range 3 {\n\tvar y, z = 1, 2\n\t_ = z\n}",
		"for a, b := range map[int]int{} {\n\tfmt.Println(a)\n}",
		"if v := 3; true {\n}",
		"if v := []int{1}; true { fmt.Println() } else if w := 1; w > 0 { fmt.Println() }; fmt.Println()",
		"switch s := 3; {\ncase true:\n}",
		"switch t := any(3).(type) {\ncase int:\n}",
		"func() { q := 1 }()",
	} {
		u := n.run(text)
		if len(u.Warnings) != 1 || !strings.Contains(u.Warnings[0].Text, "declared and not used") {
			t.Errorf("%s\nwarnings %v, want one", text, u.Warnings)
		}
	}
	if u := n.run("x := 3\ny, z := 4, 5"); len(u.Warnings) != 0 {
		t.Errorf("warnings %v for variables that live on", u.Warnings)
	}
}

func TestErrorsNameTheLineOfTheCell(t *testing.T) {
	n := start(t)
	n.run("model := 3\nvar later struct{ a int }")
	for _, row := range []struct{ text, want string }{
		{"\n\nmodl + 1", "cell[2]:3:1: undefined: modl"},
		{"x := 3\nx := 4", "cell[3]:2:3: no new variables on left side of :="},
		{"fmt.Println(1\n", "cell[4]:1:12: ( is not closed"},
		{"x = \"a\nb\"", "cell[5]:1:5: string literal not terminated"},
		{"if true {\n\tlater.b = 3\n}", "cell[6]:2:8: later.b undefined (type struct{a int} has no field or method b)"},
		{"func f() int {\n\treturn \"a\"\n}", `cell[7]:2:9: cannot use "a" (untyped string constant) as int value in return statement`},
		{"a := 1 +", "cell[8]:1:9: expected operand"},
		{"import \"C\"", "cell[9]:1:8: import \"C\" does not work in a cell"},
		{"}", "cell[10]:1:1: unexpected }"},
		{"x := 1\n string := \"a\"", "cell[11]:2:2: string is one of Go's types, which this would hide"},
		{"type error int", "cell[12]:1:6: error is one of Go's types"},
		{"f, err := os.Open(\"x\")\nmodel := f.Nme()", "cell[13]:2:12: f.Nme undefined"},
	} {
		if got := n.fails(row.text); !strings.HasPrefix(got, row.want) {
			t.Errorf("%s\nsays %q, want %q", row.text, got, row.want)
		}
	}
	var e *Error
	if _, err := n.Rewrite("for {"); !errors.As(err, &e) || !e.Incomplete {
		t.Errorf("%v is not incomplete", err)
	}
	n.run("fmt.Println(model)")
}

func TestTypesWithoutAName(t *testing.T) {
	n := start(t)
	u := n.run("type local struct{}\nl := []*local{}")
	equal(t, "declared", u.Declared, []string{"l", "local"})
	u = n.run("func hidden() any { type inner int; return inner(3) }\nh := hidden()")
	equal(t, "declared", u.Declared, []string{"h", "hidden"})
	u = n.run("le, two := binary.LittleEndian, 2\nfmt.Println(le.Uint16([]byte{1, 0}), two)")
	equal(t, "declared", u.Declared, nil)
	if got := fmt.Sprint(u.Warnings); got != "[cell[3]:1:1: le lives only in this cell: its type littleEndian has no name outside its package]" {
		t.Error(got)
	}
	u = n.run("e := color.YCbCrModel\npi := &e\nvar mu sync.Mutex\nmu.Lock()")
	equal(t, "declared", u.Declared, []string{"e", "mu", "pi"})
}

func TestTheLastExpressionShowsItself(t *testing.T) {
	n := start(t)
	n.Live = "example.com/live"
	const none = "live_.Step("
	for _, row := range []struct{ text, want string }{
		{"1 + 2", "live_.Value("},
		{"[]int{1};", "live_.Quiet("},
		{`fmt.Println("hi")`, "live_.Quiet("},
		{`fmt.Sprint("hi")`, "live_.Value("},
		{"strconv.Atoi(\"1\")", "live_.Pair("},
		{"strconv.Atoi(\"1\");", "live_.Quiet("},
		{"os.Remove(\"x\")", "live_.Check("},
		{"x := 3", none},
		{"x\ny := 2\ny", "x (variable of type int) is not used"},
		{"func() {}()", none},
		{"x", "live_.Value("},
	} {
		u, err := n.Rewrite(row.text)
		if err != nil {
			if row.want == "" || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%s: %v", row.text, err)
			}
			continue
		}
		u.Keep()
		if got := string(u.Files[0]); row.want == none && strings.Count(got, "live_.") > 1 || !strings.Contains(got, row.want) {
			t.Errorf("%s: want %q in\n%s", row.text, row.want, got)
		}
	}
}
