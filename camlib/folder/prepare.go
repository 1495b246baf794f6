package folder

import (
	"image"

	"golang.org/x/image/draw"

	"github.com/camlab-go/camlab/camlib/images"
)

// prepare makes a photo an image of the size: its largest centered part of the size's
// proportions, resized by Catmull-Rom, as [images.Square] does.
func (o Options) prepare(photo image.Image) (*image.NRGBA, error) {
	flat, err := images.Flat(photo)
	if err != nil {
		return nil, err
	}
	out := image.NewNRGBA(image.Rect(0, 0, o.Size.Width, o.Size.Height))
	draw.CatmullRom.Scale(out, out.Rect, flat, images.Centered(flat.Rect, out.Rect.Size()), draw.Src, nil)
	return out, nil
}
