package curve_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/camlab-go/camlab/camlib/figure/curve"
)

// TestAnyText draws any name of a series or a chart, and wants a whole SVG file and
// curves that keep their room.
func TestAnyText(t *testing.T) {
	for _, name := range []string{
		"写真", "שלום", "😀", "e\u0301", "1\u202fPM", "a\tb", "a\x1b[31mb", "\x00", "a\r\nb", "c1\u0085", "\uffff", "caf\xe9", "\xff", "<&\"'>",
		strings.Repeat("m", 250), strings.Repeat("写", 250), "", "\n", "right\u200fmark",
	} {
		c := curve.Chart{Title: name, XLabel: name, YLabel: name, Series: []curve.Series{{Name: name, Y: []float64{1, 2}}, {Name: "b", Y: []float64{2, 1}}}}
		svg, err := c.SVG()
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if !utf8.Valid(svg) {
			t.Errorf("%q: SVG that is not UTF-8", name)
		}
		for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Errorf("%q: %v", name, err)
				break
			}
		}
		if _, drawn, _ := bytes.Cut(svg, []byte("</title>")); bytes.Contains(drawn, bytes.Repeat([]byte("m"), 81)) {
			t.Error("250 letters are not shortened")
		}
		picture, err := c.PNG()
		if err != nil {
			t.Errorf("%q: %v", name, err)
		} else if _, err := png.Decode(bytes.NewReader(picture)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		i := curve.Intervals{Rows: []string{name, "b"}, HigherIsBetter: []bool{true}, Panels: []curve.Panel{{Title: name, Values: []*curve.Interval{{1, 0, 2}, nil}}}}
		if _, err := i.PNG(); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}
