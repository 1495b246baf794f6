package figure_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/figure"
)

// names are what people call their files, classes and runs.
var names = []string{
	"写真", "שלום עולם", "مرحبا", "한국어", "हिन्दी", "ไทย", "𠮷野家", "ελληνικά", "😀", "👨‍👩‍👧", "e\u0301te\u0301", "1\u202fPM",
	"a\tb", "a\x1b[31mb", "bell\x07\x00", "a\rb", "a\r\nb", "line\u2028break", "right\u200fmark\u202e", "\ufeffmark", "c1\u0085", "\uffff",
	"caf\xe9", "\xff\xfe", strings.Repeat("m", 250), strings.Repeat("写", 250), strings.Repeat("n\u0303", 250), "", " ", "\n", "\n\n\n", "frog",
}

// TestAnyText draws any text in every place that has some, and wants the layout to
// survive it.
func TestAnyText(t *testing.T) {
	img, s := scene(40, 40), figure.Shading{Scale: must(figure.Diverging(4))}
	for _, name := range names {
		unit := s
		unit.Unit = name
		for what, draw := range map[string]func() (*figure.Picture, error){
			"grid": figure.Grid{
				Title: name, Columns: []string{name, name}, Bar: &unit,
				Rows: []figure.Row{{Label: name, Tiles: []figure.Tile{{Image: img, Caption: name}, {Image: img, Caption: name}}}},
			}.Draw,
			"pair":      figure.Pair{Title: name, Image: img, Map: tilted, Name: name, Shading: unit}.Draw,
			"bar":       figure.ColorBar{Shading: unit}.Draw,
			"confusion": figure.Confusion{Title: name, Classes: []string{name, "b", name}, Counts: [][]int{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}}.Draw,
		} {
			picture, err := draw()
			if err != nil {
				t.Errorf("%s %q: %v", what, name, err)
				continue
			}
			if b := picture.Bounds(); b.Dx() > 1100 || b.Dy() > 800 {
				t.Errorf("%s %.20q…: %d×%d pixels, want the layout to survive", what, name, b.Dx(), b.Dy())
			}
		}
	}
}

// TestTextIsDrawn wants different texts to look different, the same ones alike, and
// what no font has as a box.
func TestTextIsDrawn(t *testing.T) {
	draw := func(text string) []byte {
		t.Helper()
		picture, err := figure.Grid{Title: text, Rows: []figure.Row{{Tiles: []figure.Tile{{Image: scene(4, 4)}}}}}.Draw()
		if err != nil {
			t.Fatal(err)
		}
		return picture.Pix
	}
	for _, pair := range [][2]string{
		{"e\u0301te\u0301", "été"}, {"1\u202fPM", "1 PM"}, {"a\tb", "a b"}, {"right\u200fmark", "rightmark"}, {"😀", "□"}, {"a😀b", "a□b"},
		{"caf\xe9", "caf\ufffd"}, {"a\x1bb", "a␛b"}, {"写真\ufe00", "写真"},
	} {
		if !bytes.Equal(draw(pair[0]), draw(pair[1])) {
			t.Errorf("%q is not drawn as %q", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{
		{"写真", "□□"}, {"写真", "真写"}, {"写真", ""}, {"שלום", "□□□□"}, {"한국", "□□"}, {"مرحبا", "□□□□□"}, {"frog", "from"}, {"␛", "□"},
		{"מב", "במ"},
		{strings.Repeat("m", 249) + "x", strings.Repeat("m", 250)}, {"x" + strings.Repeat("m", 249), strings.Repeat("m", 250)},
	} {
		if bytes.Equal(draw(pair[0]), draw(pair[1])) {
			t.Errorf("%q and %q look alike", pair[0], pair[1])
		}
	}
}

// TestRightToLeft wants what is written from right to left to be turned round, and
// what stands around it to stay: drawn, "א: b" begins with א and ends with b.
func TestRightToLeft(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"frog", "frog"},
		{"a\tb\x1b", "a b␛"},
		{"אבג", "גבא"},
		{"אבג: frog +1.5", "גבא: frog +1.5"},
		{"frog אבג", "frog גבא"},
		{"אב\nfrog", "בא\nfrog"},
		{"באא frog אגב", "אאב frog בגא"},
		{"سلام", "ﻡﻼﺳ"}, // letters in the form of their place, lam and alef as one
	} {
		if got := strings.Join(figure.Lines(test.text), "\n"); got != test.want {
			t.Errorf("%q is drawn as %q, want %q", test.text, got, test.want)
		}
	}
}
