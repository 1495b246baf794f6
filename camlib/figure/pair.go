package figure

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"github.com/camlab-go/camlab/camlib/images"
)

// Pair is an image beside its map, on the map's own scale or a shared one: the
// article's figure.
type Pair struct {
	Title   string
	Image   image.Image
	Map     images.Map
	Name    string  // heading of the map; empty is "map"
	Shading Shading // how the map is coloured; drawn as the colour bar
	Zoom    int     // every pixel of the image is drawn as a square of so many; 0 is 6, of a framed photo 1
	// Frame is where the map lies in Image, if that is a photo of which the network saw a
	// part. The map is then drawn over the photo too.
	Frame images.Frame
	Alt   string // the alternative text; empty is made of the words in the picture and of where the map is largest
}

// Draw returns the picture. The map is resized to the image's size with
// [images.Map.Resize], so that one square of the image has one value of the map.
func (p Pair) Draw() (*Picture, error) {
	if err := checkImage("pair", p.Image); err != nil {
		return nil, err
	}
	zoom, name := p.Zoom, cmp.Or(p.Name, "map")
	if p.Frame != (images.Frame{}) {
		return p.drawFramed(cmp.Or(zoom, 1), name)
	}
	zoom = cmp.Or(zoom, 6)
	size := p.Image.Bounds().Size()
	m, err := p.Map.Resize(size.Y, size.X, images.AlignCorners)
	if err != nil {
		return nil, fmt.Errorf("figure: pair: %w", err)
	}
	left, err := Magnify(p.Image, zoom)
	if err != nil {
		return nil, fmt.Errorf("figure: pair: %w", err)
	}
	right, err := HeatMap(m, p.Shading, zoom)
	if err != nil {
		return nil, fmt.Errorf("figure: pair: %w", err)
	}
	right.place = placeOf(p.Map, true) // of the map as it was given
	return Grid{
		Title:   p.Title,
		Columns: []string{"image", name},
		Rows:    []Row{{Tiles: []Tile{{Image: left}, {Image: right}}}},
		Bar:     &p.Shading,
		Alt:     p.Alt,
	}.Draw()
}

// drawFramed draws a photo, the map in its frame, and the map over the photo, which is
// pale where the network saw nothing of it.
func (p Pair) drawFramed(zoom int, name string) (*Picture, error) {
	m, seen, err := p.Frame.Carry(p.Map, images.AlignCorners)
	if err != nil {
		return nil, fmt.Errorf("figure: pair: %w", err)
	}
	photo := toNRGBA(p.Image)
	if size := photo.Rect.Size(); size != p.Frame.Picture {
		return nil, fmt.Errorf("figure: pair: a frame in a photo of %v pixels, want the image's %v", p.Frame.Picture, size)
	}
	heat, err := HeatMap(m, p.Shading, 1)
	if err != nil {
		return nil, fmt.Errorf("figure: pair: %w", err)
	}
	over, err := Overlay(photo.SubImage(seen), m, p.Shading, 0.5)
	if err != nil {
		return nil, fmt.Errorf("figure: pair: %w", err)
	}
	tiles := []Tile{{Image: photo}}
	for _, part := range []*Picture{heat, over} {
		whole := image.NewNRGBA(photo.Rect)
		draw.Draw(whole, whole.Rect, image.White, image.Point{}, draw.Src)
		draw.DrawMask(whole, whole.Rect, photo, image.Point{}, image.NewUniform(color.Alpha{unseen}), image.Point{}, draw.Over)
		draw.Draw(whole, seen, part.NRGBA, image.Point{}, draw.Src)
		tiles = append(tiles, Tile{Image: like(part, whole)})
	}
	for i := range tiles {
		if tiles[i].Image, err = Magnify(tiles[i].Image, zoom); err != nil {
			return nil, fmt.Errorf("figure: pair: %w", err)
		}
	}
	return Grid{
		Title:   p.Title,
		Columns: []string{"photo", name, "over the photo"},
		Rows:    []Row{{Tiles: tiles}},
		Bar:     &p.Shading,
		Alt:     p.Alt,
	}.Draw()
}

// unseen is how much of a photo's own color is left where a network did not see it, of 255.
const unseen = 70
