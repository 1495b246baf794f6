package live_test

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"strings"
	"testing"
	"time"

	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/camlab-go/camlab/camlib/notebook/live"
)

type point struct{ x, y float64 }

type named int

type node struct {
	name string
	next *node
}

type formatter struct{}

func (formatter) Format(s fmt.State, verb rune) { fmt.Fprintf(s, "%c", verb) }

type broken struct{ p *int }

func (b broken) String() string { return time.Duration(*b.p).String() }

type hidden struct{ A any }

func TestText(t *testing.T) {
	loop := &node{name: "a"}
	loop.next = loop
	for _, row := range []struct {
		name string
		v    any
		want string
	}{
		{"a number", 3, "3"},
		{"a float", 2.0, "2"},
		{"of another type", int8(3), "3"},
		{"of a named type", named(3), "live_test.named(3)"},
		{"a string", "hi \"you\"", `"hi \"you\""`},
		{"a text of lines", "one\ntwo\n", "one\ntwo"},
		{"nil", nil, "nil"},
		{"a nil slice", []int(nil), "[]int(nil)"},
		{"a slice", []int{1, 2, 3}, "[]int{1, 2, 3}"},
		{"an empty slice", []string{}, "[]string{}"},
		{"strings", []string{"a", "b"}, `[]string{"a", "b"}`},
		{"a map in order", map[string]int{"b": 2, "a": 1}, `map[string]int{"a": 1, "b": 2}`},
		{"a map of numbers in order", map[int]bool{10: true, 9: false}, `map[int]bool{9: false, 10: true}`},
		{"a struct", point{1, 2.5}, "live_test.point{x: 1, y: 2.5}"},
		{"a pointer", &point{}, "&live_test.point{x: 0, y: 0}"},
		{"nested", [][]int{{1}, nil}, "[][]int{{1}, []int(nil)}"},
		{"interfaces", []any{1, "a", nil, int8(2)}, `[]any{1, "a", nil, 2}`},
		{"a value that holds itself", loop, `&live_test.node{name: "a", next: &live_test.node{…}}`},
		{"a Stringer", 1500 * time.Millisecond, "1.5s"},
		{"Stringers inside", []time.Duration{1, 2000}, "[]time.Duration{1ns, 2µs}"},
		{"a Formatter alone", formatter{}, "v"},
		{"an error", errors.New("no"), "no"},
		{"a String that panics", broken{}, "live_test.broken{p: nil}"},
		{"a function", strings.ToUpper, "func(string) string"},
		{"a nil function", (func())(nil), "func()(nil)"},
		{"a channel", make(chan int), "chan int"},
		{"an array of bytes", [2]byte{1, 255}, "[2]uint8{1, 255}"},
		{"bytes that are a text", []byte("hi \"you\""), `[]byte("hi \"you\"")`},
		{"of lines", []byte("{\n\t1\n}"), "[]byte(`{\n\t1\n}`)"},
		{"other bytes", []byte{0, 1}, "[]byte{0, 1}"},
		{"a type inside", hidden{named(1)}, "live_test.hidden{A: live_test.named(1)}"},
	} {
		if got := live.Text(row.v); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}

func TestTextIsBounded(t *testing.T) {
	got := live.Text(make([]int, 1_000_000))
	if !strings.HasSuffix(got, "… 999970 more,\n}") || len(got) > 300 {
		t.Errorf("a million numbers: %d bytes, %q", len(got), got[max(0, len(got)-40):])
	}
	if got := live.Text(strings.Repeat("a", 1_000_000)); !strings.HasSuffix(got, "… 998000 bytes more") {
		t.Errorf("a long string ends with %q", got[len(got)-40:])
	}
	var deep any
	for range 100 {
		deep = []any{deep}
	}
	if got, want := live.Text(deep), "[]any{[]any{[]any{[]any{[]any{[]any{…}}}}}}"; got != want {
		t.Errorf("a deep value: %s, want %s", got, want)
	}
}

func TestTables(t *testing.T) {
	type row struct {
		Name  string
		Score float64
		note  string
	}
	rows := []row{{"cat <a>", 0.5, "x"}, {"dog", 12, "y"}, {"frog", 2.0 / 3, ""}}
	d, err := live.Data(rows)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := d.Data[protocol.MIMETextPlain], "Name     Score\ncat <a>      0.5\ndog           12\nfrog     0.66667"; got != want {
		t.Errorf("text\n%s, want\n%s", got, want)
	}
	html, _ := d.Data[protocol.MIMETextHTML].(string)
	if !strings.Contains(html, "<td>cat &lt;a&gt;</td>") || !strings.Contains(html, `<td style="text-align:right">0.66667</td>`) {
		t.Errorf("html %s", html)
	}
	d, err = live.Data(make([]*row, 1000))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := d.Data[protocol.MIMETextPlain].(string); !strings.HasSuffix(got, "1000 rows, the first 20 shown") {
		t.Errorf("a long table ends with %q", got[max(0, len(got)-60):])
	}
	if d, _ = live.Data([]time.Duration{1}); d.Data[protocol.MIMETextHTML] != nil {
		t.Error("durations are a table")
	}
}

func TestPicturesAreShown(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 32, 32))
	img.Set(3, 4, color.White)
	d, err := live.Data(img)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Data[protocol.MIMETextPlain]; got != "picture of 192×192 pixels" && !strings.Contains(got.(string), "192") {
		t.Errorf("a small image is shown as %q, want it enlarged to 192 pixels", got)
	}
	png, _ := d.Data[protocol.MIMEImagePNG].([]byte)
	if d, err = live.Data(png); err != nil || d.Data[protocol.MIMEImagePNG] == nil {
		t.Errorf("the contents of a PNG file: %v, %v", d, err)
	}
	if d, err = live.Data((*image.RGBA)(nil)); err != nil || d.Data[protocol.MIMETextPlain] != "nil" {
		t.Errorf("a nil image: %v, %v", d, err)
	}
}

type shown struct{ fails bool }

func (s shown) DisplayHTML() (string, error) {
	if s.fails {
		return "", errors.New("no ink")
	}
	return "<b>bold</b>", nil
}
func (s shown) DisplayMarkdown() (string, error) { return "**bold**", nil }

func TestValuesSayHowTheyAreShown(t *testing.T) {
	d, err := live.Data(shown{})
	if err != nil {
		t.Fatal(err)
	}
	for mime, want := range map[protocol.MIMEType]string{
		protocol.MIMETextHTML: "<b>bold</b>", protocol.MIMETextMarkdown: "**bold**", protocol.MIMETextPlain: "**bold**",
	} {
		if got := d.Data[mime]; got != want {
			t.Errorf("%s: %v, want %s", mime, got, want)
		}
	}
	if _, err := live.Data(shown{fails: true}); err == nil || err.Error() != "showing a live_test.shown: no ink" {
		t.Errorf("the error is %v", err)
	}
}
