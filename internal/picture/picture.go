// Package picture holds what every package does to the images that users hand in:
// it says what is wrong with them and shows them without transparency.
package picture

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"reflect"
)

// MaxPixels is the largest image that anything is computed of, in pixels. It bounds
// images that claim a size without storing it, such as [image.Uniform].
const MaxPixels = 1 << 28

// Missing is an image without pixels that stands for one that there is not, and
// says why.
type Missing struct {
	image.NRGBA
	Err error
}

// Check returns what is wrong with an image: that it is nil or a nil pointer, that
// it is [Missing], or that it has no pixels or too many.
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

// Over returns img over a background, nil for white, on a canvas of these bounds:
// img itself if it covers the canvas and hides all of it. Opaque pixels stay as they
// are. The others become the nearest of the 256 levels of
//
//	alpha img + (1−alpha) background,
//
// as in a picture that was composed before it was saved, so that all formats give
// the same.
func Over(img image.Image, canvas image.Rectangle, background color.Color) image.Image {
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

// Flat returns the image that the network sees and pictures show: img over white,
// in 8 bits, its corner at the origin. It may be img. It fails where [Check] does, and
// for an image whose own methods panic.
func Flat(img image.Image) (flat *image.NRGBA, err error) {
	if err := Check(img); err != nil {
		return nil, err
	}
	defer damaged(img, &err)
	b := img.Bounds()
	seen := Over(img, b, nil)
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

// Turned returns an image as its orientation, the EXIF tag's 1 to 8, says that it is
// to be shown; one of another orientation stays as it is.
func Turned(img image.Image, orientation int) image.Image {
	if orientation < 2 || orientation > 8 {
		return img
	}
	return &turned{img, orientation}
}

type turned struct {
	img         image.Image
	orientation int
}

func (t *turned) ColorModel() color.Model { return t.img.ColorModel() }

func (t *turned) Bounds() image.Rectangle {
	size := t.img.Bounds().Size()
	if t.orientation >= 5 { // lies on its side
		size.X, size.Y = size.Y, size.X
	}
	return image.Rectangle{Max: size}
}

func (t *turned) Opaque() bool {
	o, ok := t.img.(interface{ Opaque() bool })
	return ok && o.Opaque()
}

func (t *turned) At(x, y int) color.Color { return t.img.At(t.from(x, y)) }
func (t *turned) RGBA64At(x, y int) color.RGBA64 {
	x, y = t.from(x, y)
	return at(t.img, x, y)
}

// from returns where the pixel that is shown at x, y lies in the stored image.
func (t *turned) from(x, y int) (int, int) {
	b := t.img.Bounds()
	right, bottom := b.Dx()-1, b.Dy()-1
	switch t.orientation {
	case 2:
		x = right - x
	case 3:
		x, y = right-x, bottom-y
	case 4:
		y = bottom - y
	case 5:
		x, y = y, x
	case 6:
		x, y = y, bottom-x
	case 7:
		x, y = right-y, bottom-x
	case 8:
		x, y = right-y, x
	}
	return b.Min.X + x, b.Min.Y + y
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
