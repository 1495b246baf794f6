//go:build linux && amd64

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/kernels/wire"
)

// TestCells runs what cells do with values of earlier ones. With GOGC=1 the
// garbage collector runs all the time, and gccheckmark has it look twice.
func TestCells(t *testing.T) {
	for _, env := range [][]string{nil, {"GOGC=1", "GODEBUG=gccheckmark=1", "GOMAXPROCS=4"}} {
		t.Run(strings.Join(env, " "), func(t *testing.T) {
			for name, f := range map[string]func(*kernel){
				"values": values, "redeclared": redeclared, "generics": generics, "libraries": libraries,
			} {
				t.Run(name, func(t *testing.T) { f(open(t, env...)) })
			}
		})
	}
}

func values(k *kernel) {
	k.ok("type point struct{ x, y float64 }\np := point{3, 4}\nfunc (p point) norm() float64 { return math.Hypot(p.x, p.y) }\np", "point{x: 3, y: 4}")
	k.ok("q := &p\nq.x = 6\nfmt.Println(q.norm(), p.norm())", "7.211102550927979 7.211102550927979")
	k.ok("counter := 0\nnext := func() int { counter++; return counter }", "")
	k.ok("next()", "1")
	k.ok("next() + counter", "4")
	k.ok("xs := []int{1, 2}", "")
	k.fails("\nxs[5]", wire.Panic, "index out of range [5] with length 2", "cell.run7 cell[7]:2")
	k.ok("xs = append(xs, 3)\nxs", "[]int{1, 2, 3}")
	k.ok("results := make(chan string)\ngo func() { defer close(results); for i := range 3 { results <- fmt.Sprint(i) } }()", "")
	k.ok("outer:\nfor { select { case s, ok := <-results: if !ok { break outer }; fmt.Println(\"got\", s); case <-time.After(time.Minute): break outer } }", "got 0\ngot 1\ngot 2")
	k.ok("var wg sync.WaitGroup\nvar mu sync.Mutex\ntotal := 0\nfor i := range 100 { wg.Go(func() { mu.Lock(); defer mu.Unlock(); total += i }) }\nwg.Wait()\ntotal", "4950")
	k.ok("errNope := errors.New(\"nope\")\nfunc risky(fail bool) (int, error) { if fail { return 0, errNope }; return 7, nil }\nv, err := risky(false)", "")
	k.ok("v, err = risky(true)\nerrors.Is(err, errNope)", "true")
	k.fails("risky(true)", wire.Error, "nope")
	k.ok("var big [1000][]byte\nfor i := range big { big[i] = make([]byte, 1000); big[i][0] = byte(i) }\nruntime.GC()\nbig[255][0]", "255")
	k.ok("runtime.GC()\nbig[254][0]", "254")
	k.ok("func fib(n int) int { if n < 2 { return n }; return fib(n-1) + fib(n-2) }\nfib(20)", "6765")
	k.ok("type T struct { f func(T) T; m map[string]T }\ntt := T{m: map[string]T{\"a\": {}}}\nlen(tt.m)", "1")
	k.ok("func() { defer func() { fmt.Println(\"rec\", recover()) }(); var m map[string]int; m[\"a\"]++ }()", "rec assignment to entry in nil map")
	// grows the stack, which moves the cell's frames
	k.ok("func deep(n int) int { var a [64]int; if n == 0 { return 0 }; a[n%64] = n; return deep(n-1) + a[n%64]/n }\ndeep(20000)", "20000")
	k.ok("done := make(chan bool, 1)\nfunc() { o := &point{1, 2}; runtime.SetFinalizer(o, func(*point) { done <- true }) }()\nruntime.GC()\n<-done", "true")
	k.ok("type shape interface{ norm() float64 }\nvar s shape = p\nswitch x := s.(type) { case point: fmt.Println(x.x); default: fmt.Println(\"?\") }", "6")
}

func redeclared(k *kernel) {
	k.ok("x := 10\nx", "10")
	k.ok("x := \"text\"\nx", "text")
	k.ok("func g() int { return 1 }\nfunc f() int { return g() + 1 }\nh := f\nf()", "2")
	k.ok("func g() int { return 100 }", "")
	k.ok("fmt.Println(f(), h())", "101 2")
	k.ok("apply := func(f func() int) int { return f() }\nfmt.Println(apply(f), apply(g))", "101 100") // functions as values
	k.ok("func g() int { return 1000 }\nfmt.Println(apply(f), apply(g))", "1001 1000")
	k.ok("type M struct{ n int }\nfunc (m M) Get() int { return m.n }\nfmt.Println(apply(M{1}.Get), M.Get(M{2}))", "1 2")
	k.ok("func (m M) Get() int { return -m.n }\nfmt.Println(apply(M{1}.Get), M.Get(M{2}), (*M).Get(&M{3}))", "-1 -2 -3")
	k.ok("func (m M) Get() int { return 10 * m.n }\nfunc get(f func(M) int) int { return f(M{5}) }\nfmt.Println(apply(M{1}.Get), get(M.Get), (*M).Get(&M{3}))", "10 50 30")
	k.ok("func (m M) GetAll() int { return m.n }\nfunc (m *M) GetPtr() int { return m.n }\nmm := &M{7}", "")
	k.ok("func (m M) Get() int { return 20 * m.n }\nfmt.Println(mm.Get(), mm.GetAll(), mm.GetPtr())", "140 7 7")
	k.ok("fmt.Println(mm.Get(), mm.GetAll(), mm.GetPtr(), apply(mm.Get), apply(mm.GetAll))", "140 7 7 140 7")
	k.ok("type Getter interface{ Get() int }\nfunc Sum[X Getter](xs ...X) (s int) { for _, x := range xs { s += x.Get() }; return s }\nSum(*mm, *mm)", "280")
	k.ok("type E struct{ *M; name string }\nvar eg Getter = E{M: mm}\neg.Get()", "140")
	k.ok("func (m M) Get() int { return 30 * m.n }", "")
	k.ok("var eh Getter = &E{M: mm}\nfmt.Println(Sum(*mm, *mm), Sum(mm), Sum(E{M: mm}), eg.Get(), eh.Get(), E.Get(E{M: mm}), apply(E{M: mm}.Get))", "420 210 210 210 210 210 210")
	k.ok("func id[T any](x T) T { return x }\nfi := id[int]\nfi(3)", "3")
	k.ok("func id[T any](x T) T { var z T; return z }\nfi = id[int]\nfmt.Println(fi(3), slices.Collect(iter.Seq[int](func(yield func(int) bool) { yield(id(4)) })))", "0 [0]")
	k.ok("type point struct{ x, y float64 }\np := point{1, 2}", "")
	k.ok("type point struct{ x, y, z float64 }", "")
	k.ok("before, box, after := 1, point{1, 2, 3}, 2", "")
	k.ok("type point struct{ x, y, z, t float64; name string }\nbox := point{4, 5, 6, 7, \"box\"}\nfmt.Println(before, box, after)", "1 {4 5 6 7 box} 2")
	k.ok("runtime.GC()\nbox", "point{x: 4, y: 5, z: 6, t: 7, name: \"box\"}")
	k.ok("func (p point) sum() float64 { return p.x + p.y }\nbox.sum()", "9") // a method more, for the values that are there
	k.ok("boxes := map[string]*point{\"a\": &box}", "")
	k.ok("func (p *point) String() string { return p.name }\nruntime.GC()\nfmt.Sprint(boxes, box.sum())", "map[a:box] 9")
	k.ok("type point struct{ x, y, z float64 }", "")
	k.ok("type A = struct{ n int }\nvar one, two A", "")
	k.ok("type A = struct{ n, m int }\nvar one A\none.m = 3\none", "struct { n int; m int }{n: 0, m: 3}")
	k.ok("p := point{1, 2, 3}\nm := map[point][]string{p: {\"a\"}}\nfmt.Printf(\"%T %v\\n\", m, m[point{1, 2, 3}])", "map[cell.point][]string [a]")
	k.ok("type Animal interface{ Sound() string }\ntype Dog struct{ name string }\nfunc (d *Dog) Sound() string { return d.name + \" woof\" }\nvar a Animal = &Dog{\"rex\"}\na.Sound()", "rex woof")
	k.ok("d := a.(*Dog)\nd.name = \"max\"\na.Sound()", "max woof")
	k.ok("func (d *Dog) Sit() string { return d.name + \" sits\" }", "")
	k.ok("a2 := Animal(&Dog{\"new\"})\nfmt.Println(a2.Sound(), a2.(*Dog).Sit())", "new woof new sits")
	k.ok("func (d *Dog) Sound() string { return d.name + \" howls\" }", "")
	// the values that are there, too
	k.ok("a2.Sound() + \", \" + reflect.ValueOf(a2).MethodByName(\"Sound\").Call(nil)[0].String()", "new howls, new howls")
	k.ok("a3 := Animal(&Dog{\"old\"})\na3.Sound()", "old howls")
	k.ok("type Num int\nfunc (n Num) String() string { return \"number\" }\nvar s fmt.Stringer = Num(1)\nvar ps fmt.Stringer = new(Num)\nfmt.Println(s, ps)", "number number")
	k.ok("func (n Num) String() string { return \"numeral\" }", "")
	k.ok("fmt.Println(s, ps, Num(2))", "numeral numeral numeral")
	for i := range 5 {
		k.ok(fmt.Sprintf("const step = %d\ntype S struct{ n [step + 1]int }\nfunc (S) Len() int { return step }\nvar l interface{ Len() int } = S{}\nl.Len()", i), fmt.Sprint(i))
	}
}

func generics(k *kernel) {
	k.ok("func Map[T, U any](xs []T, f func(T) U) (ys []U) {\n\tfor _, x := range xs { ys = append(ys, f(x)) }\n\treturn\n}\nnames := Map([]int{1, 2}, func(i int) string { return fmt.Sprint(\"n\", i) })\nnames", "[]string{\"n1\", \"n2\"}")
	k.ok("Map(names, func(s string) int { return len(s) })", "[]int{2, 2}")
	k.ok("const (\n\tRed = iota\n\tGreen\n)\ntype Color int\nfunc (c Color) String() string { return [...]string{\"red\", \"green\"}[c] }\nColor(Green)", "green")
	k.ok("type List[T any] struct { head *node[T]; n int }\ntype node[T any] struct { v T; next *node[T] }\nfunc (l *List[T]) Add(v T) { l.head = &node[T]{v, l.head}; l.n++ }\nfunc (l *List[T]) All() iter.Seq[T] { return func(yield func(T) bool) { for n := l.head; n != nil; n = n.next { if !yield(n.v) { return } } } }\nvar l List[Color]\nl.Add(Red); l.Add(Green)", "")
	k.ok("for c := range l.All() { fmt.Println(c) }\nslices.Collect(l.All())", "green\nred\n[]Color{green, red}")
	k.ok("type Tree struct { L, R *Tree; V any }\nt := &Tree{V: l}\nt.V.(List[Color]).n", "2")
	k.ok("next, stop := iter.Pull(l.All())\nv, ok := next()\nfmt.Println(v, ok)\nstop()", "green true")
	k.ok("var ls List[map[string]Color]\nls.Add(map[string]Color{\"a\": Green})\nls.head.v", "map[string]Color{\"a\": green}")
	// with another body a generic function has another dictionary, for the same types too
	k.ok("func kind[T any](x T) string { return fmt.Sprintf(\"%T\", x) }\nkind(1)", "int")
	k.ok("func kind[T any](x T) string { return fmt.Sprintf(\"%T %T\", []T{x}, map[string]T{}) }\nkind(1)", "[]int map[string]int")
	k.ok("func (l *List[T]) Len() int { return l.head.len() }\nfunc (n *node[T]) len() int { if n == nil { return 0 }; return 1 + n.next.len() }\nvar li List[int]\nli.Add(4); li.Add(5)\nfmt.Println(li.Len(), l.Len(), ls.Len())", "2 2 1")
	k.ok("type Tree[T cmp.Ordered] struct { l, r *Tree[T]; v T }\nfunc (t *Tree[T]) Insert(v T) *Tree[T] { if t == nil { return &Tree[T]{v: v} }; if v < t.v { t.l = t.l.Insert(v) } else { t.r = t.r.Insert(v) }; return t }\nvar tr *Tree[string]\nfor _, s := range []string{\"d\", \"a\", \"c\"} { tr = tr.Insert(s) }", "")
	k.ok("func (t *Tree[T]) Len() int { if t == nil { return 0 }; return 1 + t.l.Len() + t.r.Len() }\ntr.Len()", "3")
	k.ok("func (l *List[T]) Last() []T { return append([]T{l.head.v}, make([]T, l.Len())...) }\nli.Last()", "[]int{5, 0, 0}")
	k.ok("slices.SortFunc(names, func(a, b string) int { return cmp.Compare(b, a) })\nnames", "[]string{\"n2\", \"n1\"}")
}

func libraries(k *kernel) {
	k.ok("type Rec struct { A int `json:\"a\"`; B []Rec `json:\"b\"` }\nb, _ := json.Marshal(Rec{1, []Rec{{2, nil}}})\nstring(b)", `{"a":1,"b":[{"a":2,"b":null}]}`)
	k.ok("var back Rec\njson.Unmarshal(b, &back)\nback.B[0].A", "2")
	k.ok("buf := new(bytes.Buffer)\ngob.NewEncoder(buf).Encode(back)\nvar again Rec\ngob.NewDecoder(buf).Decode(&again)\nagain.B[0].A", "2")
	k.ok("import \"html/template\"\nvar w strings.Builder\ntemplate.Must(template.New(\"t\").Parse(\"{{.name}} {{range .xs}}[{{.A}}]{{end}}\")).Execute(&w, map[string]any{\"name\": \"<n>\", \"xs\": []Rec{{A: 7}}})\nw.String()", "&lt;n&gt; [7]")
	k.ok("rt := reflect.TypeOf(back)\nfmt.Println(rt, rt.Field(0).Tag, reflect.SliceOf(rt) == reflect.TypeOf([]Rec{}), reflect.MapOf(reflect.TypeFor[int](), rt) == reflect.TypeFor[map[int]Rec]())", "cell.Rec json:\"a\" true true")
	k.ok("reflect.ValueOf(strings.ToUpper).Call([]reflect.Value{reflect.ValueOf(\"abc\")})[0]", "ABC")
	k.ok("import \"gonum.org/v1/gonum/mat\"\nm := mat.NewDense(2, 2, []float64{2, 0, 0, 4})\nvar inv mat.Dense\ninv.Inverse(m)\ninv.At(1, 1)", "0.25")
	// expvar is not in the program: it is loaded whole, and initialized once
	k.ok("import \"expvar\"\nn := expvar.NewInt(\"cells\")\nn.Add(3)\nexpvar.Get(\"cells\").String()", "3")
	k.ok("n.Add(1)\nfmt.Println(n.Value(), expvar.Get(\"cmdline\") != nil)", "4 true")
	k.ok("import \"github.com/gomlx/gomlx/core/tensors\"\ntensors.FromValue([]float32{1, 2}).Shape()", "(Float32)[2]")
}

func TestManyCells(t *testing.T) {
	k := open(t, "GOGC=10")
	k.ok("type N struct{ next *N; b []byte }\nvar root *N\nvar spin atomic.Int64\ndone := make(chan bool)\ngo func() { for { spin.Add(1) } }()\nfor range 3 { go func() { for { select { case <-done: return; default: }; var l *N; for i := range 100 { l = &N{l, make([]byte, i)} }; root = l } }() }", "")
	k.ok("f := func() string { return \"\" }", "")
	const n = 20
	for i := range n {
		k.ok(fmt.Sprintf("v%d := map[string]*N{\"a\": {b: []byte(\"%d,\")}}\ng%d := f\nf = func() string { return g%d() + string(v%d[\"a\"].b) }", i, i, i, i, i), "")
	}
	var want strings.Builder
	for i := range n {
		fmt.Fprintf(&want, "%d,", i)
	}
	k.ok("runtime.GC()\nf()", want.String())
	k.ok("close(done)\nspin.Load() > 0", "true")
}
