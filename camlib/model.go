package camlib

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cnn"
	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/internal/picture"
)

// Model is a network on a backend, ready to be explained by many goroutines at
// once.
type Model struct {
	Network   cam.Network
	Backend   compute.Backend
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

// New returns a network on a backend: *cnn.Model, or any other that can be split
// at the layer to explain. If it has a method Classes() []string, that names its
// classes; else their numbers do.
func New(network cam.Network, backend compute.Backend) (*Model, error) {
	explainer, err := cam.New(backend, network, cam.Options{})
	if err != nil {
		return nil, err
	}
	return &Model{network, backend, explainer}, nil
}

// Explain makes one map for each image, by a method of package cam, such as "cam"
// or "gradcam"; [cam.Methods] lists them. class is what [Model.Target] takes; "all"
// and "top 3" make several maps for each.
//
// The images have one size, and transparent ones are laid over white; see [Square]
// and [Over]. Images of another size than those that the network was trained on
// give maps all the same, with a [Maps].Note that says so. Those of 1,024 times as
// many pixels are an error.
func (m *Model) Explain(method, class string, images ...image.Image) (*Maps, error) {
	if m == nil || m.Explainer == nil || m.Network == nil {
		return nil, errors.New("camlib: explain: no model, want one of New or Article")
	}
	how, err := cam.Lookup(method)
	if err != nil {
		return nil, err
	}
	target, err := m.Target(class)
	if err != nil {
		return nil, err
	}
	seen := make([]image.Image, len(images))
	for i, img := range images {
		if seen[i], err = picture.Flat(img); err != nil {
			return nil, fmt.Errorf("camlib: explain: image %d: %w", i, err)
		}
	}
	batch, err := cam.FromImages(seen...)
	if err != nil {
		return nil, err
	}
	height, width, _ := cam.TrainedFor(m.Network)
	if trained := height * width; trained > 0 && batch.Height*batch.Width/1024 > trained {
		return nil, fmt.Errorf("camlib: explain: %s, want at most 1,024 times as many pixels; camlib.Square(img, %d) makes images fit", m.far(batch), height)
	}
	result, err := m.Explainer.Explain(context.Background(), how, batch, target)
	if errors.Is(err, cam.ErrShape) && height > 0 {
		err = fmt.Errorf("%w; camlib.Square(img, %d) makes images fit", err, height)
	}
	if err != nil {
		return nil, err
	}
	maps := &Maps{Result: result, Images: seen, Opacity: 0.5, method: how, classes: m.Classes(result.NumClasses)}
	if height > 0 && (batch.Height != height || batch.Width != width) {
		maps.Note = fmt.Sprintf("%s; camlib.Square(img, %d) makes images fit", m.far(batch), height)
	}
	return maps, nil
}

// far says how large images are and what the network was trained on.
func (m *Model) far(x cam.Images) string {
	height, width, images := cam.TrainedFor(m.Network)
	return fmt.Sprintf("images of %d×%d, but the network was trained on %d×%d, %s", x.Width, x.Height, width, height, images)
}

// Classes returns the names of the network's n classes: its own, or "0", "1", …
// where it gives none.
func (m *Model) Classes(n int) []string {
	names := m.names()
	for i := len(names); i < n; i++ {
		names = append(names, strconv.Itoa(i))
	}
	return names[:n]
}

func (m *Model) names() []string {
	if m == nil {
		return nil
	}
	return cam.ClassNames(m.Network)
}

// Target reads what is to be explained: "predicted" for each image's own
// prediction, the name of a class in any case or its number, or "frog not deer":
// why the one and not the other, see [cam.Contrast]. Before any of these may stand
// "not", for what speaks against it, "probability of", or "centred", see
// [cam.Target]. "all" and "top 3" are maps of several classes.
func (m *Model) Target(class string) (cam.Target, error) {
	rest, negated := strings.CutPrefix(class, "not ")
	rest, probability := strings.CutPrefix(rest, "probability of ")
	rest, centred := strings.CutPrefix(rest, "centred ")
	if probability && centred {
		return cam.Target{}, fmt.Errorf("camlib: class %q, want a probability or a centred score, not both", class)
	}
	t, err := m.plainTarget(rest)
	if probability {
		t = t.Probability()
	}
	if centred {
		t = t.Centred()
	}
	if negated {
		t = t.Counterfactual()
	}
	return t, err
}

func (m *Model) plainTarget(class string) (cam.Target, error) {
	switch class {
	case "predicted":
		return cam.Predicted, nil
	case "all":
		return cam.All, nil
	}
	if number, ok := strings.CutPrefix(class, "top "); ok {
		k, err := strconv.Atoi(number)
		if err != nil || k < 1 {
			return cam.Target{}, fmt.Errorf("camlib: class %q, want a number of classes as in \"top 3\"", class)
		}
		return cam.Top(k), nil
	}
	first, second, contrast := strings.Cut(class, " not ")
	c, err := m.classIndex(first)
	if err != nil || !contrast {
		return cam.Class(c), err
	}
	rival, err := m.classIndex(second)
	return cam.Contrast(c, rival), err
}

func (m *Model) classIndex(class string) (int, error) {
	class = strings.TrimSpace(class)
	names := m.names()
	if i := slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, class) }); i >= 0 {
		return i, nil
	}
	i, err := strconv.Atoi(class)
	if err == nil && i >= 0 && (len(names) == 0 || i < len(names)) {
		return i, nil
	}
	want := "a class's number, from 0"
	if len(names) > 0 {
		want = fmt.Sprintf("one of %s, its number from 0 to %d", strings.Join(names, ", "), len(names)-1)
	}
	return 0, fmt.Errorf("camlib: class %q, want %s, or predicted, or two as in \"frog not deer\"", class, want)
}

// Maps are the maps of some images, one or several each: the raw values, and the
// images for the picture.
type Maps struct {
	*cam.Result
	Images  []image.Image // as the network saw them: nothing is transparent
	Opacity float64       // of the map over the image in [Maps.Picture], 0 to 1; Explain sets 0.5
	Note    string        // why the maps may mean little, such as a size that the network was not trained on; empty for none

	method  cam.Method
	classes []string
}

// Picture draws one row per image: the image, its map and the map over the
// image, with the class, its probability and the value of the strongest colour.
// Each map is coloured relative to its own largest value, so that weak ones can
// be seen too: from blue through grey at zero to red for a method with signs,
// from zero to yellow for one without. To compare colours between images, give
// [Shading] all maps.
//
// Several maps of an image stand beside each other, five in a row, and below them
// over the image. They share the image's largest value, so that their colours can
// be compared. The Note stands above all.
func (m *Maps) Picture() (image.Image, error) {
	if m == nil || m.Result == nil {
		return nil, errors.New("camlib: picture: no maps, want those of Model.Explain")
	}
	k := max(1, m.K)
	maps, err := figure.NewMaps(m.N*k, m.Height, m.Width, m.Maps)
	if err != nil {
		return nil, err
	}
	bar := figure.Shading{Unit: "share of the largest value"}
	if m.method.Signed {
		bar.Scale, err = figure.Diverging(1)
		bar.Unit += "\nred: for, blue: against"
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
func relative(m figure.Map) (figure.Map, float32) {
	largest := max(m.Max(), -m.Min())
	return share(m, largest), largest
}

// share divides a map by a value, if that is not 0.
func share(m figure.Map, of float32) figure.Map {
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
func relativeHeat(raw figure.Map, size image.Point, shading figure.Shading, zoom int) (resized figure.Map, heat image.Image, largest float32, err error) {
	raw, largest = relative(raw)
	if resized, err = raw.Resize(size.Y, size.X); err != nil {
		return figure.Map{}, nil, 0, err
	}
	heat, err = figure.HeatMap(resized, shading, zoom)
	return resized, heat, largest, err
}

// Shading returns one scale for all given maps of a method: diverging, with
// zero in the middle, for a method with signs, else from zero to the highest value.
func Shading(method cam.Method, maps ...figure.Map) (s figure.Shading, err error) {
	s.Unit = fmt.Sprintf("%s (%s)", method.Name, method.Unit)
	if method.Signed {
		s.Unit += ": red for the class, blue against"
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
func (m *Maps) row(i int, img image.Image, raw figure.Map, shading figure.Shading) (figure.Row, error) {
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
func (m *Maps) rows(i int, img image.Image, raw []figure.Map, shading figure.Shading) (rows []figure.Row, err error) {
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
			resized, err := share(raw[k], largest).Resize(size.Y, size.X)
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
