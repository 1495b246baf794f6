package figure

import (
	"fmt"
	"image"

	"github.com/camlab-go/camlab/camlib/images"
)

// Tile is one picture of a Grid: an image, a map, or a map over an image. With neither
// it is an empty place, in a grid that has a Side.
type Tile struct {
	Image   image.Image
	Map     images.Map // coloured as the grid's Bar says; over the image half and half, see [Overlay]
	Caption string     // below the picture; empty for none
}

// Row is one row of a Grid.
type Row struct {
	Label string // left of the tiles, such as "frog  p=0.98"; "\n" begins a new line
	Tiles []Tile
}

func (t Tile) hasMap() bool { return len(t.Map.Values) > 0 }

// drawn returns the grid with every tile as one image.
func (g Grid) drawn() (Grid, error) {
	if err := g.shade(); err != nil {
		return g, err
	}
	rows := make([]Row, len(g.Rows))
	for i, row := range g.Rows {
		rows[i].Label = row.Label
		for j, t := range row.Tiles {
			img, err := g.draw(t)
			if err != nil {
				return g, fmt.Errorf("figure: grid: row %d, column %d: %w", i, j, err)
			}
			rows[i].Tiles = append(rows[i].Tiles, Tile{Image: img, Caption: t.Caption})
		}
	}
	g.Rows = rows
	return g, nil
}

// shade gives a grid with maps the scale that they are drawn on, where it has none.
func (g *Grid) shade() (err error) {
	var maps []images.Map
	for _, row := range g.Rows {
		for _, t := range row.Tiles {
			if t.hasMap() {
				maps = append(maps, t.Map)
			}
		}
	}
	if len(maps) == 0 || g.Bar != nil && g.Bar.Scale != (Scale{}) && !g.Relative {
		return nil
	}
	bar := Shading{}
	if g.Bar != nil {
		bar = *g.Bar
	}
	if g.Relative {
		bar.Scale, err = Diverging(1)
		if bar.Unit == "" {
			bar.Unit = "share of the map's largest value"
		}
	} else {
		bar.Scale, err = DivergingOf(maps...)
	}
	g.Bar = &bar
	return err
}

// draw returns a tile as one image.
func (g Grid) draw(t Tile) (image.Image, error) {
	if !t.hasMap() {
		switch {
		case t.Image == nil && g.Side > 0:
			return image.NewNRGBA(image.Rect(0, 0, g.Side, g.Side)), nil
		case t.Image == nil || g.Side == 0: // nil is what check reports
			return t.Image, nil
		}
		if err := images.Check(t.Image); err != nil {
			return nil, err
		}
		return Magnify(t.Image, g.zoom(t.Image.Bounds().Dx(), t.Image.Bounds().Dy()))
	}
	shading := *g.Bar
	if g.Relative {
		var err error
		if shading.Scale, err = DivergingOf(t.Map); err != nil {
			return nil, err
		}
	}
	if t.Image == nil {
		return HeatMap(t.Map, shading, g.zoom(t.Map.W, t.Map.H))
	}
	over, err := Overlay(t.Image, t.Map, shading, 0.5)
	if err != nil {
		return nil, err
	}
	over.place = placeOf(t.Map, false) // of the map as it was given
	return Magnify(over, g.zoom(over.Rect.Dx(), over.Rect.Dy()))
}

func (g Grid) zoom(w, h int) int { return max(1, g.Side/max(1, w, h)) }
