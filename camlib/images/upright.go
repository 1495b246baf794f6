package images

import (
	"image"
	"image/color"
)

// upright returns an image turned as its orientation, the EXIF tag's 1 to 8, says. An
// image of any other orientation stays as it is.
func upright(img image.Image, orientation int) image.Image {
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
