//go:build linux && amd64

package main

import (
	"encoding/gob"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/camlab-go/camlab/kernels/wire"
)

func TestTraces(t *testing.T) {
	k := open(t)
	k.ok("func inner(m map[string]int) { m[\"a\"] = 1 }\nfunc outer() {\n\tinner(nil)\n}", "")
	k.fails("x := 1\nif x > 0 {\n\touter()\n}", wire.Panic, "assignment to entry in nil map",
		"cell.inner cell[1]:1", "cell.outer cell[1]:3", "cell.run2 cell[2]:3")
	k.fails(`strings.Repeat("x", -1)`, wire.Panic, "negative Repeat count", "strings.Repeat strings.go", "cell.run3 cell[3]:1")
	k.fails(`panic("own")`, wire.Panic, "own", "cell.run4 cell[4]:1")
	k.fails(`type E struct{}`+"\nfunc (E) Error() string { panic(\"again\") }\npanic(E{})", wire.Panic, "a cell.E, whose own text panics")
	k.fails("defer func() {\n\tpanic(\"second\")\n}()\npanic(\"first\")", wire.Panic, "second", "cell.run6.func1 cell[6]:2", "cell.run6 cell[6]:4")
	k.ok("runtime.Goexit()", "")
	k.fails("\nlive.Fail(errors.New(\"failed\"))", wire.Error, "failed", "cell.run8 cell[8]:2")
	k.fails("import \"github.com/camlab-go/camlab/camlib/notebook\"\nn := notebook.Must(strconv.Atoi(\"12a\"))", wire.Error, `parsing "12a"`)
	k.ok("n", "0")
	// A panic while a package is initialized does not lose the packages after it.
	k.ok("expvar.NewInt(\"n\").String()", "0")
}

func TestExit(t *testing.T) {
	k := open(t)
	k.ok("x := 7", "")
	k.fails("live.Exit(3)", wire.Exit, "exit status 3", "cell.run2 cell[2]:1")
	k.ok("live.Exit(0)\nfmt.Println(\"not reached\")", "")
	r := k.run("live.Fatalf(\"no %s\", \"luck\")")
	if r.Failure == nil || r.Failure.Kind != wire.Exit || r.Failure.Text != "exit status 1" || !strings.HasSuffix(r.stderr, "no luck\n") {
		t.Errorf("Fatalf: %s, %q", failure(r), r.stderr)
	}
	k.ok("x", "7")
	k.fails("os.Exit(3)", wire.Exit, "exit status 3", "cell.run6 cell[6]:1")
}

func TestGoroutines(t *testing.T) {
	k := open(t)
	r := k.run("done := make(chan bool)\nf := func(n int, more ...string) int { defer close(done); return []int{1}[n] }\ngo live.Go(f)(5, \"a\")\n<-done\ntime.Sleep(50 * time.Millisecond)")
	if r.Failure != nil || !strings.Contains(r.stderr, "panic in a goroutine: runtime error: index out of range [5] with length 1\n") || !strings.Contains(r.stderr, "  cell.run1.func1, cell[1]:2\n") {
		t.Errorf("%s, %q", failure(r), r.stderr)
	}
	k.ok("live.Go(f) != nil && live.Go(strings.ToUpper)(\"a\") == \"A\"", "true")
	// Not one that the cell starts itself: the process ends, and says where.
	r = k.run("c := make(chan int)\ntime.AfterFunc(0, func() {\n\tvar p *int\n\tc <- *p\n})\n<-c")
	if r.Reply != nil || !strings.Contains(r.stderr, "nil pointer dereference") || !strings.Contains(r.stderr, "cell[3]:4 ") {
		t.Errorf("%s, %q", failure(r), r.stderr)
	}
}

func TestFatalErrorsNameTheCell(t *testing.T) {
	for name, c := range map[string][2]string{
		"map":      {"m := map[int]int{}\nfor range 4 {\n\tgo func() { for i := 0; ; i++ {\n\t\tm[i%9] = i\n\t} }()\n}\nselect {}", "cell[1]:4 "},
		"overflow": {"import \"runtime/debug\"\ndebug.SetMaxStack(1 << 20)\nfunc f(n int) int {\n\treturn f(n+1) + 1\n}\nf(0)", "cell[1]:4 "},
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, "GOTRACEBACK=none", "GOMAXPROCS=4").run(c[0])
			if r.Reply != nil || !strings.Contains(r.stderr, "fatal error: ") || !strings.Contains(r.stderr, c[1]) {
				t.Errorf("%s, %.2000q", failure(r), r.stderr)
			}
		})
	}
}

// interrupt runs a cell that prints "go" and sends SIGINT then, n times.
func (k *kernel) interrupt(text string, n int) result {
	k.t.Helper()
	u, q := k.compile(text)
	k.id++
	q.ID = k.id
	if err := k.out.Encode(q); err != nil {
		k.t.Fatal(err)
	}
	k.stdout.until("go\n")
	for range n {
		time.Sleep(20 * time.Millisecond)
		k.signal()
	}
	r := k.reply()
	if r != nil && r.Loaded {
		u.Keep()
	}
	return k.printed(r)
}

func TestInterrupt(t *testing.T) {
	k := open(t)
	k.ok("n := 0", "")
	r := k.interrupt("fmt.Println(\"go\")\nfor {\n\tlive.Loop()\n\tn++\n}", 1)
	if f := r.Failure; f == nil || f.Kind != wire.Interrupted || f.Text != "interrupted" || f.Left || strings.Join(frames(f), " ") != "cell.run2 cell[2]:2" {
		t.Fatal(failure(r))
	}
	k.ok("n > 0", "true")
	// A background goroutine of an earlier cell goes on; one of the cell ends.
	k.ok("ticks := make(chan int)\ngo live.Go(func() { for i := 0; ; i++ { live.Loop(); ticks <- i } })()", "")
	r = k.interrupt("ended := make(chan bool)\ngo live.Go(func() { defer close(ended); for { live.Loop() } })()\nfmt.Println(\"go\")\nfor { live.Loop(); recover() }", 1)
	if f := r.Failure; f == nil || f.Kind != wire.Interrupted || f.Left {
		t.Fatal(failure(r))
	}
	k.ok("<-ended\n<-ticks; <-ticks; <-ticks", "2")
	// An interrupt while nothing runs is not the next cell's.
	k.signal()
	time.Sleep(50 * time.Millisecond)
	k.ok("for i := range 3 { live.Loop(); n = i }\nn", "2")

	// One that waits is left behind.
	r = k.interrupt("fmt.Println(\"go\")\nfunc() {\n\ttime.Sleep(time.Hour)\n}()", 2)
	f := r.Failure
	if f == nil || f.Kind != wire.Interrupted || !f.Left || !strings.Contains(f.Text, "(cell[8], line 3: sleep in time.Sleep)") {
		t.Fatal(failure(r))
	}
	// What is left behind ends when it looks, and the next cells run meanwhile.
	r = k.interrupt("wake := make(chan bool)\nended = make(chan bool)\ndefer close(ended)\nfmt.Println(\"go\")\n<-wake\nlive.Step(9)\nn = -1", 1)
	if f := r.Failure; f == nil || !f.Left || !strings.Contains(f.Text, "(cell[9], line 5: chan receive in cell.run9)") {
		t.Fatal(failure(r))
	}
	k.ok("for range 3 { live.Loop() }\nwake <- true\n<-ended\nn", "2")
}

// TestConcurrentDisplays has what a cell displays arrive before the reply.
func TestConcurrentDisplays(t *testing.T) {
	dir := t.TempDir()
	var files [2]*os.File
	for i, name := range []string{"pipe", "back"} {
		file := filepath.Join(dir, name)
		if err := syscall.Mkfifo(file, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	var shown atomic.Int32
	go func() {
		in, back := gob.NewDecoder(files[0]), gob.NewEncoder(files[1])
		for {
			var d protocol.DisplayData
			if in.Decode(&d) != nil {
				return
			}
			if c, ok := d.Data[protocol.MIMECommValue].(protocol.CommValue); ok {
				if err := back.Encode(&protocol.CommValue{Address: protocol.GonbuiSyncAckAddress, Value: c.Value}); err != nil {
					t.Error(err)
				}
				continue
			}
			time.Sleep(20 * time.Millisecond) // a slow kernel
			shown.Add(1)
		}
	}()
	k := open(t, protocol.GONB_PIPE_ENV+"="+filepath.Join(dir, "pipe"), protocol.GONB_PIPE_BACK_ENV+"="+filepath.Join(dir, "back"))
	k.ok("import \"github.com/janpfeifer/gonb/gonbui\"\nfor i := range 5 { gonbui.DisplayHTML(fmt.Sprint(i)) }", "")
	if n := shown.Load(); n != 5 {
		t.Errorf("%d displays before the reply, want 5", n)
	}
	k.fails("gonbui.DisplayHTML(\"x\")\npanic(\"then\")", wire.Panic, "then")
	if n := shown.Load(); n != 6 {
		t.Errorf("%d displays before the reply, want 6", n)
	}
}

func TestRequests(t *testing.T) {
	k := open(t)
	dir := t.TempDir()
	k.ok(`os.Getenv("CELLS")`, "1")
	if r := k.ask(wire.Request{Op: wire.Chdir, Dir: dir}); r.Failure != nil {
		t.Error(r.Failure)
	}
	k.ok("wd, _ := os.Getwd()\nwd", dir)
	if r := k.ask(wire.Request{Op: wire.Chdir, Dir: filepath.Join(dir, "no")}); r.Failure == nil || !strings.Contains(r.Failure.Text, "no such file") {
		t.Error("Chdir to nowhere succeeds")
	}
	k.ask(wire.Request{Op: wire.Setenv, Name: "CELLS", Unset: true})
	k.ok("_, set := os.LookupEnv(\"CELLS\")\nset", "false")
	if r := k.ask(wire.Request{Op: "dance"}); r.Failure == nil || r.Failure.Text != `host: request "dance" is not known` {
		t.Error(r)
	}
	// Flags are defined anew, and arguments are the cell's.
	for _, want := range []string{"5", "6"} {
		u, q := k.compile("size := flag.Int(\"size\", 1, \"\")\nflag.Parse()\nfmt.Println(*size, flag.Args())")
		q.Args, q.Flags = []string{"-size", want, "rest"}, []string{"size"}
		r := k.printed(k.ask(q))
		if r.Failure != nil || r.stdout != want+" [rest]\n" {
			t.Errorf("%s %q", failure(r), r.stdout)
		}
		u.Keep()
	}
	_, q := k.compile("flag.Parse()")
	q.Args = []string{"-other", "1"}
	if r := k.printed(k.ask(q)); r.Failure == nil || r.Failure.Kind != wire.Error || !strings.Contains(r.Failure.Text, "flag provided but not defined: -other") {
		t.Error(failure(r))
	}
	k.ok("len(os.Args)", "1")
	// A cell that closes its output is still followed by a mark.
	k.ok("os.Stdout.Close()\nos.Stderr.Close()", "")
	// An address that is not mapped is the cell's panic.
	k.fails("import \"unsafe\"\np := (*int)(unsafe.Pointer(uintptr(8 << 40)))\n*p = 1", wire.Panic, "invalid memory address", "cell.run9 cell[9]:3")
}

func TestValues(t *testing.T) {
	k := open(t)
	k.ok(`a, s, m := 3, "x\ny", map[string]int{"k": 1}
type point struct { x int; next *point; any }
p := &point{1, nil, "v"}
long := make([]int, 1<<20)
var nothing error
err := errors.New("two\nlines")
type bad struct{ n int }
func (b bad) String() string { panic("no text") }
b := bad{1}
type slow struct{}
func (slow) String() string { select {} }
w := slow{}
img := image.NewRGBA(image.Rect(0, 0, 2000, 2000))
type Name string
var names = []Name{"q"}
f := func() {}
go func() { for i := 0; ; i++ { m[fmt.Sprint(i%7)] = i } }()`, "")
	want := map[string]string{
		"a": "int 3", "s": `string "x\ny"`, "m": "map[string]int * entries", "p": `*point &{x:1 next:nil any:"v"}`, "nothing": "error nil", "err": "error two lines",
		"b": "bad (its text panics: no text)", "w": "slow (its text takes long)", "names": `[]Name ["q"]`, "f": "func() func",
	}
	for range 20 {
		r := k.ask(wire.Request{Op: wire.Values, Names: []string{"m", "a", "gone"}})
		if len(r.Values) != 2 || r.Values[1] != (wire.Value{Name: "a", Type: "int", Text: "3"}) {
			t.Fatal(r.Values)
		}
	}
	r := k.ask(wire.Request{Op: wire.Values})
	if len(r.Values) != len(want)+2 {
		t.Errorf("%d values, want %d", len(r.Values), len(want)+2)
	}
	for _, v := range r.Values {
		if len(v.Text) > 220 || strings.Contains(v.Text, "\n") {
			t.Errorf("%s: %q", v.Name, v.Text)
		}
		got := v.Type + " " + v.Text
		if _, after, ok := strings.Cut(want[v.Name], "*"); ok && v.Name == "m" {
			got = strings.TrimLeft(strings.TrimPrefix(got, "map[string]int "), "0123456789")
			want[v.Name] = after
		}
		if w, ok := want[v.Name]; ok && got != w {
			t.Errorf("%s: %s, want %s", v.Name, got, w)
		}
	}
}

func TestConcurrentBadArchives(t *testing.T) {
	k := open(t)
	k.ok("x := 5\nfunc f() int { return x }", "")
	u, q := k.compile("y := f() + x\ntype T struct{ a []string }\nvar i fmt.Stringer = time.Duration(y)\nfmt.Println(i, T{})")
	whole, err := os.ReadFile(q.Archive)
	if err != nil {
		t.Fatal(err)
	}
	load := func(b []byte, want string) {
		t.Helper()
		write(t, q.Archive, b)
		r := k.printed(k.ask(q))
		if r.Reply == nil || r.Failure == nil || r.Failure.Kind != wire.Load || r.Loaded || !strings.HasPrefix(r.Failure.Text, "loader: ") || !strings.Contains(r.Failure.Text, want) {
			t.Fatalf("%d bytes: %s %s", len(b), failure(r), r.stderr)
		}
	}
	for n := 0; n < len(whole)-2; n += 1 + len(whole)/150 {
		load(whole[:n], "")
	}
	load([]byte("text"), "not an archive")
	load([]byte(strings.ReplaceAll(string(whole), "go object linux amd64 go1.26", "go object linux amd64 go1.25")), "made by go1.25")
	load([]byte(strings.ReplaceAll(string(whole), "go object linux amd64", "go object linux arm64")), "for linux/arm64, want ")
	load([]byte(strings.ReplaceAll(string(whole), "\x00go120ld", "\x00go999ld")), "not an object of Go 1.26")
	// Damage in the middle, where blocks are, is found or does no harm; zeros are common.
	zeros := append([]byte(nil), whole...)
	at := strings.Index(string(zeros), "\x00go120ld") + 100
	clear(zeros[at : at+400])
	load(zeros, "")
	missing := q
	q.Archive = filepath.Join(k.dir, "none.a")
	if r := k.printed(k.ask(q)); r.Failure == nil || !strings.Contains(r.Failure.Text, "no such file") {
		t.Error(failure(r))
	}
	q = missing
	wrong := q
	wrong.Function = "run99"
	write(t, q.Archive, whole)
	if r := k.printed(k.ask(wrong)); r.Failure == nil || !strings.Contains(r.Failure.Text, "it has no function run99") {
		t.Error(failure(r))
	}
	// After all this, the cell itself runs, and what was there still is.
	if r := k.printed(k.ask(q)); r.Reply == nil || r.Failure != nil || r.stdout != "10ns {[]}\n" && r.stdout != "10ns {a:[]}\n" {
		t.Fatalf("%s %q", failure(r), r.stdout)
	}
	u.Keep()
	k.ok("y + f()", "15")
}

// TestGiveUp: what cannot be interrupted says so from another goroutine.
func TestGiveUp(t *testing.T) {
	k := open(t)
	r := k.run("n, wake := 1, make(chan bool)\ngo func() { live.GiveUp(errors.New(\"busy\")) }()\n<-wake\nn = 2")
	if f := r.Failure; f == nil || f.Kind != wire.Error || f.Text != "busy" || !f.Left {
		t.Fatal(failure(r))
	}
	k.ok("n", "1")
	k.ok("wake <- true; for n == 1 { time.Sleep(time.Millisecond) }\nn", "2")
}

func TestFiles(t *testing.T) {
	k := open(t)
	k.ok("_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 32, Max: 32})", "")
	k.ok("var files []*os.File\nvar err error\nfor err == nil {\n\tvar f *os.File\n\tif f, err = os.Open(os.DevNull); err == nil {\n\t\tfiles = append(files, f)\n\t}\n}", "")
	// A cell that mends it runs, and one that needs a package that is not loaded yet.
	k.ok("expvar.NewInt(\"n\").String()", "0")
	k.ok("for _, f := range files {\n\tf.Close()\n}\nlen(files) > 0", "true")
}

// A cell of a variable that another process has fails, and does not make it anew.
func TestVariablesOfAnotherProcess(t *testing.T) {
	k := open(t)
	k.ok("x := 7", "")
	_, q := k.compile("x++\nfmt.Println(x)")
	other := open(t)
	other.ok("y := 1", "")
	if r := other.printed(other.ask(q)); r.Reply == nil || r.Loaded || r.Failure == nil || !strings.Contains(r.Failure.Text, "the variable cell.x of an earlier cell is not in this process") {
		t.Errorf("the reply is %+v, %s", r.Reply, failure(r))
	}
	other.ok("y", "1")
}
