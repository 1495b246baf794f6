package camlib

import (
	"fmt"
	"image"
	_ "image/jpeg" // photos are JPEG
	_ "image/png"  // or PNG
	"os"

	"golang.org/x/image/draw"
)

// ReadPhoto reads a picture from disk, PNG or JPEG. Neither a JPEG's orientation
// nor a colour profile is applied.
func ReadPhoto(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("camlib: photo: %w", err)
	}
	defer f.Close()
	photo, _, err := image.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("camlib: photo: %s: %w, want a PNG or JPEG picture", path, err)
	}
	return photo, nil
}

// Square returns the largest centred square of a photo, of side×side pixels,
// resized by Catmull-Rom, which averages when it makes smaller: for the article's
// network a side of 32, which it was trained on.
func Square(photo image.Image, side int) *image.NRGBA {
	b := photo.Bounds()
	cut := min(b.Dx(), b.Dy())
	square := image.Rect(0, 0, cut, cut).Add(b.Min).Add(image.Pt((b.Dx()-cut)/2, (b.Dy()-cut)/2))
	out := image.NewNRGBA(image.Rect(0, 0, side, side))
	draw.CatmullRom.Scale(out, out.Bounds(), photo, square, draw.Src, nil)
	return out
}
