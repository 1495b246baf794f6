package figure_test

import (
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/images"
)

// TestPairInAFrame is a map of a part of a photo: it lies there, over the photo too, and the
// rest of the photo is pale.
func TestPairInAFrame(t *testing.T) {
	photo := image.NewNRGBA(image.Rect(0, 0, 60, 40))
	for i := range photo.Pix {
		photo.Pix[i] = []uint8{200, 0, 0, 255}[i%4]
	}
	frame, err := images.Preparation{Height: 20, Width: 20}.Frame(image.Pt(60, 40)) // the middle 40×40
	if err != nil {
		t.Fatal(err)
	}
	scale, err := figure.Sequential(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	pair := figure.Pair{Image: photo, Map: images.Map{H: 1, W: 1, Values: []float32{1}}, Shading: figure.Shading{Scale: scale}, Frame: frame}
	picture, err := pair.Draw()
	if err != nil {
		t.Fatal(err)
	}
	if len(picture.Tiles) != 3 {
		t.Fatalf("tiles %v, want photo, map and both", picture.Tiles)
	}
	at := func(tile, x, y int) color.NRGBA {
		return picture.NRGBAAt(picture.Tiles[tile].Min.X+x, picture.Tiles[tile].Min.Y+y)
	}
	red, yellow := color.NRGBA{R: 200, A: 255}, figure.Viridis.At(1)
	if at(0, 2, 20) != red || at(0, 30, 20) != red {
		t.Errorf("the photo is %v and %v, want %v", at(0, 2, 20), at(0, 30, 20), red)
	}
	for tile := 1; tile < 3; tile++ {
		for _, x := range []int{0, 9, 50, 59} { // beside the frame
			if c := at(tile, x, 20); c.R < 230 || c.G < 150 || c.G == 255 {
				t.Errorf("tile %d at %d is %v, want pale red", tile, x, c)
			}
		}
	}
	for _, x := range []int{10, 49} {
		if at(1, x, 20) != yellow {
			t.Errorf("the map at %d is %v, want %v", x, at(1, x, 20), yellow)
		}
		if c := at(2, x, 20); c == yellow || c == red || c.G < yellow.G/3 {
			t.Errorf("the map over the photo at %d is %v, want a mixture of %v and %v", x, c, red, yellow)
		}
	}
	pair.Image = photo.SubImage(image.Rect(0, 0, 30, 40))
	if _, err := pair.Draw(); err == nil || !strings.Contains(err.Error(), "figure: pair: a frame in a photo of (60,40) pixels, want the image's (30,40)") {
		t.Errorf("a frame of another photo: %v", err)
	}
}
