package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"

	xdraw "golang.org/x/image/draw"

	"github.com/camlab-go/camlab/camlib/images"
)

// tile is a picture as the page holds it: a URL that is the file.
type tile struct {
	URL           template.URL
	Width, Height int
	Square        bool // every pixel is shown as a square: it is as small as the network's image
}

// smallest is the longest side of pictures whose pixels are shown as squares. They are
// PNG, which is as small as JPEG there.
const smallest = 64

// newTile returns a picture with a longest side of at most so many pixels. One that
// [figure.Magnify] made has its own pixels again.
func newTile(img image.Image, side int) (tile, error) {
	if err := images.Check(img); err != nil {
		return tile{}, err
	}
	size := img.Bounds().Size()
	small := image.NewNRGBA(image.Rectangle{Max: size})
	draw.Draw(small, small.Rect, img, img.Bounds().Min, draw.Src)
	small = unmagnify(small)
	if size, longest := small.Rect.Size(), max(small.Rect.Dx(), small.Rect.Dy()); longest > side {
		fit := func(n int) int { return max(1, (n*side+longest/2)/longest) }
		fitted := image.NewNRGBA(image.Rect(0, 0, fit(size.X), fit(size.Y)))
		xdraw.CatmullRom.Scale(fitted, fitted.Rect, small, small.Rect, draw.Src, nil)
		small = fitted
	}
	t := tile{Width: small.Rect.Dx(), Height: small.Rect.Dy()}
	t.Square = max(t.Width, t.Height) <= smallest
	var file bytes.Buffer
	kind, err := "png", error(nil)
	if t.Square {
		err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&file, small)
	} else {
		kind, err = "jpeg", jpeg.Encode(&file, small, &jpeg.Options{Quality: 88})
	}
	if err != nil {
		return tile{}, err
	}
	t.URL = template.URL(fmt.Sprintf("data:image/%s;base64,%s", kind, base64.StdEncoding.EncodeToString(file.Bytes())))
	return t, nil
}

// unmagnify returns one pixel for every square of equal ones, the largest squares that
// there are: the image that [figure.Magnify] was given, or a smaller one that it magnifies
// to the same.
func unmagnify(img *image.NRGBA) *image.NRGBA {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	k := gcd(w, h)
	for y := 0; y < h && k > 1; y++ {
		row := img.Pix[y*img.Stride:][:4*w]
		if y > 0 && y%k != 0 && !bytes.Equal(row, img.Pix[(y-1)*img.Stride:][:4*w]) {
			k = gcd(k, y)
		}
		for x := 1; x < w && k > 1; x++ {
			if x%k != 0 && !bytes.Equal(row[4*x:4*x+4], row[4*x-4:4*x]) {
				k = gcd(k, x)
			}
		}
	}
	if k == 1 {
		return img
	}
	out := image.NewNRGBA(image.Rect(0, 0, w/k, h/k))
	for y := range h / k {
		for x := range w / k {
			copy(out.Pix[y*out.Stride+4*x:][:4], img.Pix[y*k*img.Stride+4*x*k:])
		}
	}
	return out
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
