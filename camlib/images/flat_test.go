package images

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"strings"
	"testing"
)

// own is an image type of somebody else: it has nothing but image.Image's methods.
type own struct{ image.Image }

// TestOverForEveryFormat is that a picture gives the same over a background whatever
// its pixels are stored in, wherever its corner is.
func TestOverForEveryFormat(t *testing.T) {
	bounds := image.Rect(2, 3, 5, 4) // clear, opaque and half transparent
	clear, solid := color.NRGBA{201, 100, 50, 0}, color.NRGBA{201, 100, 50, 255}
	half := color.NRGBA{201, 100, 50, 128}
	palette := color.Palette{clear, solid, half}
	images := map[string]draw.Image{
		"NRGBA": image.NewNRGBA(bounds), "RGBA": image.NewRGBA(bounds), "NRGBA64": image.NewNRGBA64(bounds),
		"RGBA64": image.NewRGBA64(bounds), "Paletted": image.NewPaletted(bounds, palette),
	}
	tests := make(map[string]image.Image)
	for name, img := range images {
		for i, c := range palette {
			img.Set(2+i, 3, c)
		}
		tests[name], tests[name+" of another type"] = img, own{img}
	}
	for _, background := range []color.Color{nil, color.Black, color.NRGBA{0, 0, 255, 255}, color.Transparent} {
		br, bg, bb := 255, 255, 255
		switch background {
		case color.Black:
			br, bg, bb = 0, 0, 0
		case color.NRGBA{0, 0, 255, 255}:
			br, bg, bb = 0, 0, 255
		}
		mix := func(c, b int) uint8 { return uint8((float64(c*128+b*127))/255 + 0.5) }
		want := []color.NRGBA{
			{uint8(br), uint8(bg), uint8(bb), 255}, {201, 100, 50, 255}, {mix(201, br), mix(100, bg), mix(50, bb), 255},
		}
		for name, img := range tests {
			seen := Over(img, background)
			for i := range want {
				got := color.NRGBAModel.Convert(seen.At(2+i, 3)).(color.NRGBA)
				if name[:4] == "RGBA" && name[4:] != "64" && i == 2 { // holds 8 bits of color times alpha: a level may be lost
					got = closer(got, want[i])
				}
				if got != want[i] {
					t.Errorf("%s over %v: pixel %d is %v, want %v", name, background, i, got, want[i])
				}
			}
		}
	}
}

// closer returns want if no channel is more than one level off.
func closer(got, want color.NRGBA) color.NRGBA {
	for _, d := range []int{int(got.R) - int(want.R), int(got.G) - int(want.G), int(got.B) - int(want.B)} {
		if d < -1 || d > 1 {
			return got
		}
	}
	return want
}

// TestOverMasks is of the types that hold alpha alone, and of YCbCr with alpha.
func TestOverMasks(t *testing.T) {
	bounds := image.Rect(0, 0, 2, 1)
	alpha, alpha16 := image.NewAlpha(bounds), image.NewAlpha16(bounds)
	alpha.SetAlpha(1, 0, color.Alpha{255})
	alpha16.SetAlpha16(1, 0, color.Alpha16{0xffff})
	ycc := image.NewNYCbCrA(bounds, image.YCbCrSubsampleRatio444)
	copy(ycc.Y, []byte{10, 255})
	copy(ycc.Cb, []byte{128, 128})
	copy(ycc.Cr, []byte{128, 128})
	copy(ycc.A, []byte{0, 255})
	for name, img := range map[string]image.Image{"Alpha": alpha, "Alpha16": alpha16, "NYCbCrA": ycc} {
		flat, err := Flat(img)
		if err != nil {
			t.Fatal(err)
		}
		if got := flat.NRGBAAt(0, 0); got != (color.NRGBA{255, 255, 255, 255}) {
			t.Errorf("%s: a clear pixel is %v, want white", name, got)
		}
		if got := flat.NRGBAAt(1, 0); got.A != 255 || got.R != got.G {
			t.Errorf("%s: an opaque pixel is %v, want it as stored", name, got)
		}
	}
}

// TestOpaquePixelsKeepTheirBits is that sixteen bits are not lost beside a
// transparent pixel, and that an opaque picture is not copied.
func TestOpaquePixelsKeepTheirBits(t *testing.T) {
	img := image.NewNRGBA64(image.Rect(0, 0, 2, 1))
	deep := color.NRGBA64{0x1234, 0x5678, 0x9abc, 0xffff}
	img.SetNRGBA64(1, 0, deep)
	if got := color.NRGBA64Model.Convert(Over(img, nil).At(1, 0)); got != deep {
		t.Errorf("%v, want %v", got, deep)
	}
	img.SetNRGBA64(0, 0, deep)
	if got := Over(img, nil); got != image.Image(img) {
		t.Errorf("an opaque picture became a %T", got)
	}
}

func TestFlatSaysWhatIsWrong(t *testing.T) {
	for _, test := range []struct {
		img  image.Image
		want string
	}{
		{nil, "no image"},
		{(*image.NRGBA)(nil), "no image"},
		{(*image.YCbCr)(nil), "no image"},
		{(*own)(nil), "no image"},
		{image.NewNRGBA(image.Rectangle{}), "image of 0×0 pixels, want at least 1×1"},
		{image.NewGray(image.Rect(0, 0, 5, 0)), "image of 5×0 pixels, want at least 1×1"},
		{image.NewUniform(color.White), "image of 2000000000×2000000000 pixels, want at most 268435456 in all"},
		{&Missing{Err: fmt.Errorf("position 5000")}, "position 5000"},
		{own{}, "a damaged images.own: runtime error: invalid memory address"},
		{&image.NRGBA{Rect: image.Rect(0, 0, 2, 2)}, "a damaged *image.NRGBA: runtime error: index out of range"},
		{&image.Paletted{Rect: image.Rect(0, 0, 1, 1), Stride: 1, Pix: []byte{7}, Palette: color.Palette{color.Black}}, "a damaged *image.Paletted: runtime error: index out of range"},
	} {
		_, err := Flat(test.img)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%T: error %v, want %s", test.img, err, test.want)
		}
	}
}
