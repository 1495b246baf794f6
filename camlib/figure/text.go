package figure

import (
	"image"
	"image/color"
	"image/draw"
	"strings"
	"sync"

	"github.com/hajimehoshi/bitmapfont/v3"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/bidi"

	"github.com/camlab-go/camlab/internal/legible"
)

// Distances and font sizes in pixels, chosen for a notebook's 900-pixel column.
const (
	margin    = 10 // around a picture
	gap       = 8  // between the parts of a picture
	headGap   = 4  // between a column heading and its first tile
	textSize  = 14
	titleSize = 18
)

// The widest texts in pixels. Longer ones are shortened, so that no name spoils a
// picture's layout; a title may be as wide as its picture.
const (
	maxTitle = 640
	maxLabel = 280 // headings, captions and labels
	maxClass = 120 // names in a confusion matrix
)

var ink = color.NRGBA{R: 0x22, G: 0x22, B: 0x22, A: 0xff}

// goRegular has Latin, Greek and Cyrillic letters.
var goRegular = sync.OnceValue(func() *opentype.Font {
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		panic("figure: Go Regular: " + err.Error())
	}
	return f
})

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
	return face{Face: fonts{f}, line: (m.Ascent + m.Descent).Ceil(), ascent: m.Ascent.Ceil()}
}

// fonts is a face of Go Regular that takes what this font lacks from a bitmap font
// of most of the world's other scripts, of 12 pixels at any size, and draws □ for
// what both lack.
type fonts struct{ font.Face }

const standIn = '□'

// of returns the face that draws a character, and the character to draw.
func (f fonts) of(r rune) (font.Face, rune) {
	if i, err := goRegular().GlyphIndex(nil, r); err == nil && i != 0 {
		return f.Face, r
	}
	if hasPixels(r) {
		return bitmapfont.FaceEA, r
	}
	return f.Face, standIn
}

// hasPixels reports whether the bitmap font draws something for a character: it
// knows all of the first 65,536 but leaves some blank.
func hasPixels(r rune) bool {
	box, mask, at, _, ok := bitmapfont.FaceEA.Glyph(fixed.Point26_6{}, r)
	for y := 0; ok && y < box.Dy(); y++ {
		for x := range box.Dx() {
			if _, _, _, a := mask.At(at.X+x, at.Y+y).RGBA(); a > 0 {
				return true
			}
		}
	}
	return false
}

func (f fonts) Glyph(dot fixed.Point26_6, r rune) (dr image.Rectangle, mask image.Image, maskp image.Point, advance fixed.Int26_6, ok bool) {
	face, r := f.of(r)
	return face.Glyph(dot, r)
}

func (f fonts) GlyphBounds(r rune) (bounds fixed.Rectangle26_6, advance fixed.Int26_6, ok bool) {
	face, r := f.of(r)
	return face.GlyphBounds(r)
}

func (f fonts) GlyphAdvance(r rune) (advance fixed.Int26_6, ok bool) {
	face, r := f.of(r)
	return face.GlyphAdvance(r)
}

func (f fonts) Kern(r0, r1 rune) fixed.Int26_6 {
	first, r0 := f.of(r0)
	second, r1 := f.of(r1)
	if first != second {
		return 0
	}
	return first.Kern(r0, r1)
}

// lines returns the lines of any text as they are drawn, from left to right.
func lines(s string) []string {
	s = legible.Text(s)
	if strings.ContainsFunc(s, isRightToLeft) {
		s = reordered(s)
	}
	return strings.Split(s, "\n")
}

func isRightToLeft(r rune) bool {
	p, _ := bidi.LookupRune(r)
	return p.Class() == bidi.R || p.Class() == bidi.AL
}

// reordered returns a text with its parts that are written from right to left
// turned round, and Arabic letters in the form of their place.
func reordered(s string) (turned string) {
	defer func() {
		if recover() != nil { // by PresentationForms, on what golang.org/x/text cannot order
			turned = s
		}
	}()
	// The mark has lines run from left to right that begin with such a part.
	const mark = "\u200e"
	s = mark + strings.ReplaceAll(s, "\n", "\n"+mark)
	return strings.ReplaceAll(bitmapfont.PresentationForms(s, bitmapfont.DirectionLeftToRight, language.Und), mark, "")
}

// short returns s with each line at most width pixels wide, shortened in its middle.
func (f face) short(s string, width int) string {
	all := strings.Split(legible.Text(s), "\n")
	for i, line := range all {
		all[i] = legible.Short(line, func(s string) bool {
			w, _ := f.size(s)
			return w <= width
		})
	}
	return strings.Join(all, "\n")
}

// size returns the width and height of a text, of one or more lines; 0, 0 if empty.
func (f face) size(s string) (w, h int) {
	if s == "" {
		return 0, 0
	}
	for _, line := range lines(s) {
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
	for _, line := range lines(s) {
		w := font.MeasureString(f, line).Ceil()
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
