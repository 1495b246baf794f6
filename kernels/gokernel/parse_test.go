package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParseCell(t *testing.T) {
	for _, r := range []struct {
		text, before, after, code string
	}{
		{"x := 1", "", "", "x := 1"},
		{"%%\nx", "%%", "", "\nx"},
		{"import \"a\"\n!*go get a\n%%\nx\n!ls", "%% !*", "!", "import \"a\"\n\n\nx\n"},
		{"x\n!ls\n%% -n", "%%", "!", "x\n\n"},
		{"s := `\n!no\n%no\n`\n%yes", "", "%yes", "s := `\n!no\n%no\n`\n"},
		{"/*\n!no\n*/ // %\n!ls", "", "!", "/*\n!no\n*/ // %\n"},
		{"a := b &&\n!c", "", "", "a := b &&\n!c"},
		{"f(\n!c)", "", "", "f(\n!c)"},
		{"i++\n!ls", "", "!", "i++\n"},
		{"s := \"`\"\n!ls", "", "!", "s := \"`\"\n"},
		{"r := '`'\n!ls", "", "!", "r := '`'\n"},
		{" !ls", "", "", " !ls"},
		{"!a \\\nb\nx", "!", "", "\n\nx"},
		{"?fmt.Println", "?", "", ""},
		{"fmt.Println??", "?", "", ""},
		{"//gonb:%env a b\r\nx", "%env", "", "\nx"},
		{"func main() {\n\tx()\n}\n%time", "%time", "", "func main() {\n\tx()\n}\n"},
		{"%", "%", "", ""},
	} {
		p := parseCell(r.text)
		list := func(l []line) string {
			var names []string
			for _, x := range l {
				names = append(names, x.name)
			}
			return strings.Join(names, " ")
		}
		if list(p.before) != r.before || list(p.after) != r.after || p.text != r.code || p.whole != nil {
			t.Errorf("%q: before %q, after %q, Go %q", r.text, list(p.before), list(p.after), p.text)
		}
	}
	if p := parseCell("\n%%bash -x\n!echo\n"); p.whole == nil || !reflect.DeepEqual(*p.whole, line{"%%bash", "-x", "!echo\n"}) {
		t.Errorf("%+v", p.whole)
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{"": nil, " a  b ": {"a", "b"}, `"a b" c`: {"a b", "c"}, `''`: {""}, `a\ b`: {"a b"}, `--x="1 2"`: {"--x=1 2"}, `"a\"b"`: {`a"b`}} {
		if got := words(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Offsets in the Go of a cell are the cell's.
func TestGoOf(t *testing.T) {
	text := "%env a ü\nx.\n!ls"
	if got := goOf(text); len(got) != len(text) || strings.Index(got, "x.") != strings.Index(text, "x.") || strings.ContainsAny(got, "%!") {
		t.Errorf("%q", got)
	}
}

func TestReadCrash(t *testing.T) {
	why, frames := readCrash("panic: runtime error: index out of range [3] with length 3\n\ngoroutine 7 [running]:\nsort.Slice(...)\n\t/usr/lib/go/src/sort/slice.go:29 +0x1\n" +
		"cell.f(0x1, {0x2, 0x3})\n\tcell[3]:2 +0x1d\ncell.run3.func1()\n\t/x/cell[3]:5 +0x1d\ncreated by cell.run3 in goroutine 1\n\tcell[3]:4 +0x3\n\n" +
		"goroutine 1 [select]:\nmain.main()\n\t/x/main.go:1 +0x1\n")
	var got []string
	for _, f := range frames {
		got = append(got, f.Function+" "+f.File)
	}
	want := []string{"sort.Slice /usr/lib/go/src/sort/slice.go", "cell.f cell[3]", "cell.run3.func1 cell[3]", "cell.run3 cell[3]"}
	if why != "runtime error: index out of range [3] with length 3" || !slices.Equal(got, want) || frames[1].Line != 2 {
		t.Errorf("%q %q", why, got)
	}
}

// Marks are found however the pipe cuts them.
func TestMarks(t *testing.T) {
	text := "a\x00camlab:12\x00b\x00c\x00camlab:x\x00\x00camlab:13\x00"
	for cut := 1; cut < len(text); cut++ {
		var ids []int
		s := newStream("stdout", func() *output { return &output{} }, func(id int) { ids = append(ids, id) })
		_, _ = s.Write([]byte(text[:cut]))
		_, _ = s.Write([]byte(text[cut:]))
		if !slices.Equal(ids, []int{12, 13}) || s.shown != len("ab\x00c\x00camlab:x\x00") {
			t.Errorf("cut at %d: marks %v, %d bytes shown", cut, ids, s.shown)
		}
	}
}
