package camlib

import (
	"errors"
	"fmt"
	"image"
	"slices"
	"strings"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
)

// Maps are the maps of some images, one or several each: the raw values, and the
// images for the picture.
type Maps struct {
	*cam.Result
	Images  []image.Image // as the network saw them: nothing is transparent
	Opacity float64       // of the map over the image in [Maps.Picture], 0 to 1; Explain sets 0.5
	Note    string        // why the maps may mean little, such as a size that the network was not trained on; empty for none

	// Preparation is how the images were made of the photos that OverlayOn is given, but
	// for their size, which is theirs. The zero value is what [images.Square] does.
	Preparation images.Preparation

	method  cam.Spec
	target  cam.Target
	network *network.Network
}

// Picture draws one row per image: the image, its map and the map over the
// image, with the class, its probability and the value of the strongest color.
// Each map is colored relative to its own largest value, so that weak ones can
// be seen too: from blue through gray at zero to red for a method with signs,
// from zero to yellow for one without. To compare colors between images, give
// [Shading] all maps.
//
// Several maps of an image stand beside each other, five in a row, and below them
// over the image. They share the image's largest value, so that their colors can
// be compared. The Note stands above all.
func (m *Maps) Picture() (image.Image, error) {
	if m == nil || m.Result == nil {
		return nil, errors.New("camlib: picture: no maps, want those of Model.Explain")
	}
	k := max(1, m.K)
	maps := make([]images.Map, m.N*k)
	for i := range maps {
		maps[i] = m.At(i)
	}
	bar := figure.Shading{Unit: "share of the largest value"}
	var err error
	if m.method.Signed {
		bar.Scale, err = figure.Diverging(1)
		bar.Unit += "\n" + m.signs()
	} else {
		bar.Scale, err = figure.Sequential(0, 1)
	}
	if err != nil {
		return nil, err
	}
	grid := figure.Grid{Title: m.title(), Bar: &bar}
	if m.K == 0 {
		grid.Columns = []string{"image", m.method.Name, "over the image"}
	}
	for i, img := range m.Images {
		if m.K > 0 {
			rows, err := m.rows(i, img, maps[i*k:(i+1)*k], bar)
			if err != nil {
				return nil, err
			}
			grid.Rows = append(grid.Rows, rows...)
			continue
		}
		row, err := m.row(i, img, maps[i], bar)
		if err != nil {
			return nil, err
		}
		grid.Rows = append(grid.Rows, row)
	}
	return grid.Draw()
}

// title is the note in lines that fit a picture.
func (m *Maps) title() string {
	return strings.NewReplacer(", but ", ",\nbut ", "; ", ";\n").Replace(m.Note)
}

// relative divides a map by its largest size, which it also returns; a map of
// zeros stays.
func relative(m images.Map) (images.Map, float32) {
	largest := max(m.Max(), -m.Min())
	return share(m, largest), largest
}

// share divides a map by a value, if that is not 0.
func share(m images.Map, of float32) images.Map {
	if of == 0 {
		return m
	}
	m.Values = slices.Clone(m.Values)
	for i := range m.Values {
		m.Values[i] /= of
	}
	return m
}

// relativeHeat draws a map at the size of its image, relative to its largest size.
func relativeHeat(raw images.Map, size image.Point, shading figure.Shading, zoom int) (resized images.Map, heat image.Image, largest float32, err error) {
	raw, largest = relative(raw)
	if resized, err = raw.Resize(size.Y, size.X, images.AlignCorners); err != nil {
		return images.Map{}, nil, 0, err
	}
	heat, err = figure.HeatMap(resized, shading, zoom)
	return resized, heat, largest, err
}

// Unit says beside a color bar what a method's values are and, where they have signs, what
// red speaks for: "the class", or another target in [cam.Target.Words].
func Unit(method cam.Spec, red string) string {
	unit := fmt.Sprintf("%s (%s)", method.Name, method.Unit)
	if method.Signed {
		unit += fmt.Sprintf(": red for %s, blue against", red)
	}
	return unit
}

// Shading returns one scale for all given maps of a method: diverging, with
// zero in the middle, for a method with signs, else from zero to the highest value. Its
// [Unit] is that of maps of a class.
func Shading(method cam.Spec, maps ...images.Map) (s figure.Shading, err error) {
	s.Unit = Unit(method, "the class")
	if method.Signed {
		s.Scale, err = figure.DivergingOf(maps...)
	} else {
		largest := float32(0)
		for _, m := range maps {
			largest = max(largest, m.Max())
		}
		s.Scale, err = figure.Sequential(0, float64(largest))
	}
	return s, err
}

// row draws one image with its map; every pixel of them becomes a square.
func (m *Maps) row(i int, img image.Image, raw images.Map, shading figure.Shading) (figure.Row, error) {
	side := 192 // about the pixels of a tile
	if m.N > 4 {
		side = 128
	}
	size := img.Bounds().Size()
	zoom := max(1, side/max(size.X, size.Y))
	photo, err := figure.Magnify(img, zoom)
	if err != nil {
		return figure.Row{}, err
	}
	resized, heat, largest, err := relativeHeat(raw, size, shading, zoom)
	if err != nil {
		return figure.Row{}, err
	}
	mixed, err := figure.Overlay(img, resized, shading, m.Opacity)
	if err != nil {
		return figure.Row{}, err
	}
	over, err := figure.Magnify(mixed, zoom)
	if err != nil {
		return figure.Row{}, err
	}
	label := fmt.Sprintf("%s\nlargest %.3g", m.says(i, "\n"), largest)
	return figure.Row{Label: label, Tiles: []figure.Tile{{Image: photo}, {Image: heat}, {Image: over}}}, nil
}

// rows draws one image with its maps of several classes, five in a row, and below
// each the map over the image.
func (m *Maps) rows(i int, img image.Image, raw []images.Map, shading figure.Shading) (rows []figure.Row, err error) {
	const columns, side = 5, 112
	size := img.Bounds().Size()
	zoom := max(1, side/max(size.X, size.Y))
	photo, err := figure.Magnify(img, zoom)
	if err != nil {
		return nil, err
	}
	largest := float32(0)
	for _, r := range raw {
		largest = max(largest, r.Max(), -r.Min())
	}
	nothing := figure.Tile{Image: image.NewNRGBA(image.Rect(0, 0, 1, 1))}
	for start := 0; start < len(raw); start += columns {
		heats, overs := []figure.Tile{nothing}, []figure.Tile{nothing}
		for k := start; k < start+min(columns, len(raw)); k++ {
			if k >= len(raw) {
				heats, overs = append(heats, nothing), append(overs, nothing)
				continue
			}
			resized, err := share(raw[k], largest).Resize(size.Y, size.X, images.AlignCorners)
			if err != nil {
				return nil, err
			}
			heat, err := figure.HeatMap(resized, shading, zoom)
			if err != nil {
				return nil, err
			}
			mixed, err := figure.Overlay(img, resized, shading, m.Opacity)
			if err != nil {
				return nil, err
			}
			over, err := figure.Magnify(mixed, zoom)
			if err != nil {
				return nil, err
			}
			heats = append(heats, figure.Tile{Image: heat, Caption: m.says(i*len(raw)+k, "\n")})
			overs = append(overs, figure.Tile{Image: over})
		}
		rows = append(rows, figure.Row{Tiles: heats}, figure.Row{Tiles: overs})
	}
	rows[0].Tiles[0] = figure.Tile{Image: photo}
	rows[0].Label = fmt.Sprintf("%s\nlargest %.3g", m.method.Name, largest)
	return rows, nil
}
