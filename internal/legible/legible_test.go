package legible_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/camlab-go/camlab/internal/legible"
)

func TestText(t *testing.T) {
	for _, test := range []struct{ what, in, want string }{
		{"plain", "frog  p=0.98", "frog  p=0.98"},
		{"lines", "frog\nno dog\r\ncat", "frog\nno dog\ncat"},
		{"accents apart", "e\u0301te\u0301", "été"},
		{"hangul apart", "\u1112\u1161\u11ab", "한"},
		{"narrow space", "1\u202fPM", "1 PM"},
		{"no-break, em and ideographic space", "a\u00a0b\u2003c\u3000d", "a b c d"},
		{"line and paragraph separator", "a\u2028b\u2029c", "a b c"},
		{"tab", "a\tb", "a b"},
		{"escape", "\x1b[31mred", "␛[31mred"},
		{"NUL and delete", "a\x00b\x7f", "a␀b␡"},
		{"C1 control", "a\u0085b", "a\ufffdb"},
		{"right-to-left mark and override", "a\u200fb\u202ec", "abc"},
		{"byte order mark", "\ufeffa", "a"},
		{"zero-width", "a\u200bb\u2060c", "abc"},
		{"variation selector", "❤\ufe0f", "❤"},
		{"no character", "a\uffffb", "a\ufffdb"},
		{"not UTF-8", "caf\xe9", "caf\ufffd"},
		{"Japanese", "写真", "写真"},
		{"Hebrew", "שלום", "שלום"},
		{"emoji", "😀", "😀"},
		{"empty", "", ""},
	} {
		got := legible.Text(test.in)
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.what, got, test.want)
		}
		if again := legible.Text(got); again != got || !utf8.ValidString(got) {
			t.Errorf("%s: %q becomes %q", test.what, got, again)
		}
	}
	if got := legible.Line("a\r\nb\rc"); got != "a␊b␍c" {
		t.Errorf("%q, want one line", got)
	}
}

func TestShort(t *testing.T) {
	for _, test := range []struct {
		in   string
		n    int
		want string
	}{
		{"abcdefgh", 8, "abcdefgh"},
		{"abcdefgh", 7, "abc…fgh"},
		{"abcdefgh", 4, "ab…h"},
		{"abcdefgh", 2, "a…"},
		{"abcdefgh", 1, "…"},
		{"abcdefgh", 0, "…"},
		{"写真写真写真", 5, "写真…写真"},
		{"xe\u0301e\u0301e\u0301e\u0301y", 6, "xe\u0301…e\u0301"[:len("xe\u0301…")] + "y"},
		{"", 0, ""},
	} {
		if got := legible.Runes(test.in, test.n); got != test.want {
			t.Errorf("%q in %d: %q, want %q", test.in, test.n, got, test.want)
		}
	}
	if got := legible.Runes(strings.Repeat("m", 250), 40); utf8.RuneCountInString(got) != 40 {
		t.Errorf("%q, want 40 characters", got)
	}
}
