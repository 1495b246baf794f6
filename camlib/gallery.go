package camlib

import (
	"fmt"
	"image"
	"strings"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/images"
)

// Gallery draws one image's maps by several methods beside each other, six in a row, the
// image itself first, as the network sees it; the methods are named as in [Model.Explain],
// none is all that take the network. Each map is colored relative to its own largest value:
// from blue through gray at zero to red, so that a method without signs has no blue. class
// is what [Model.Target] takes, where that is one class. A [Maps].Note stands above.
//
//	picture, err := model.Gallery(img, "predicted", "cam", "gradcam", "layercam")
func (m *Model) Gallery(img image.Image, class string, methods ...string) (*figure.Picture, error) {
	all := len(methods) == 0
	if all { // but for those that do not take the network
		for _, method := range cam.MethodsFor(m.Network) {
			methods = append(methods, method.Spec().Name)
		}
	}
	for i, name := range methods { // before the first map is made
		if _, err := cam.Lookup(name); err != nil {
			return nil, fmt.Errorf("camlib: gallery: method %d: %w", i, err)
		}
	}
	scale, err := figure.Diverging(1)
	if err != nil {
		return nil, err
	}
	bar := figure.Shading{Scale: scale}
	var tiles []figure.Tile
	title := ""
	for i, name := range methods {
		maps, err := m.Explain(name, class, img)
		if all && cam.Refused(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("camlib: gallery: method %d: %w", i, err)
		}
		if maps.K > 0 {
			return nil, fmt.Errorf("camlib: gallery: class %q has %d maps an image, want one class", class, maps.K)
		}
		photo, zoom, err := galleryTile(maps.Images[0])
		if err != nil {
			return nil, fmt.Errorf("camlib: gallery: %w", err)
		}
		if len(tiles) == 0 {
			shown, err := figure.Magnify(photo, zoom)
			if err != nil {
				return nil, err
			}
			tiles = append(tiles, figure.Tile{Image: shown, Caption: "image"})
		}
		bar.Unit = "share of the largest value\n" + maps.signs()
		title = strings.TrimPrefix(maps.title()+"\n"+maps.says(0, ", "), "\n")
		_, heat, _, err := relativeHeat(maps.At(0), photo.Bounds().Size(), bar, zoom)
		if err != nil {
			return nil, err
		}
		tiles = append(tiles, figure.Tile{Image: heat, Caption: maps.Method})
	}
	columns := min(6, len(tiles))
	for len(tiles)%columns != 0 {
		tiles = append(tiles, figure.Tile{Image: image.NewNRGBA(image.Rect(0, 0, 1, 1))}) // nothing
	}
	grid := figure.Grid{Title: title, Bar: &bar}
	for start := 0; start < len(tiles); start += columns {
		grid.Rows = append(grid.Rows, figure.Row{Tiles: tiles[start : start+columns]})
	}
	return grid.Draw()
}

// galleryTile returns an image as a tile of a gallery, smaller where it is large, and how
// many times it is to be magnified where it is small.
func galleryTile(seen image.Image) (photo image.Image, zoom int, err error) {
	const least, most = 112, 144 // pixels: six of them fit a page
	size := seen.Bounds().Size()
	longest := max(size.X, size.Y)
	if longest <= most {
		return seen, max(1, least/longest), nil
	}
	smaller := images.Preparation{Height: max(1, size.Y*most/longest), Width: max(1, size.X*most/longest), Fit: images.Stretch}
	photo, _, err = smaller.Picture(seen)
	return photo, 1, err
}
