package cell

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// program builds and runs a program of files in a folder of its own.
func program(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module cells\n\ngo 1.26\n"
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "run", ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, files["main.go"])
	}
	return string(out)
}

// liveSource does in a program what camlib/notebook/live does in a kernel.
const liveSource = `package live

import "fmt"

var Steps, Loops int

func Value(v ...any)          { fmt.Println(append([]any{"value"}, v...)...) }
func Pair(v ...any)           { fmt.Println(append([]any{"pair"}, v...)...) }
func Check(err error)         { fmt.Println("check", err) }
func Quiet(v ...any)          {}
func Loop()                   { Loops++ }
func Step(int)                { Steps++ }
func Go[F any](f F) F         { fmt.Println("go"); return f }
func Exit(code int)           { panic(fmt.Sprint("exit ", code)) }
func Fatal(v ...any)          { panic("fatal " + fmt.Sprint(v...)) }
func Fatalf(s string, v ...any) { panic("fatal " + fmt.Sprintf(s, v...)) }
func Fatalln(v ...any)        { panic("fatal " + fmt.Sprint(v...)) }
func Fail(err error)          { panic("fail " + err.Error()) }
`

// TestCellsRun runs cells, each a package of one program.
func TestCellsRun(t *testing.T) {
	files := map[string]string{"live/live.go": liveSource}
	var imports, calls strings.Builder
	rows := []struct{ rule, text, want string }{
		{"a loop", "s := 0\nfor i := range 5 { s += i }\ns", "value 10; 3 steps, 5 loops"},
		{"init before all, main after", "fmt.Println(\"body\")\nfunc main() { fmt.Println(\"main\") }\nfunc init() { fmt.Println(\"init\") }\nfunc init() { fmt.Println(\"init 2\") }", "init; init 2; body; main; 2 steps, 0 loops"},
		{"a program", "package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n)\n\nfunc main() {\n\tfmt.Println(\"hi\")\n}", "hi; 1 steps, 0 loops"},
		{"defer at the end, return ends", "defer fmt.Println(\"deferred\")\nif s := 1; s == 1 {\n\tfmt.Println(s)\n\treturn\n}\nfmt.Println(\"not here\")", "1; deferred; 2 steps, 0 loops"},
		{"goto over a declaration", "goto done\ny := 4\nfmt.Println(y)\ndone:\nfmt.Println(y)", "0; 1 steps, 1 loops"},
		{"labels", "outer:\n\tfor i := range 3 {\n\t\tfor {\n\t\t\tif i == 1 { break outer }\n\t\t\tcontinue outer\n\t\t}\n\t}\nunused:\nfor range 2 {}", "2 steps, 6 loops"},
		{"a label of nothing", "goto M\nM:; fmt.Println(1)\nfor range 2 {}\ngoto N\nN:", "1; 4 steps, 2 loops"},
		{"recover", "func f() (err error) {\n\tdefer func() { err = fmt.Errorf(\"got %v\", recover()) }()\n\tpanic(3)\n}\nf()", "check got 3; 1 steps, 0 loops"},
		{"several last values", "x := 3\nx, \"a\", nil // all", "value 3 a <nil>; 2 steps, 0 loops"},
		{"several quiet ones", "x := 3\nx, nil;", "2 steps, 0 loops"},
		{"a value with an error", "strconv.Atoi(\"12\")", "pair 12 <nil>; 1 steps, 0 loops"},
		{"receive", "c := make(chan int, 2)\nc <- 5\n<-c", "value 5; 3 steps, 0 loops"},
		{"nil", "nil", "value <nil>; 1 steps, 0 loops"},
		{"a constant that no int holds", "1 << 70", "value 1180591620717411303424; 1 steps, 0 loops"},
		{"a goroutine", "done := make(chan int)\ngo func(x int) { done <- x }(7)\n<-done", "go; value 7; 3 steps, 0 loops"},
		{"a generic goroutine", "func send[T any](c chan T, x T) { c <- x }\nc := make(chan string)\ngo send(c, \"s\")\n<-c", "go; value s; 3 steps, 0 loops"},
		{"exit", "os.Exit(3)", "panic exit 3; 1 steps, 0 loops"},
		{"fatal", "log.Fatalf(\"%d is bad\", 4)", "panic fatal 4 is bad; 1 steps, 0 loops"},
		{"Must", "Must(strconv.Atoi(\"x\"))", "panic fail strconv.Atoi: parsing \"x\": invalid syntax; 1 steps, 0 loops"},
		{"shadows and closures", "x := 1\nf := func() int { x++; return x }\nif x := 10; x > 5 { x++ }\nf()\nx", "value 2; 5 steps, 0 loops"},
		{"functions see variables", "x, y := 3, 4\nfunc sum() int { return x + y }\nx = 10\nsum()", "value 14; 3 steps, 0 loops"},
		{"declarations in any order", "p := point{3, 4}\np.norm()\ntype point struct{ x, y float64 }\nfunc (p point) norm() float64 { return math.Hypot(p.x, p.y) }", "value 5; 2 steps, 0 loops"},
		{"var with types", "var a, b any = 1, \"x\"\nvar (\n\tc float64 = 2\n\td []int\n)\na, b, c, d == nil", "value 1 x 2 true; 4 steps, 0 loops"},
		{"a dot import", "import . \"math\"\nfunc root(x float64) float64 { return Sqrt(x) }\nroot(16) + Abs(-1)", "value 5; 1 steps, 0 loops"},
		{"a variable named like its package", "strings := strings.Fields(\"a b\")\nstrings", "value [a b]; 2 steps, 0 loops"},
		{"comma ok, embedding, iota", "type E int\nconst (\n\tA E = iota + 1\n\tB\n)\ntype in struct{ n int }\nfunc (i *in) Inc() { i.n++ }\ntype out struct{ in; E }\no := &out{E: B}\no.Inc()\nm := map[E]int{B: o.n}\nv, ok := m[o.E]\nv, ok", "value 1 true; 5 steps, 0 loops"},
		{"a line end in a raw string", "x := `a\r\nb`\r\nlen(x)\r\n", "value 3; 2 steps, 0 loops"},
		{"variables of one name that functions see", "func load() error { _, err := os.Open(\"/\"); return err }\nx, err := strconv.Atoi(\"1\")\ny, err := strconv.Atoi(\"2\")\nx, y, err, load()", "value 1 2 <nil> <nil>; 3 steps, 0 loops"},
		{"a function sees what is made of others", "k := \"a\"\nm := map[string]int{k: 1}\nfunc f() int { return m[\"a\"] }\nf()", "value 1; 3 steps, 0 loops"},
		{"var, then :=", "var e error\nfunc g() error { return e }\na, e := strconv.Atoi(\"7\")\na, g()", "value 7 <nil>; 3 steps, 0 loops"},
		{"quiet", "3 + 4;", "1 steps, 0 loops"},
		{"a range over a function", "func seq(yield func(int) bool) { _ = yield(1) && yield(2) }\nfor v := range seq { fmt.Println(v) }", "1; 2; 1 steps, 2 loops"},
	}
	n := start(t)
	for i, row := range rows {
		s := Session{Importer: n.Importer, Find: n.Find, Live: live}
		u, err := s.Rewrite(row.text)
		if err != nil {
			t.Fatalf("%s: %v", row.rule, err)
		}
		dir := fmt.Sprintf("c%d", i)
		files[dir+"/cell.go"] = strings.ReplaceAll(string(u.Files[0]), live, "cells/live")
		files[dir+"/run.go"] = "package cell\nfunc Run() { " + u.Function + "() }\n"
		fmt.Fprintf(&imports, "%s \"cells/%s\"\n", dir, dir)
		fmt.Fprintf(&calls, "run(%s.Run)\n", dir)
	}
	files["main.go"] = "package main\nimport (\n\"fmt\"\n\"cells/live\"\n" + imports.String() + `)
func run(f func()) {
	live.Steps, live.Loops = 0, 0
	defer func() {
		if p := recover(); p != nil { fmt.Println("panic", p) }
		fmt.Printf("%d steps, %d loops\n\x00", live.Steps, live.Loops)
	}()
	f()
}
func main() {
` + calls.String() + "}\n"
	out := strings.Split(program(t, files), "\x00")
	for i, row := range rows {
		if got := strings.ReplaceAll(strings.TrimSpace(out[i]), "\n", "; "); got != row.want {
			t.Errorf("%s:\n%s\nprints %q, want %q", row.rule, row.text, got, row.want)
		}
	}
}
