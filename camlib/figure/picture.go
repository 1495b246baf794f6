package figure

import (
	"fmt"
	"image"
	"slices"
	"strconv"
	"strings"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/legible"
)

// Picture is an image with its alternative text: what it shows, in words, for a
// reader who does not see it. Everything that this package draws is one;
// [PNGBytes] keeps the text in the file, where package notebook finds it.
type Picture struct {
	*image.NRGBA
	Alt string
	// Tiles is where the tiles of a [Grid] or [Pair] lie in it, row after row; nil in others.
	Tiles []image.Rectangle

	place string // where the map in it is largest; empty where there is none
	over  bool   // the map lies over an image
}

// Describe returns an image with an alternative text of the caller's.
func Describe(img image.Image, alt string) (*Picture, error) {
	if err := checkImage("describe", img); err != nil {
		return nil, err
	}
	return &Picture{NRGBA: toNRGBA(img), Alt: alt}, nil
}

// Alt returns an image's alternative text: that of a [Picture], of any other image
// no more than its size.
func Alt(img image.Image) string {
	if p, ok := img.(*Picture); ok && p.Alt != "" {
		return p.Alt
	}
	return fmt.Sprintf("picture of %d×%d pixels", img.Bounds().Dx(), img.Bounds().Dy())
}

// Peak says in words where a map is largest, such as "largest at the upper left
// (24.1 in row 3, column 4 of 16×16)", and where it is most negative if that
// value is of larger size. Rows and columns are counted from 1. It fails as every
// function that takes a map.
func Peak(m images.Map) (string, error) {
	if err := m.Check(); err != nil {
		return "", err
	}
	return placeOf(m, true), nil
}

// place is [Peak] of a map that has been checked, with the values or without.
func placeOf(m images.Map, values bool) string {
	high, low := slices.Max(m.Values), slices.Min(m.Values)
	if high == low {
		return label(float64(high)) + " everywhere"
	}
	at := func(v float32) string {
		i := slices.Index(m.Values, v)
		y, x := i/m.W, i%m.W
		value := ""
		if values {
			value = label(float64(v)) + " in "
		}
		return fmt.Sprintf("%s (%srow %d, column %d of %d×%d)", part(y, x, m.H, m.W), value, y+1, x+1, m.H, m.W)
	}
	text := "largest " + at(high)
	if -low > high {
		text += ", most negative " + at(low)
	}
	return text
}

// part names the ninth of h rows and w columns in which row y and column x lie.
func part(y, x, h, w int) string {
	third := func(i, n int) int { return (2*i + 1) * 3 / (2 * n) }
	return [3][3]string{
		{"at the upper left", "at the top", "at the upper right"},
		{"at the left", "in the middle", "at the right"},
		{"at the lower left", "at the bottom", "at the lower right"},
	}[third(y, h)][third(x, w)]
}

// ofMap returns the picture of a map that has been checked.
func ofMap(img *image.NRGBA, m images.Map, what string) *Picture {
	return &Picture{NRGBA: img, Alt: what + ": " + placeOf(m, true), place: placeOf(m, false)}
}

// like returns img with the words of the picture that it was made of.
func like(of image.Image, img *image.NRGBA) *Picture {
	if p, ok := of.(*Picture); ok {
		return &Picture{NRGBA: img, Alt: p.Alt, place: p.place, over: p.over}
	}
	return &Picture{NRGBA: img}
}

// plain returns the image without its words, which the image packages draw and
// encode faster.
func plain(img image.Image) image.Image {
	if p, ok := img.(*Picture); ok {
		return p.NRGBA
	}
	return img
}

// longest is about how many characters an alternative text may have: nobody
// listens to more.
const longest = 1500

// describe returns the grid in words, row by row: headings, labels, captions, and
// where the maps are largest.
func (g Grid) describe() string {
	if g.Alt != "" {
		return g.Alt
	}
	text := fmt.Sprintf("%d pictures", len(g.Rows[0].Tiles))
	switch {
	case len(g.Rows) > 1:
		text = fmt.Sprintf("%d rows of %s", len(g.Rows), text)
	case len(g.Rows[0].Tiles) == 1:
		text = "a picture"
	}
	if g.Title != "" {
		text = inLine(g.Title) + ": " + text
	}
	if len(g.Columns) > 0 {
		text += ", in columns " + inLine(strings.Join(g.Columns, ", "))
	}
	text += "."
	end := ""
	if g.Bar != nil && g.Bar.Unit != "" {
		end = " Colors: " + inLine(g.Bar.Unit) + "."
	}
	for i, row := range g.Rows {
		words := row.describe(g.Columns)
		if words == "" {
			continue
		}
		if len(text)+len(words)+len(end) > longest && i > 0 {
			text += fmt.Sprintf(" And %d more rows.", len(g.Rows)-i)
			break
		}
		text += " " + words
	}
	return text + end
}

func (r Row) describe(columns []string) string {
	var said []string // of the row's pictures
	places := map[string]bool{}
	for j, tile := range r.Tiles {
		var words []string
		if tile.Caption != "" {
			words = append(words, inLine(tile.Caption))
		}
		if p, ok := tile.Image.(*Picture); ok && p.place == "" && p.Alt != "" {
			words = append(words, inLine(p.Alt))
		} else if ok && p.place != "" && (!p.over || !places[p.place]) { // once for a map and the same over the image
			words, places[p.place] = append(words, p.place), true
		}
		if len(words) == 0 {
			continue
		}
		head := ""
		if len(columns) > 0 && columns[j] != "" {
			head = inLine(columns[j]) + " "
		}
		said = append(said, head+strings.Join(words, ", "))
	}
	all := strings.Join(said, "; ")
	switch {
	case r.Label == "" && all == "":
		return ""
	case r.Label == "":
		return all + "."
	case all == "":
		return inLine(r.Label) + "."
	}
	return inLine(r.Label) + ": " + all + "."
}

// inLine joins a text's lines.
func inLine(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines[:len(lines)-1] {
		if !strings.HasSuffix(line, ",") && !strings.HasSuffix(line, ":") {
			lines[i] = line + ","
		}
	}
	return legible.Text(strings.TrimRight(strings.Join(lines, " "), "."))
}

// describe returns the matrix in words: how many are right, and the mistakes that
// are made most often.
func (c Confusion) describe() string {
	if c.Alt != "" {
		return c.Alt
	}
	type cell struct{ label, predicted, n int }
	var wrong []cell
	right, all := 0, 0
	for i, row := range c.Counts {
		for j, n := range row {
			all += n
			if i == j {
				right += n
			} else if n > 0 {
				wrong = append(wrong, cell{i, j, n})
			}
		}
	}
	slices.SortStableFunc(wrong, func(a, b cell) int { return b.n - a.n })
	text := fmt.Sprintf("confusion matrix of %d classes, %d of %d images right", len(c.Classes), right, all)
	if c.Title != "" {
		text = inLine(c.Title) + ": " + text
	}
	for k, w := range wrong[:min(3, len(wrong))] {
		join := "; most often wrong: "
		if k > 0 {
			join = ", "
		}
		text += join + c.Classes[w.label] + " taken for " + c.Classes[w.predicted] + " " + strconv.Itoa(w.n)
	}
	return text + "."
}
