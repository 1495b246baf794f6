package figure_test

import (
	"fmt"
	"image"
	"image/color"

	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/images"
)

// From raw values to a picture in three calls, each of which can be looked at.
func Example() {
	cam, _ := images.NewMap(2, 3, []float32{0, 1, 4, -2, 3, 0.5}) // raw, in logits

	scale, _ := figure.DivergingOf(cam)
	normal, _ := scale.Normalize(cam)
	img, _ := figure.Color(normal, figure.CoolWarm)

	fmt.Println("raw       ", cam.At(0, 2), cam.At(1, 0))
	fmt.Println("normalised", normal.At(0, 2), normal.At(1, 0))
	fmt.Println("coloured  ", img.NRGBAAt(2, 0), img.NRGBAAt(0, 1))
	// Output:
	// raw        4 -2
	// normalised 1 0.25
	// coloured   {180 4 38 255} {141 176 254 255}
}

func ExampleSequential() {
	s, _ := figure.Sequential(0, 8)
	fmt.Println(s.At(0), s.At(2), s.At(8), s.At(9))
	constant, _ := figure.Sequential(8, 8)
	fmt.Println(constant.At(8))
	// Output:
	// 0 0.25 1 1
	// 0
}

func ExampleDiverging() {
	s, _ := figure.Diverging(4)
	fmt.Println(s.At(-4), s.At(-1), s.At(0), s.At(4))
	// Output: 0 0.375 0.5 1
}

// Two maps on one scale have colours that compare.
func ExampleSequentialOf() {
	a, _ := images.NewMap(1, 2, []float32{0, 2})
	b, _ := images.NewMap(1, 2, []float32{1, 8})
	own, _ := figure.SequentialOf(a)
	shared, _ := figure.SequentialOf(a, b)
	fmt.Println(own.At(2), shared.At(2))
	// Output: 1 0.25
}

func ExampleDivergingOf() {
	a, _ := images.NewMap(1, 2, []float32{-8, 2})
	s, _ := figure.DivergingOf(a)
	fmt.Println(s.Range())
	// Output: -8 8
}

func ExampleColor() {
	m, _ := images.NewMap(1, 2, []float32{0, 1})
	img, _ := figure.Color(m, figure.Inferno)
	fmt.Println(img.NRGBAAt(0, 0), img.NRGBAAt(1, 0))
	// Output: {0 0 4 255} {252 255 164 255}
}

func ExampleHeatMap() {
	m, _ := images.NewMap(1, 2, []float32{0, 5})
	scale, _ := figure.SequentialOf(m)
	img, _ := figure.HeatMap(m, figure.Shading{Scale: scale}, 10)
	fmt.Println(img.Bounds().Size(), img.NRGBAAt(9, 9), img.NRGBAAt(10, 9))
	// Output: (20,10) {68 1 84 255} {253 231 37 255}
}

func ExampleMagnify() {
	img := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	img.SetNRGBA(1, 0, color.NRGBA{R: 9, A: 255})
	big, _ := figure.Magnify(img, 6)
	fmt.Println(big.Bounds().Size(), big.NRGBAAt(5, 5), big.NRGBAAt(6, 0))
	// Output: (12,6) {0 0 0 0} {9 0 0 255}
}

func ExampleGray() {
	img := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	img.SetNRGBA(0, 0, color.NRGBA{G: 255, A: 255})
	gray, _ := figure.Gray(img)
	fmt.Println(gray.NRGBAAt(0, 0)) // 0.587 of 255
	// Output: {150 150 150 255}
}

// A quarter of viridis's last colour, 253 231 37, over a white pixel.
func ExampleOverlay() {
	img := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	img.SetNRGBA(0, 0, color.NRGBA{R: 255, G: 255, B: 255, A: 255})
	m, _ := images.NewMap(1, 1, []float32{8})
	scale, _ := figure.Sequential(0, 8)
	out, _ := figure.Overlay(img, m, figure.Shading{Scale: scale}, 0.25)
	fmt.Println(out.NRGBAAt(0, 0)) // red ¾·255 + ¼·253 = 254.5
	// Output: {255 249 201 255}
}

func ExampleColorBar() {
	scale, _ := figure.Diverging(7.25)
	bar, err := figure.ColorBar{Shading: figure.Shading{Scale: scale, Unit: "CAM (logit)"}, Height: 201}.Draw()
	middle := (bar.Bounds().Dy()-201)/2 + 100
	fmt.Println(bar.NRGBAAt(9, middle), err) // zero is neutral grey
	// Output: {221 221 221 255} <nil>
}

// The article's figure: an image and, beside it, its class activation map.
func ExamplePair() {
	img := image.NewNRGBA(image.Rect(0, 0, 32, 32))
	cam, _ := images.NewMap(2, 2, []float32{0, 1, -2, 4})
	scale, _ := figure.DivergingOf(cam)
	picture, err := figure.Pair{
		Title: "frog", Image: img, Map: cam, Name: "CAM",
		Shading: figure.Shading{Scale: scale, Unit: "CAM (logit)"},
	}.Draw()
	if err != nil {
		fmt.Println(err)
		return
	}
	red := 0
	for x := range picture.Bounds().Dx() {
		for y := range picture.Bounds().Dy() {
			if picture.NRGBAAt(x, y) == figure.CoolWarm.At(1) {
				red++
			}
		}
	}
	fmt.Println(red, "pixels of the largest value: one of the 32×32, drawn 6×6")
	// Output: 36 pixels of the largest value: one of the 32×32, drawn 6×6
}

func ExampleGrid() {
	tile := figure.Tile{Image: image.NewNRGBA(image.Rect(0, 0, 32, 32))}
	_, err := figure.Grid{
		Columns: []string{"image", "CAM"},
		Rows: []figure.Row{
			{Label: "frog  p=0.98", Tiles: []figure.Tile{tile, tile}},
			{Label: "ship  p=0.91", Tiles: []figure.Tile{tile}},
		},
	}.Draw()
	fmt.Println(err)
	// Output: figure: grid: row 1: 1 tiles, want 2 as in row 0
}

func ExampleConfusion() {
	_, err := figure.Confusion{
		Classes: []string{"cat", "dog"},
		Counts:  [][]int{{7, 3}, {2}},
	}.Draw()
	fmt.Println(err)
	// Output: figure: confusion: row 1: 1 columns, want 2, one per class
}

func ExamplePNGBytes() {
	b, err := figure.PNGBytes(image.NewNRGBA(image.Rect(0, 0, 3, 2)))
	fmt.Printf("%q %v\n", b[1:4], err)
	// Output: "PNG" <nil>
}

func ExampleWritePNG() {
	err := figure.WritePNG("frog.png", nil)
	fmt.Println(err)
	// Output: figure: png: no image
}
