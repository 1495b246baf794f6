package camlib

import (
	"fmt"
	"image"
	"strings"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/images"
)

// Gallery draws one image's maps by several methods beside each other, six in a row,
// the image itself first; the methods are named as in [Model.Explain], none is all of
// them. Each map is colored relative to its own largest value: from blue through gray
// at zero to red, so that a method without signs has no blue. class is what
// [Model.Target] takes, where that is one class. A [Maps].Note stands above.
//
//	picture, err := model.Gallery(img, "predicted", "cam", "gradcam", "layercam")
func (m *Model) Gallery(img image.Image, class string, methods ...string) (*figure.Picture, error) {
	if len(methods) == 0 {
		for _, method := range cam.MethodsFor(m.Network) {
			methods = append(methods, method.Spec().Name)
		}
	}
	for i, name := range methods { // before the first map is made
		if _, err := cam.Lookup(name); err != nil {
			return nil, fmt.Errorf("camlib: gallery: method %d: %w", i, err)
		}
	}
	img, err := images.Flat(img) // as the network sees it
	if err != nil {
		return nil, fmt.Errorf("camlib: gallery: %w", err)
	}
	const side = 112
	columns := min(6, 1+len(methods))
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
	title := ""
	for i, name := range methods {
		maps, err := m.Explain(name, class, img)
		if err != nil {
			return nil, fmt.Errorf("camlib: gallery: method %d: %w", i, err)
		}
		if maps.K > 0 {
			return nil, fmt.Errorf("camlib: gallery: class %q has %d maps an image, want one class", class, maps.K)
		}
		title = strings.TrimPrefix(maps.title()+"\n"+maps.says(0, ", "), "\n")
		_, heat, _, err := relativeHeat(maps.At(0), img.Bounds().Size(), bar, zoom)
		if err != nil {
			return nil, err
		}
		tiles = append(tiles, figure.Tile{Image: heat, Caption: maps.Method})
	}
	for len(tiles)%columns != 0 {
		tiles = append(tiles, figure.Tile{Image: image.NewNRGBA(image.Rect(0, 0, 1, 1))}) // nothing
	}
	grid := figure.Grid{Title: title, Bar: &bar}
	for start := 0; start < len(tiles); start += columns {
		grid.Rows = append(grid.Rows, figure.Row{Tiles: tiles[start : start+columns]})
	}
	return grid.Draw()
}
