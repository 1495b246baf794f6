package images

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"reflect"
)

// MaxPixels is the largest image, in pixels, that anything is computed from. It bounds
// images that claim a size without storing it, such as [image.Uniform].
const MaxPixels = 1 << 28

// Missing is an image without pixels that stands in for one that does not exist.
// Err says why.
type Missing struct {
	image.NRGBA
	Err error
}

// Check returns an error if an image cannot be used: if it is nil or a nil pointer, is
// [Missing], or has no pixels or more than [MaxPixels].
func Check(img image.Image) (err error) {
	defer damaged(img, &err)
	if v := reflect.ValueOf(img); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return errors.New("no image")
	}
	if m, ok := img.(*Missing); ok {
		return m.Err
	}
	b := img.Bounds()
	if b.Empty() {
		return fmt.Errorf("image of %d×%d pixels, want at least 1×1", b.Dx(), b.Dy())
	}
	if float64(b.Dx())*float64(b.Dy()) > MaxPixels {
		return fmt.Errorf("image of %d×%d pixels, want at most %d in all", b.Dx(), b.Dy(), MaxPixels)
	}
	return nil
}

// damaged makes a panic of an image's own methods an error.
func damaged(img image.Image, err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("a damaged %T: %v", img, r)
	}
}

// Over returns an image over a background, which shows where the image is transparent;
// nil is white. Opaque pixels keep all their bits. The others become the nearest of the
// 256 levels of
//
//	alpha img + (1−alpha) background,
//
// as in a picture that was composed before it was saved, so that all formats give the
// same. An image that [Check] refuses is returned as it is.
func Over(img image.Image, background color.Color) image.Image {
	if Check(img) != nil {
		return img
	}
	return overCanvas(img, img.Bounds(), background)
}

// overCanvas is [Over] on a canvas of other bounds: img itself if it covers the canvas and
// hides all of it.
func overCanvas(img image.Image, canvas image.Rectangle, background color.Color) image.Image {
	if o, ok := img.(interface{ Opaque() bool }); ok && o.Opaque() && img.Bounds() == canvas {
		return img
	}
	return &over{img, canvas, opaque(background)}
}

// opaque returns a color without transparency, over white if it has some.
func opaque(c color.Color) color.RGBA64 {
	white := color.RGBA64{R: 0xffff, G: 0xffff, B: 0xffff, A: 0xffff}
	if c == nil {
		return white
	}
	return blend(toRGBA64(c), white)
}

// Flat returns the image that the network sees and that pictures show: img over white,
// in 8 bits, its corner at the origin. It may be img itself. It fails where [Check] does,
// and for an image whose own methods panic.
func Flat(img image.Image) (flat *image.NRGBA, err error) {
	if err := Check(img); err != nil {
		return nil, err
	}
	defer damaged(img, &err)
	b := img.Bounds()
	seen := overCanvas(img, b, nil)
	if flat, ok := seen.(*image.NRGBA); ok && b.Min == (image.Point{}) {
		return flat, nil
	}
	flat = image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		for x := range b.Dx() {
			flat.Set(x, y, seen.At(b.Min.X+x, b.Min.Y+y))
		}
	}
	return flat, nil
}

type over struct {
	img        image.Image
	canvas     image.Rectangle
	background color.RGBA64
}

func (o *over) ColorModel() color.Model { return color.RGBA64Model }
func (o *over) Bounds() image.Rectangle { return o.canvas }
func (o *over) Opaque() bool            { return true }
func (o *over) At(x, y int) color.Color { return o.RGBA64At(x, y) }

func (o *over) RGBA64At(x, y int) color.RGBA64 {
	if !image.Pt(x, y).In(o.img.Bounds()) {
		return o.background
	}
	return blend(at(o.img, x, y), o.background)
}

// blend returns a color over an opaque background.
func blend(c, background color.RGBA64) color.RGBA64 {
	if c.A == 0xffff {
		return c
	}
	mix := func(c, background uint16, rest uint32) uint16 {
		v := min(uint32(c)+(uint32(background)*rest+0x7fff)/0xffff, 0xffff)
		return uint16((v + 0x80) / 0x101 * 0x101)
	}
	rest := 0xffff - uint32(c.A)
	return color.RGBA64{
		R: mix(c.R, background.R, rest), G: mix(c.G, background.G, rest), B: mix(c.B, background.B, rest), A: 0xffff,
	}
}

func at(img image.Image, x, y int) color.RGBA64 {
	if i, ok := img.(image.RGBA64Image); ok {
		return i.RGBA64At(x, y)
	}
	return toRGBA64(img.At(x, y))
}

func toRGBA64(c color.Color) color.RGBA64 {
	r, g, b, a := c.RGBA()
	return color.RGBA64{R: uint16(r), G: uint16(g), B: uint16(b), A: uint16(a)}
}
