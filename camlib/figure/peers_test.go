package figure_test

import (
	"image"
	"image/color"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/images"
)

// halves is red up to the middle and blue above it: a colour map that is not linear.
type halves struct{}

func (halves) At(t float64) color.NRGBA {
	if t <= 0.5 {
		return color.NRGBA{R: 255, A: 255}
	}
	return color.NRGBA{B: 255, A: 255}
}

// TestOverlayResizesTheMapNotItsColours: where a peer resizes the coloured picture
// (keras.io's example), the purple between red and blue stands for no value at all.
func TestOverlayResizesTheMapNotItsColours(t *testing.T) {
	m := images.Map{H: 1, W: 2, Values: []float32{0, 8}} // resized to 0, 1, … 8
	s := figure.Shading{Scale: must(figure.SequentialOf(m)), Colors: halves{}}
	got := must(figure.Overlay(image.NewNRGBA(image.Rect(0, 0, 9, 1)), m, s, 1))
	for x := range 9 {
		want := color.NRGBA{R: 255}
		if x > 4 {
			want = color.NRGBA{B: 255}
		}
		if g := got.NRGBAAt(x, 0); g != want {
			t.Errorf("pixel %d: %v, want %v", x, g, want)
		}
	}
}

// TestOverlayIsLinear is that a value has the colour that the colour bar gives it, at
// any opacity. torchcam's overlay_mask squares the map first, and shows 0.5 as 0.25.
func TestOverlayIsLinear(t *testing.T) {
	img := scene(7, 5)
	m := hill(5, 7, 2)
	s := figure.Shading{Scale: must(figure.SequentialOf(m)), Colors: figure.Viridis}
	full := must(figure.Overlay(img, m, s, 1))
	bar := must(figure.Color(must(s.Scale.Normalize(m)), figure.Viridis))
	for i, v := range full.Pix {
		if v != bar.Pix[i] {
			t.Fatalf("opacity 1: byte %d: %d, want %d of the colour bar", i, v, bar.Pix[i])
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		opacity := rapid.Float64Range(0, 1).Draw(rt, "opacity")
		for i, v := range must(figure.Overlay(img, m, s, opacity)).Pix {
			want := (1-opacity)*float64(img.Pix[i]) + opacity*float64(full.Pix[i])
			if math.Abs(float64(v)-want) > 0.5+1e-9 {
				rt.Fatalf("byte %d: %d, want %.2f", i, v, want)
			}
		}
	})
}
