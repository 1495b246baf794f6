package figure

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"strings"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// Distances and font sizes in pixels, chosen for a notebook's 900-pixel column.
const (
	margin    = 10 // around a picture
	gap       = 8  // between the parts of a picture
	headGap   = 4  // between a column heading and its first tile
	textSize  = 14
	titleSize = 18
)

var ink = color.NRGBA{R: 0x22, G: 0x22, B: 0x22, A: 0xff}

// goRegular is the one font of the package; it has Latin, Greek and Cyrillic letters.
var goRegular = sync.OnceValue(func() *opentype.Font {
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		panic("figure: Go Regular: " + err.Error())
	}
	return f
})

// checkText returns an error if a text has a character that the font cannot draw.
func checkText(where string, texts ...string) error {
	for _, s := range texts {
		for _, r := range s {
			if i, err := goRegular().GlyphIndex(nil, r); (err != nil || i == 0) && r != '\n' {
				return fmt.Errorf("figure: %s: character %q of %q is not in the font Go Regular, want Latin, Greek or Cyrillic", where, r, s)
			}
		}
	}
	return nil
}

// face measures and draws text of one size. It is not safe for concurrent use, so
// every drawing makes its own.
type face struct {
	font.Face
	line   int // height of a line, in pixels
	ascent int // from the top of a line to its baseline
}

func newFace(size float64) face {
	f, err := opentype.NewFace(goRegular(), &opentype.FaceOptions{Size: size, DPI: 72})
	if err != nil {
		panic("figure: Go Regular: " + err.Error())
	}
	m := f.Metrics()
	return face{Face: f, line: (m.Ascent + m.Descent).Ceil(), ascent: m.Ascent.Ceil()}
}

// size returns the width and height of a text, of one or more lines; 0, 0 if empty.
func (f face) size(s string) (w, h int) {
	if s == "" {
		return 0, 0
	}
	for line := range strings.SplitSeq(s, "\n") {
		w = max(w, font.MeasureString(f, line).Ceil())
		h += f.line
	}
	return w, h
}

// widest returns the largest width of the texts.
func (f face) widest(texts []string) int {
	widest := 0
	for _, s := range texts {
		w, _ := f.size(s)
		widest = max(widest, w)
	}
	return widest
}

// text draws s with the point (ax, ay) of its box, each 0 to 1, at (x, y):
// 0, 0 is the box's top left, ½, ½ its centre. Its lines are aligned by ax.
func (f face) text(dst draw.Image, x, y int, ax, ay float64, s string, c color.Color) {
	_, h := f.size(s)
	y -= int(ay * float64(h))
	for line := range strings.SplitSeq(s, "\n") {
		w, _ := f.size(line)
		d := font.Drawer{Dst: dst, Src: image.NewUniform(c), Face: f, Dot: fixed.P(x-int(ax*float64(w)), y+f.ascent)}
		d.DrawString(line)
		y += f.line
	}
}

// textUp draws s turned to read upwards, its left edge at x, centred on row y.
func (f face) textUp(dst draw.Image, x, y int, s string, c color.Color) {
	w, h := f.size(s)
	flat := image.NewAlpha(image.Rect(0, 0, w, h))
	f.text(flat, 0, 0, 0, 0, s, color.Opaque)
	up := image.NewAlpha(image.Rect(0, 0, h, w))
	for i := range h {
		for j := range w {
			up.SetAlpha(i, w-1-j, flat.AlphaAt(j, i))
		}
	}
	draw.DrawMask(dst, up.Rect.Add(image.Pt(x, y-w/2)), image.NewUniform(c), image.Point{}, up, image.Point{}, draw.Over)
}

// newCanvas returns a white picture: white, not transparent, so that dark notebook
// themes leave the text legible.
func newCanvas(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.Draw(img, img.Rect, image.White, image.Point{}, draw.Src)
	return img
}

// paste draws img on dst with its top left corner at (x, y).
func paste(dst draw.Image, x, y int, img image.Image) {
	b := img.Bounds()
	draw.Draw(dst, b.Sub(b.Min).Add(image.Pt(x, y)), plain(img), b.Min, draw.Over)
}
