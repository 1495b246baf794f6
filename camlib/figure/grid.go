package figure

import (
	"errors"
	"fmt"
	"image"
)

// Grid is rows of pictures under column headings, with one colour bar for all of
// them. All rows have the same number of tiles; smaller tiles are centred.
type Grid struct {
	Title   string
	Columns []string // the headings, one per column, or none
	Rows    []Row
	// Bar is what the colours of the maps mean; nil for no colour bar. Where it has the zero
	// Scale, or there are maps of tiles and no Bar, it is the Diverging scale of them all.
	Bar *Shading
	// Relative colours every map of a tile relative to its own largest magnitude instead.
	Relative bool
	Side     int    // every pixel and every value is drawn as a square, as many pixels wide as make a tile about so large; 0 is one pixel each
	Alt      string // the alternative text; empty is made of the words in the grid and of where its maps are largest
}

// Add adds a row.
func (g *Grid) Add(label string, tiles ...Tile) { g.Rows = append(g.Rows, Row{label, tiles}) }

// Draw returns the picture. It fails if there is no tile, if the rows or headings
// differ in number of columns, and if an image is missing or empty. Texts that are
// too long for the layout are shortened in their middle with "…".
func (g Grid) Draw() (*Picture, error) {
	g, err := g.drawn()
	if err != nil {
		return nil, err
	}
	if err := g.check(); err != nil {
		return nil, err
	}
	f, title := newFace(textSize), newFace(titleSize)
	alt := g.describe() // of the whole texts
	g = g.short(f)
	colW := make([]int, len(g.Rows[0].Tiles))
	rowH := make([]int, len(g.Rows)) // of the tiles, without captions
	capH := make([]int, len(g.Rows))
	labelW := 0
	for i, row := range g.Rows {
		w, h := f.size(row.Label)
		labelW, rowH[i] = max(labelW, w), h
		for j, tile := range row.Tiles {
			size := tile.Image.Bounds().Size()
			w, h := f.size(tile.Caption)
			colW[j] = max(colW[j], size.X, w)
			rowH[i], capH[i] = max(rowH[i], size.Y), max(capH[i], h)
		}
	}
	headH := 0
	for j, s := range g.Columns {
		w, h := f.size(s)
		colW[j], headH = max(colW[j], w), max(headH, h+headGap)
	}

	left, tilesW := margin, -gap
	if labelW > 0 {
		left += labelW + gap
	}
	for _, w := range colW {
		tilesW += w + gap
	}
	tilesH := -gap
	for i := range rowH {
		tilesH += rowH[i] + capH[i] + gap
	}
	var bar *Picture
	barW, barH := 0, 0
	if g.Bar != nil {
		if bar, err = (ColorBar{Shading: *g.Bar, Height: tilesH - capH[len(capH)-1]}).Draw(); err != nil {
			return nil, fmt.Errorf("figure: grid: %w", err)
		}
		barW, barH = bar.Rect.Dx()+2*gap, bar.Rect.Dy()
	}
	g.Title = title.short(g.Title, max(maxTitle, tilesW+barW))
	titleW, titleH := title.size(g.Title)
	if titleH > 0 {
		titleH += gap / 2
	}
	// A bar's labels reach past its ends: the tiles make room for them.
	over := max(0, (barH-tilesH+capH[len(capH)-1])/2)
	top := margin + titleH + max(headH, over)
	bottom := top + max(tilesH, tilesH-capH[len(capH)-1]+over)
	img := newCanvas(max(left+tilesW+barW, margin+titleW)+margin, bottom+margin)

	title.text(img, margin, margin, 0, 0, g.Title, ink)
	x := left
	for j, s := range g.Columns {
		f.text(img, x+colW[j]/2, top-headGap, 0.5, 1, s, ink)
		x += colW[j] + gap
	}
	y := top
	var tiles []image.Rectangle
	for i, row := range g.Rows {
		f.text(img, left-gap, y+rowH[i]/2, 1, 0.5, row.Label, ink)
		x := left
		for j, tile := range row.Tiles {
			size := tile.Image.Bounds().Size()
			at := image.Pt(x+(colW[j]-size.X)/2, y+(rowH[i]-size.Y)/2)
			paste(img, at.X, at.Y, tile.Image)
			tiles = append(tiles, image.Rectangle{at, at.Add(size)})
			f.text(img, x+colW[j]/2, y+(rowH[i]+size.Y)/2, 0.5, 0, tile.Caption, ink)
			x += colW[j] + gap
		}
		y += rowH[i] + capH[i] + gap
	}
	if bar != nil {
		paste(img, left+tilesW+2*gap, top-over, bar)
	}
	return &Picture{NRGBA: img, Alt: alt, Tiles: tiles}, nil
}

func (g Grid) check() error {
	if len(g.Rows) == 0 || len(g.Rows[0].Tiles) == 0 {
		return errors.New("figure: grid: no tiles, want at least one")
	}
	n := len(g.Rows[0].Tiles)
	if len(g.Columns) != 0 && len(g.Columns) != n {
		return fmt.Errorf("figure: grid: %d column headings, want %d, one per column, or none", len(g.Columns), n)
	}
	for i, row := range g.Rows {
		if len(row.Tiles) != n {
			return fmt.Errorf("figure: grid: row %d: %d tiles, want %d as in row 0", i, len(row.Tiles), n)
		}
		for j, tile := range row.Tiles {
			if err := checkImage(fmt.Sprintf("grid: row %d, column %d", i, j), tile.Image); err != nil {
				return err
			}
		}
	}
	return nil
}

// short returns the grid with its texts shortened where they are too long.
func (g Grid) short(f face) Grid {
	cut := func(s string, width int) string { return f.short(s, max(maxLabel, width)) }
	columns, rows := make([]string, len(g.Columns)), make([]Row, len(g.Rows))
	for j, s := range g.Columns {
		columns[j] = cut(s, g.Rows[0].Tiles[j].Image.Bounds().Dx())
	}
	for i, row := range g.Rows {
		rows[i] = Row{Label: cut(row.Label, 0)}
		for _, tile := range row.Tiles {
			rows[i].Tiles = append(rows[i].Tiles, Tile{Image: tile.Image, Caption: cut(tile.Caption, tile.Image.Bounds().Dx())})
		}
	}
	g.Columns, g.Rows = columns, rows
	return g
}
