package camlib_test

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
)

// TestNoPicture is that no picture, and no model, is an error at every entry.
func TestNoPicture(t *testing.T) {
	m, frog := model(t), cifar10.Sample().Image(7)
	for _, test := range []struct {
		img  image.Image
		want string
	}{
		{nil, "image 1: no image"},
		{(*image.NRGBA)(nil), "image 1: no image"},
		{(*image.Paletted)(nil), "image 1: no image"},
		{image.NewNRGBA(image.Rect(0, 0, 0, 0)), "image 1: image of 0×0 pixels, want at least 1×1"},
		{cifar10.Sample().Image(5000), "image 1: cifar10: image: position 5000, want 0 to 999"},
		{image.NewUniform(color.White), "want at most 268435456"},
		{images.Square(frog, 64), "image 1 is 64×64, want 32×32 as image 0; images.Square makes photos one size"},
	} {
		if _, err := m.Explain("cam", "predicted", frog, test.img); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("explain %T: error %v, want %s", test.img, err, test.want)
		}
	}
	for what, f := range map[string]func() error{
		"no images":                func() error { _, err := m.Explain("cam", "predicted"); return err },
		"no images, an empty list": func() error { _, err := m.Explain("cam", "all", []image.Image{}...); return err },
		"gallery of no image":      func() error { _, err := m.Gallery(nil, "predicted", "cam"); return err },
		"gallery of a nil image":   func() error { _, err := m.Gallery((*image.RGBA)(nil), "predicted", "cam"); return err },
		"gallery of all classes":   func() error { _, err := m.Gallery(frog, "all", "cam"); return err },
		"no model":                 func() error { _, err := (*camlib.Model)(nil).Explain("cam", "frog", frog); return err },
		"an empty model":           func() error { _, err := new(camlib.Model).Explain("cam", "frog", frog); return err },
		"gallery of no model":      func() error { _, err := (*camlib.Model)(nil).Gallery(frog, "frog", "cam"); return err },
		"no network":               func() error { _, err := camlib.New(nil, m.Backend); return err },
		"a nil network":            func() error { _, err := camlib.New((*network.Network)(nil), m.Backend); return err },
		"no backend":               func() error { _, err := camlib.New(m.Network, nil); return err },
		"no maps":                  func() error { _, err := (*camlib.Maps)(nil).Picture(); return err },
		"odd sides name Square": func() error {
			_, err := m.Explain("cam", "frog", images.Square(frog, 31))
			return wants(err, "images.Square(img, 32)")
		},
		"a photo from a camera": func() error {
			_, err := m.Explain("cam", "frog", image.NewGray(image.Rect(0, 0, 4000, 3000)))
			return wants(err, "images.Square(img, 32)")
		},
		"no batch": func() error {
			_, err := m.Explainer.Explain(t.Context(), cam.CAM{}, images.Batch{}, cam.Predicted)
			return err
		},
	} {
		if err := f(); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

// wants returns err if it has the text.
func wants(err error, text string) error {
	if err == nil || !strings.Contains(err.Error(), text) {
		return nil
	}
	return err
}

// TestNote is that images of a size that the network was not trained on are said to
// be so, once, and those that it knows are not.
func TestNote(t *testing.T) {
	m, frog := model(t), cifar10.Sample().Image(7)
	const note = "images of 64×64, but the network was trained on 32×32, CIFAR-10's color photos of ten classes; images.Square(img, 32) makes images fit"
	early, err := m.Network.At("conv2")
	if err != nil {
		t.Fatal(err)
	}
	atLayer, err := camlib.New(early, m.Backend)
	if err != nil {
		t.Fatal(err)
	}
	any := *m.Network
	any.Input = network.Input{}
	other, err := camlib.New(&any, m.Backend)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		what string
		m    *camlib.Model
		side int
		want string
	}{{"as trained", m, 32, ""}, {"larger", m, 64, note}, {"at another layer", atLayer, 64, note}, {"a network that does not say", other, 64, ""}} {
		maps, err := test.m.Explain("gradcam", "6", images.Square(frog, test.side))
		if err != nil {
			t.Fatal(err)
		}
		if maps.Note != test.want {
			t.Errorf("%s: note %q, want %q", test.what, maps.Note, test.want)
		}
		with, err := maps.Picture()
		if err != nil {
			t.Fatal(err)
		}
		maps.Note = ""
		without, err := maps.Picture()
		if err != nil {
			t.Fatal(err)
		}
		if higher := with.Bounds().Dy() > without.Bounds().Dy(); higher != (test.want != "") {
			t.Errorf("%s: picture of %v, without its note %v", test.what, with.Bounds(), without.Bounds())
		}
	}
}

// drawn returns the maps' picture as a PNG file.
func drawn(t *testing.T, maps *camlib.Maps) []byte {
	t.Helper()
	picture, err := maps.Picture()
	if err != nil {
		t.Fatal(err)
	}
	png, err := figure.PNGBytes(picture)
	if err != nil {
		t.Fatal(err)
	}
	return png
}

// TestTransparentImages is that what is transparent is white to the network and in
// the picture, in every pixel format.
func TestTransparentImages(t *testing.T) {
	m := model(t)
	ship := cifar10.Sample().Image(1)
	white := image.NewNRGBA(ship.Bounds())
	draw.Draw(white, white.Rect, image.White, image.Point{}, draw.Src)
	hidden := image.NewNRGBA(ship.Bounds())
	for y := range 32 {
		for x := range 32 {
			c := ship.At(x, y).(color.NRGBA)
			if x < 12 {
				c.A = 0
			} else {
				white.SetNRGBA(x, y, c)
			}
			hidden.SetNRGBA(x, y, c)
		}
	}
	want, err := m.Explain("cam", "predicted", white)
	if err != nil {
		t.Fatal(err)
	}
	seen := drawn(t, want)
	deep, premultiplied, both := image.NewNRGBA64(hidden.Rect), image.NewRGBA(hidden.Rect), image.NewRGBA64(hidden.Rect)
	for _, img := range []draw.Image{deep, premultiplied, both} {
		draw.Draw(img, hidden.Rect, hidden, image.Point{}, draw.Src)
	}
	for _, img := range []image.Image{hidden, deep, premultiplied, both, struct{ image.Image }{hidden}} {
		got, err := m.Explain("cam", "predicted", img)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Scores, want.Scores) || !slices.Equal(got.Maps, want.Maps) {
			t.Errorf("%T: scores %v, want those over white, %v", img, got.Scores, want.Scores)
		}
		if !bytes.Equal(drawn(t, got), seen) {
			t.Errorf("%T: another picture than over white", img)
		}
	}
	if black, err := m.Explain("cam", "predicted", images.Over(hidden, color.Black)); err != nil || slices.Equal(black.Scores, want.Scores) {
		t.Errorf("over black: error %v, scores %v, want others than over white", err, black.Scores)
	}
}

// TestSeveralMaps is "all" and "top 3" through the façade, with methods that make the
// maps at once and one by one.
func TestSeveralMaps(t *testing.T) {
	m := model(t)
	imgs := []image.Image{cifar10.Sample().Image(7), cifar10.Sample().Image(1)}
	for _, method := range []string{"cam", "gradcam"} {
		one, err := m.Explain(method, "6", imgs...)
		if err != nil {
			t.Fatal(err)
		}
		onePicture, err := one.Picture()
		if err != nil {
			t.Fatal(err)
		}
		for class, k := range map[string]int{"all": 10, "top 3": 3} {
			maps, err := m.Explain(method, class, imgs...)
			if err != nil {
				t.Fatal(err)
			}
			if maps.K != k || !slices.Equal(maps.Shape(), []int{2, k, 16, 16}) {
				t.Errorf("%s, %s: maps %v, want %d for each image", method, class, maps.Shape(), k)
			}
			if k == 10 { // rounding in graphs of other shapes
				for i, v := range one.Map(1, 6).Values {
					if got := maps.Map(1, 6).Values[i]; math.Abs(float64(got-v)) > 1e-4*math.Abs(float64(v))+1e-5 {
						t.Fatalf("%s, %s: value %d of the map of class 6 is %v, want %v as alone", method, class, i, got, v)
					}
				}
			}
			picture, err := maps.Picture()
			if err != nil {
				t.Fatal(err)
			}
			// Rows of five maps and those of the maps over the image, 96 pixels high.
			rows := 2 * 2 * ((k + 4) / 5)
			if size := picture.Bounds().Size(); size.Y < rows*96 || size.X > 1000 || size.X < min(k, 5)*96 {
				t.Errorf("%s, %s: picture of %v, want %d rows of tiles, at most 1000 wide", method, class, size, rows)
			}
			if picture.Bounds() == onePicture.Bounds() {
				t.Errorf("%s, %s: the picture is as large as that of one map", method, class)
			}
		}
	}
	for class, want := range map[string]string{"top 11": "11", "top 0": "want a number of classes"} {
		if _, err := m.Explain("cam", class, imgs...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", class, err, want)
		}
	}
}
