package camlib

import (
	"errors"
	"fmt"
	"image"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/internal/picture"
)

// Gallery draws one image's maps by several methods beside each other, six in a row,
// the image itself first. Each map is coloured relative to its own largest value: from
// blue through grey at zero to red, so that a method without signs has no blue. class
// is what [Model.Target] takes, where that is one class. A [Maps].Note stands above.
func (m *Model) Gallery(methods []cam.Method, class string, img image.Image) (image.Image, error) {
	const columns, side = 6, 112
	if len(methods) == 0 {
		return nil, errors.New("camlib: gallery: no methods, want some of cam.Methods()")
	}
	img, err := picture.Flat(img) // as the network sees it
	if err != nil {
		return nil, fmt.Errorf("camlib: gallery: %w", err)
	}
	grid := figure.Grid{}
	zoom := max(1, side/max(img.Bounds().Dx(), img.Bounds().Dy()))
	photo, err := figure.Magnify(img, zoom)
	if err != nil {
		return nil, err
	}
	scale, err := figure.Diverging(1)
	if err != nil {
		return nil, err
	}
	bar := figure.Shading{Scale: scale, Unit: "share of the largest value\nred: for, blue: against"}
	tiles := []figure.Tile{{Image: photo, Caption: "image"}}
	for _, method := range methods {
		maps, err := m.Explain(method.Name, class, img)
		if err != nil {
			return nil, err
		}
		if maps.K > 0 {
			return nil, fmt.Errorf("camlib: gallery: class %q has several maps, want one", class)
		}
		grid.Title = maps.title()
		raw, err := figure.NewMap(maps.Height, maps.Width, maps.Maps)
		if err != nil {
			return nil, err
		}
		_, heat, _, err := relativeHeat(raw, img.Bounds().Size(), bar, zoom)
		if err != nil {
			return nil, err
		}
		tiles = append(tiles, figure.Tile{Image: heat, Caption: method.Name})
	}
	for len(tiles)%columns != 0 {
		tiles = append(tiles, figure.Tile{Image: image.NewNRGBA(image.Rect(0, 0, 1, 1))}) // nothing
	}
	grid.Bar = &bar
	for start := 0; start < len(tiles); start += columns {
		grid.Rows = append(grid.Rows, figure.Row{Tiles: tiles[start : start+columns]})
	}
	return grid.Draw()
}
