package images_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"os"
	"testing"

	"pgregory.net/rapid"

	"github.com/camlab-go/camlab/camlib/images"
)

// recorded is a case of testdata/preparation/record.py.
type recorded struct {
	Picture       [2]int
	Fit           images.Fit
	Height, Width int
	Interpolation images.Interpolation
	ShortSide     int `json:"short_side"`
	SHA256        string
	Pixels        string
}

// noisy is the picture of a size that record.py makes, its corner not at the origin.
func noisy(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h).Add(image.Pt(-3, 5)))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x-3, y+5, color.NRGBA{uint8(x*7 + y*13), uint8(x * y), uint8((x*x + 3*y*y) / 4), 255})
		}
	}
	return img
}

// rgb returns a picture's pixels without alpha.
func rgb(img *image.NRGBA) []byte {
	var out []byte
	for i := 0; i < len(img.Pix); i += 4 {
		out = append(out, img.Pix[i:i+3]...)
	}
	return out
}

// TestPreparationAsTorchvision holds every pixel to what torchvision and Pillow make of the
// same picture.
func TestPreparationAsTorchvision(t *testing.T) {
	file, err := os.ReadFile("testdata/preparation/pictures.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []recorded
	if err := json.Unmarshal(file, &cases); err != nil || len(cases) < 150 {
		t.Fatal(len(cases), err)
	}
	for _, c := range cases {
		p := images.Preparation{Height: c.Height, Width: c.Width, Fit: c.Fit, ShortSide: c.ShortSide, Interpolation: c.Interpolation, Pad: color.NRGBA{0x1e, 0x90, 0xff, 0xff}}
		if c.Fit == images.ShortSide {
			p.Pad = nil // torchvision's is black
		}
		got, frame, err := p.Picture(noisy(c.Picture[0], c.Picture[1]))
		if err != nil {
			t.Errorf("%v: %v", c, err)
			continue
		}
		pixels := rgb(got)
		if sum := sha256.Sum256(pixels); hex.EncodeToString(sum[:]) != c.SHA256 || got.Bounds() != image.Rect(0, 0, c.Width, c.Height) {
			t.Errorf("%v, %v of %v:\n%x\nwant\n%s", p, frame, c.Picture, pixels[:min(len(pixels), 300)], c.Pixels)
		}
	}
}

// TestFrame has the edges of an input in a picture, by hand.
func TestFrame(t *testing.T) {
	for _, test := range []struct {
		rule                     string
		p                        images.Preparation
		picture                  image.Point
		left, top, right, bottom float64
		shown, seen              image.Rectangle
	}{
		{"crop", images.Preparation{Height: 10, Width: 20}, image.Pt(100, 30), 20, 0, 80, 30, image.Rect(0, 0, 20, 10), image.Rect(20, 0, 80, 30)},
		{"stretch", images.Preparation{Height: 10, Width: 20, Fit: images.Stretch}, image.Pt(100, 30), 0, 0, 100, 30, image.Rect(0, 0, 20, 10), image.Rect(0, 0, 100, 30)},
		// 500×375 becomes 341×256, of which columns 58 to 282 and rows 16 to 240 are taken.
		{"short side", images.Preparation{Height: 224, Width: 224, Fit: images.ShortSide, ShortSide: 256}, image.Pt(500, 375),
			58 * 500. / 341, 16 * 375. / 256, 282 * 500. / 341, 240 * 375. / 256, image.Rect(0, 0, 224, 224), image.Rect(85, 23, 413, 352)},
		// 8×4 stays, with 3 rows above and below.
		{"short side, padded", images.Preparation{Height: 10, Width: 8, Fit: images.ShortSide, ShortSide: 4}, image.Pt(8, 4), 0, -3, 8, 7, image.Rect(0, 3, 8, 7), image.Rect(0, 0, 8, 4)},
		// 100×50 becomes 20×10, 5 rows above and below, each of 5 pixels.
		{"letterbox", images.Preparation{Height: 20, Width: 20, Fit: images.Letterbox}, image.Pt(100, 50), 0, -25, 100, 75, image.Rect(0, 5, 20, 15), image.Rect(0, 0, 100, 50)},
		{"letterbox, tall", images.Preparation{Height: 20, Width: 20, Fit: images.Letterbox}, image.Pt(50, 100), -25, 0, 75, 100, image.Rect(5, 0, 15, 20), image.Rect(0, 0, 50, 100)},
	} {
		got, err := test.p.Frame(test.picture)
		want := images.Frame{Picture: test.picture, Input: image.Pt(test.p.Width, test.p.Height), Left: test.left, Top: test.top, Right: test.right, Bottom: test.bottom, Shown: test.shown}
		if err != nil || got != want || got.Seen() != test.seen {
			t.Errorf("%s: %+v, seen %v (%v), want %+v, %v", test.rule, got, got.Seen(), err, want, test.seen)
		}
		// The picture that is made lies where the frame says.
		white := image.NewUniform(color.White)
		made, frame, err := test.p.Picture(sized{white, image.Rectangle{Max: test.picture}})
		if err != nil || frame != want {
			t.Fatalf("%s: %+v, %v", test.rule, frame, err)
		}
		for y := range made.Rect.Dy() {
			for x := range made.Rect.Dx() {
				if is := made.NRGBAAt(x, y).R == 255; is != image.Pt(x, y).In(test.shown) {
					t.Fatalf("%s: (%d, %d) is %v, want the picture in %v alone", test.rule, x, y, made.NRGBAAt(x, y), test.shown)
				}
			}
		}
	}
}

// sized is a picture without a corner of its own.
type sized struct {
	*image.Uniform
	bounds image.Rectangle
}

func (s sized) Bounds() image.Rectangle { return s.bounds }

// TestCarry is that a map comes to lie on what the network saw of the picture.
func TestCarry(t *testing.T) {
	values := images.Map{H: 2, W: 2, Values: []float32{1, 2, 3, 4}}
	// An input of 4×4 is a letterbox of 4 columns and 2 rows, rows 1 and 2, each pixel 2×2
	// of the picture: the map's rows meet in the picture's middle.
	frame, err := images.Preparation{Height: 4, Width: 4, Fit: images.Letterbox}.Frame(image.Pt(8, 4))
	if err != nil {
		t.Fatal(err)
	}
	nearest, at, err := frame.Carry(values, images.Replicate)
	if err != nil || at != image.Rect(0, 0, 8, 4) {
		t.Fatal(at, err)
	}
	smooth, _, err := frame.Carry(values, images.HalfPixel)
	if err != nil {
		t.Fatal(err)
	}
	for y := range 4 {
		for x := range 8 {
			if want := float32(1 + x/4 + 2*(y/2)); nearest.At(y, x) != want {
				t.Errorf("nearest (%d, %d): %v, want %v", x, y, nearest.At(y, x), want)
			}
			// Rows of the frame's 8 lie at (y+2+½)/4 − ½ = (y+½)/4 of the map's two, columns
			// at (x+½)/4 − ½, held to 0 and 1.
			want := 1 + min(1, max(0, (float32(x)+0.5)/4-0.5)) + 2*(float32(y)+0.5)/4
			if got := smooth.At(y, x); got != want {
				t.Errorf("smooth (%d, %d): %v, want %v", x, y, got, want)
			}
		}
	}
	_, _, err = images.Frame{Picture: image.Pt(4, 4), Left: 5, Right: 9, Bottom: 4}.Carry(values, images.HalfPixel)
	checkError(t, err, "images: carry: a frame from (5, 0) to (9, 4) in a picture of 4×4 pixels, want one with pixels of it")
	_, _, err = frame.Carry(values, images.Resize(4))
	checkError(t, err, "images: carry: Resize(4), want one of align-corners, half-pixel, replicate")
	_, _, err = frame.Carry(images.Map{}, images.HalfPixel)
	checkError(t, err, "images: map: size 0×0, want at least 1×1")
}

// TestCarryIsResize is that a map over a crop comes back as [images.Map.Resize] enlarges it.
func TestCarryIsResize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		side := func(name string) int { return rapid.IntRange(1, 40).Draw(t, name) }
		p := images.Preparation{Height: side("height"), Width: side("width"), Fit: rapid.SampledFrom([]images.Fit{images.Crop, images.Stretch}).Draw(t, "fit")}
		frame, err := p.Frame(image.Pt(side("w"), side("h")))
		if err != nil {
			t.Fatal(err)
		}
		h, w := rapid.IntRange(1, 6).Draw(t, "rows"), rapid.IntRange(1, 6).Draw(t, "columns")
		m := images.Map{H: h, W: w, Values: rapid.SliceOfN(rapid.Float32Range(-1e3, 1e3), h*w, h*w).Draw(t, "values")}
		for _, how := range []images.Resize{images.AlignCorners, images.HalfPixel} {
			got, at, err := frame.Carry(m, how)
			if err != nil {
				t.Fatal(err)
			}
			want, err := m.Resize(at.Dy(), at.Dx(), how)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range want.Values {
				if d := got.Values[i] - v; d > 1e-3 || d < -1e-3 { // a millionth of the range
					t.Fatalf("%s, value %d: %v, want %v", how, i, got.Values[i], v)
				}
			}
		}
	})
}

// TestCarryFollowsThePicture carries the prepared picture of one bright spot back: it lies
// where the spot was.
func TestCarryFollowsThePicture(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := image.Pt(rapid.IntRange(30, 90).Draw(t, "w"), rapid.IntRange(30, 90).Draw(t, "h"))
		p := images.Preparation{
			Height: rapid.IntRange(30, 60).Draw(t, "height"), Width: rapid.IntRange(30, 60).Draw(t, "width"),
			Fit: images.Fit(rapid.IntRange(0, 3).Draw(t, "fit")), Interpolation: images.Interpolation(rapid.IntRange(0, 1).Draw(t, "interpolation")),
		}
		frame, err := p.Frame(size)
		if err != nil {
			t.Fatal(err)
		}
		inner := frame.Seen().Inset(6)
		if inner.Empty() {
			t.Skip("too little is seen")
		}
		spot := image.Pt(rapid.IntRange(inner.Min.X, inner.Max.X-1).Draw(t, "x"), rapid.IntRange(inner.Min.Y, inner.Max.Y-1).Draw(t, "y"))
		photo := image.NewGray(image.Rectangle{Max: size})
		for y := -3; y <= 3; y++ {
			for x := -3; x <= 3; x++ {
				photo.SetGray(spot.X+x, spot.Y+y, color.Gray{255})
			}
		}
		made, _, err := p.Picture(photo)
		if err != nil {
			t.Fatal(err)
		}
		m := images.Map{H: p.Height, W: p.Width, Values: make([]float32, p.Height*p.Width)}
		for i := range m.Values {
			m.Values[i] = float32(made.Pix[4*i])
		}
		back, at, err := frame.Carry(m, images.HalfPixel)
		if err != nil {
			t.Fatal(err)
		}
		sum, x, y := 0.0, 0.0, 0.0
		for i, v := range back.Values {
			sum, x, y = sum+float64(v), x+float64(v)*float64(at.Min.X+i%back.W), y+float64(v)*float64(at.Min.Y+i/back.W)
		}
		if dx, dy := x/sum-float64(spot.X), y/sum-float64(spot.Y); dx > 0.6 || dx < -0.6 || dy > 0.6 || dy < -0.6 {
			t.Fatalf("%v of %v: the spot at %v came back at (%.2f, %.2f)", p, size, spot, x/sum, y/sum)
		}
	})
}

func TestPreparationErrors(t *testing.T) {
	for want, p := range map[string]images.Preparation{
		"images: preparation: to 5×0, want 1 to 16384 pixels a side":                                                         {Width: 5},
		"images: preparation: to 20000×5, want 1 to 16384 pixels a side":                                                     {Width: 20000, Height: 5},
		"images: preparation: Fit(4), want one of crop, short-side, stretch, letterbox":                                      {Width: 5, Height: 5, Fit: 4},
		"images: preparation: Interpolation(3), want one of bicubic, bilinear, nearest":                                      {Width: 5, Height: 5, Interpolation: 3},
		"images: preparation: short side of 9 with fit crop, want 0, or fit short-side":                                      {Width: 5, Height: 5, ShortSide: 9},
		"images: preparation: short side of -1, want 0 to 16384 pixels":                                                      {Width: 5, Height: 5, Fit: images.ShortSide, ShortSide: -1},
		"images: preparation: 2097152 pixels in a row for fit stretch, want at most 1048576; fit crop takes a centered part": {Width: 5, Height: 5, Fit: images.Stretch},
	} {
		_, _, err := p.Picture(sized{image.NewUniform(color.White), image.Rect(0, 0, 1<<21, 1)})
		checkError(t, err, want)
	}
	_, _, err := images.Preparation{Height: 1, Width: 1}.Picture(nil)
	checkError(t, err, "no image")
	_, err = images.Preparation{Height: 1, Width: 1}.Frame(image.Pt(0, 7))
	checkError(t, err, "images: preparation: a picture of 0×7 pixels, want at least 1×1")
	for _, err := range []error{new(images.Fit).UnmarshalText([]byte("fill")), new(images.Interpolation).UnmarshalText([]byte("lanczos")), new(images.Layout).UnmarshalText([]byte("nchw"))} {
		if err == nil {
			t.Error("an unknown name was read")
		}
	}
	if _, err := images.Fit(9).MarshalText(); err == nil || err.Error() != `images: fit "Fit(9)", want one of crop, short-side, stretch, letterbox` {
		t.Errorf("unknown fit: %v", err)
	}
}

// TestPreparationOfAnything takes pictures of other types and sizes, and one whose methods
// panic.
func TestPreparationOfAnything(t *testing.T) {
	p := images.Preparation{Height: 7, Width: 5, Fit: images.Letterbox}
	flat := noisy(31, 20)
	want, _, err := p.Picture(flat)
	if err != nil {
		t.Fatal(err)
	}
	deep := image.NewNRGBA64(flat.Rect)
	for y := flat.Rect.Min.Y; y < flat.Rect.Max.Y; y++ {
		for x := flat.Rect.Min.X; x < flat.Rect.Max.X; x++ {
			deep.Set(x, y, flat.At(x, y))
		}
	}
	for _, img := range []image.Image{deep, images.Over(flat, color.Black), flat.SubImage(flat.Rect)} {
		got, _, err := p.Picture(img)
		if err != nil {
			t.Fatal(err)
		}
		samePixels(t, fmt.Sprintf("%T", img), got, want)
	}
	if _, _, err := p.Picture(&image.NRGBA{Rect: image.Rect(0, 0, 5, 5)}); err == nil {
		t.Error("a picture without its pixels was prepared")
	}
	if _, _, err := p.Picture(image.NewUniform(color.White)); err == nil {
		t.Error("an endless picture was prepared")
	}
	thin, _, err := (images.Preparation{Height: 3, Width: 3}).Picture(sized{image.NewUniform(color.White), image.Rect(0, 0, 1<<24, 2)})
	if err != nil || thin.NRGBAAt(1, 1) != (color.NRGBA{255, 255, 255, 255}) {
		t.Errorf("a thin picture: %v", err)
	}
	for _, p := range []images.Preparation{{Height: 3, Width: 3, Fit: images.Stretch}, {Height: 3, Width: 3, Fit: images.ShortSide, ShortSide: 1 << 14}} {
		if _, err := p.Frame(image.Pt(1<<21, 1)); !errors.Is(err, images.ErrTooLarge) {
			t.Errorf("%v: error %v, want of kind %q", p, err, images.ErrTooLarge)
		}
	}
}

func ExamplePreparation() {
	// What torchvision does to a photo of 500×375 pixels for most of its classifiers.
	p := images.Preparation{Height: 224, Width: 224, Fit: images.ShortSide, ShortSide: 256, Interpolation: images.Bilinear}
	picture, frame, err := p.Picture(image.NewGray(image.Rect(0, 0, 500, 375)))
	fmt.Println(p)
	fmt.Println(picture.Bounds(), frame.Seen(), err)
	// Output:
	// the shorter side resized to 256, then the centered 224×224 by bilinear interpolation
	// (0,0)-(224,224) (85,23)-(413,352) <nil>
}

// TestScaledFrame is that a frame in a picture that was resized has the same share of it.
func TestScaledFrame(t *testing.T) {
	frame, err := images.Preparation{Height: 224, Width: 224, Fit: images.ShortSide, ShortSide: 256}.Frame(image.Pt(600, 400))
	if err != nil {
		t.Fatal(err)
	}
	small := frame.Scaled(image.Pt(300, 100))
	if small.Picture != image.Pt(300, 100) || small.Input != frame.Input || small.Shown != frame.Shown ||
		small.Left != frame.Left/2 || small.Right != frame.Right/2 || small.Top != frame.Top/4 || small.Bottom != frame.Bottom/4 {
		t.Errorf("%+v, want half the width and a quarter of the height of %+v", small, frame)
	}
}
