package camlib

import (
	"context"
	"fmt"
	"image"
	"slices"

	"github.com/gomlx/gomlx/backends"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/cnn"
	"github.com/camlab-go/camlab/camlib/figure"
)

// Model is a network on a backend, ready to be explained by many goroutines at
// once.
type Model struct {
	Network   *cnn.Model
	Backend   backends.Backend
	Explainer *cam.Explainer
}

// Article returns the article's network with the weights that camlib ships, on
// the default backend; see [Backend].
func Article() (*Model, error) {
	network, err := cnn.Pretrained()
	if err != nil {
		return nil, err
	}
	backend, err := Backend("")
	if err != nil {
		return nil, err
	}
	return New(network, backend)
}

// New returns a network on a backend.
func New(network *cnn.Model, backend backends.Backend) (*Model, error) {
	explainer, err := cam.New(backend, network, cam.Options{})
	if err != nil {
		return nil, err
	}
	return &Model{network, backend, explainer}, nil
}

// Explain makes one map for each image, by a method of package cam: "cam" or
// "gradcam". class is the name or digit of a class, or "predicted" for each
// image's own prediction. The images have one size, its sides even; the
// network was trained on 32×32.
func (m *Model) Explain(method, class string, images ...image.Image) (*Maps, error) {
	how, err := cam.Lookup(method)
	if err != nil {
		return nil, err
	}
	target := cam.Predicted
	if class != "predicted" {
		c, err := cifar10.ClassIndex(class)
		if err != nil {
			return nil, fmt.Errorf("%w, or predicted", err)
		}
		target = cam.Class(c)
	}
	batch, err := cam.FromImages(images...)
	if err != nil {
		return nil, err
	}
	result, err := m.Explainer.Explain(context.Background(), how, batch, target)
	if err != nil {
		return nil, err
	}
	return &Maps{Result: result, Images: images, method: how, classes: m.Network.Classes()}, nil
}

// Maps are the maps of some images, one each: the raw values, and the images
// for the picture.
type Maps struct {
	*cam.Result
	Images []image.Image

	method  cam.Method
	classes []string
}

// Picture draws one row per image: the image, its map and the map over the
// image, with the class, its probability and the value of the strongest colour.
// Each map is coloured relative to its own largest value, so that weak ones can
// be seen too: from blue through grey at zero to red for a method with signs,
// from zero to yellow for one without. To compare colours between images, give
// [Shading] all maps.
func (m *Maps) Picture() (image.Image, error) {
	maps, err := figure.NewMaps(m.N, m.Height, m.Width, m.Maps)
	if err != nil {
		return nil, err
	}
	bar := figure.Shading{Unit: "share of the map's largest value"}
	if m.method.Signed {
		bar.Scale, err = figure.Diverging(1)
		bar.Unit += ": red for the class, blue against"
	} else {
		bar.Scale, err = figure.Sequential(0, 1)
	}
	if err != nil {
		return nil, err
	}
	grid := figure.Grid{Columns: []string{"image", m.method.Name, "over the image"}, Bar: &bar}
	for i, img := range m.Images {
		row, err := m.row(i, img, maps[i], bar)
		if err != nil {
			return nil, err
		}
		grid.Rows = append(grid.Rows, row)
	}
	return grid.Draw()
}

// relative divides a map by its largest size, which it also returns; a map of
// zeros stays.
func relative(m figure.Map) (figure.Map, float32) {
	largest := max(m.Max(), -m.Min())
	if largest == 0 {
		return m, 0
	}
	share := slices.Clone(m.Values)
	for i := range share {
		share[i] /= largest
	}
	m.Values = share
	return m, largest
}

// Shading returns one scale for all given maps of a method: diverging, with
// zero in the middle, for a method with signs, else from the lowest to the
// highest value.
func Shading(method cam.Method, maps ...figure.Map) (s figure.Shading, err error) {
	s.Unit = method.Name
	if method.Signed {
		s.Unit += " (logit): red for the class, blue against"
		s.Scale, err = figure.DivergingOf(maps...)
	} else {
		s.Scale, err = figure.SequentialOf(maps...)
	}
	return s, err
}

// row draws one image; every pixel of it and of its map becomes a square.
func (m *Maps) row(i int, img image.Image, raw figure.Map, shading figure.Shading) (figure.Row, error) {
	side := 192 // about the pixels of a tile
	if m.N > 4 {
		side = 128
	}
	size := img.Bounds().Size()
	zoom := max(1, side/max(size.X, size.Y))
	share, largest := relative(raw)
	resized, err := share.Resize(size.Y, size.X)
	if err != nil {
		return figure.Row{}, err
	}
	photo, err := figure.Magnify(img, zoom)
	if err != nil {
		return figure.Row{}, err
	}
	heat, err := figure.HeatMap(resized, shading, zoom)
	if err != nil {
		return figure.Row{}, err
	}
	mixed, err := figure.Overlay(img, resized, shading, 0.5)
	if err != nil {
		return figure.Row{}, err
	}
	over, err := figure.Magnify(mixed, zoom)
	if err != nil {
		return figure.Row{}, err
	}
	k := len(m.classes)
	p := cnn.Probabilities(m.Scores[i*k : (i+1)*k])
	label := fmt.Sprintf("%s\np = %.3f\nlargest %.3g", m.classes[m.Class[i]], p[m.Class[i]], largest)
	return figure.Row{Label: label, Tiles: []figure.Tile{{Image: photo}, {Image: heat}, {Image: over}}}, nil
}
