package figure

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"github.com/camlab-go/camlab/camlib/images"
)

// Shading says how numbers become colours and what the numbers are. It is all that
// a colour bar shows.
type Shading struct {
	Scale  Scale
	Colors Colormap // nil is CoolWarm for a Diverging scale, else Viridis
	Unit   string   // what the values are, such as "CAM (logit)"; drawn beside the bar
}

func (s Shading) colors() Colormap {
	switch {
	case s.Colors != nil:
		return s.Colors
	case s.Scale.diverging:
		return CoolWarm
	default:
		return Viridis
	}
}

// Color returns the picture of a normalised map, one pixel per value: the colour
// of c at each value.
func Color(m images.Map, c Colormap) (*Picture, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	if c == nil {
		return nil, errors.New("figure: color: no colour map, want one such as Viridis")
	}
	img := image.NewNRGBA(image.Rect(0, 0, m.W, m.H))
	for y := range m.H {
		for x := range m.W {
			img.SetNRGBA(x, y, c.At(float64(m.At(y, x))))
		}
	}
	return ofMap(img, m, "map"), nil
}

// HeatMap draws every value of m as a square of cell×cell pixels. For a smooth
// picture resize the values first, with [images.Map.Resize], and draw them smaller.
func HeatMap(m images.Map, s Shading, cell int) (*Picture, error) {
	n, err := s.Scale.Normalize(m)
	if err != nil {
		return nil, err
	}
	img, err := Color(n, s.colors())
	if err != nil {
		return nil, err
	}
	what := "map"
	if s.Unit != "" {
		what = inLine(s.Unit)
	}
	return Magnify(ofMap(img.NRGBA, m, what), cell)
}

// Magnify repeats every pixel of img k×k times. It invents no colour, so each
// pixel of a small image stays a visible square.
func Magnify(img image.Image, k int) (*Picture, error) {
	if err := checkImage("magnify", img); err != nil {
		return nil, err
	}
	if k < 1 {
		return nil, fmt.Errorf("figure: magnify: %d times, want at least 1", k)
	}
	src := toNRGBA(img)
	b := src.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, k*b.Dx(), k*b.Dy()))
	for y := range k * b.Dy() {
		for x := range k * b.Dx() {
			out.SetNRGBA(x, y, src.NRGBAAt(x/k, y/k))
		}
	}
	return like(img, out), nil
}

// Gray returns img in shades of grey (the luma of [color.GrayModel]), so that the
// only hues of an overlay on it are those of the map.
func Gray(img image.Image) (*Picture, error) {
	if err := checkImage("gray", img); err != nil {
		return nil, err
	}
	out := toNRGBA(img)
	for i := 0; i < len(out.Pix); i += 4 {
		p := out.Pix[i : i+4 : i+4]
		y := color.GrayModel.Convert(color.RGBA{R: p[0], G: p[1], B: p[2], A: 255}).(color.Gray).Y
		p[0], p[1], p[2] = y, y, y
	}
	return like(img, out), nil
}

// Overlay draws the colours of m over img. In every channel, of 8-bit sRGB values,
//
//	out = (1−opacity) img + opacity colour,   0 ≤ opacity ≤ 1,
//
// rounded to the nearest level. The mask is not multiplied in a second time: the
// opacity is the same everywhere. m is first resized to the size of img with
// [images.Map.Resize]. The colours of the result are blends, so it is read beside the map
// and its colour bar, not against the bar. The alpha of img is kept.
func Overlay(img image.Image, m images.Map, s Shading, opacity float64) (*Picture, error) {
	if err := checkImage("overlay", img); err != nil {
		return nil, err
	}
	if !(opacity >= 0 && opacity <= 1) {
		return nil, fmt.Errorf("figure: overlay: opacity %v, want 0 to 1", opacity)
	}
	out := toNRGBA(img)
	m, err := m.Resize(out.Rect.Dy(), out.Rect.Dx(), images.AlignCorners)
	if err != nil {
		return nil, err
	}
	colors, err := HeatMap(m, s, 1)
	if err != nil {
		return nil, err
	}
	for i := range out.Pix {
		if i%4 != 3 {
			out.Pix[i] = mix(out.Pix[i], colors.Pix[i], opacity)
		}
	}
	return &Picture{NRGBA: out, Alt: colors.Alt + ", drawn over the image", place: colors.place, over: true}, nil
}

func checkImage(where string, img image.Image) error {
	if err := images.Check(img); err != nil {
		return fmt.Errorf("figure: %s: %w", where, err)
	}
	return nil
}

// toNRGBA returns a copy of img with its corner at the origin.
func toNRGBA(img image.Image) *image.NRGBA {
	b := img.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(out, out.Rect, plain(img), b.Min, draw.Src)
	return out
}
