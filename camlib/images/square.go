package images

import (
	"image"

	"golang.org/x/image/draw"
)

// Square returns the largest centred square of a photo, of side×side pixels,
// resized by Catmull-Rom, which averages when it makes smaller: for the article's
// network a side of 32, which it was trained on. What is transparent is over white;
// [Over] puts another color there.
//
// A photo that is nil or empty, or a side below 1 or above 16,384, gives a picture
// without pixels, which [Check] refuses.
func Square(photo image.Image, side int) *image.NRGBA {
	if Check(photo) != nil || side < 1 || side > 1<<14 {
		return &image.NRGBA{}
	}
	square := Centered(photo.Bounds(), image.Pt(1, 1))
	out := image.NewNRGBA(image.Rect(0, 0, side, side))
	draw.CatmullRom.Scale(out, out.Bounds(), overCanvas(photo, photo.Bounds(), nil), square, draw.Src, nil)
	return out
}

// Centered returns the largest centered part of r with the proportions of size.
func Centered(r image.Rectangle, size image.Point) image.Rectangle {
	w, h := r.Dx(), r.Dy()
	if w*size.Y > h*size.X {
		w = max(1, (h*size.X+size.Y/2)/size.Y)
	} else {
		h = max(1, (w*size.Y+size.X/2)/size.X)
	}
	return image.Rect(0, 0, w, h).Add(r.Min).Add(image.Pt((r.Dx()-w)/2, (r.Dy()-h)/2))
}
