package card_test

import (
	"errors"
	"fmt"
	"image/color"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/card"
	"github.com/camlab-go/camlab/camlib/images"
)

// fixed is what most networks' own files say.
var fixed = card.Input{Layout: images.NCHW, Size: images.Size{Height: 224, Width: 224, Channels: 3}}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPresets(t *testing.T) {
	for _, test := range []struct {
		preset string
		in     card.Input
		want   images.Preparation
		norm   card.Normalization
	}{
		{"imagenet", fixed, images.Preparation{Height: 224, Width: 224, Fit: images.ShortSide, ShortSide: 256, Interpolation: images.Bilinear},
			card.Normalization{Scale: 1, Mean: []float64{0.485, 0.456, 0.406}, Std: []float64{0.229, 0.224, 0.225}}},
		// 342 is what torchvision has for Inception v3's 299.
		{"imagenet", card.Input{Size: images.Size{Height: 299, Width: 299}}, images.Preparation{Height: 299, Width: 299, Fit: images.ShortSide, ShortSide: 342, Interpolation: images.Bilinear},
			card.Normalization{Scale: 1, Mean: []float64{0.485, 0.456, 0.406}, Std: []float64{0.229, 0.224, 0.225}}},
		{"clip", card.Input{Size: images.Size{Height: 336, Width: 336}}, images.Preparation{Height: 336, Width: 336, Fit: images.ShortSide, ShortSide: 336},
			card.Normalization{Scale: 1, Mean: []float64{0.48145466, 0.4578275, 0.40821073}, Std: []float64{0.26862954, 0.26130258, 0.27577711}}},
		{"unit", card.Input{}, images.Preparation{Height: 224, Width: 224, Interpolation: images.Bilinear},
			card.Normalization{Scale: 1, Mean: []float64{0, 0, 0}, Std: []float64{1, 1, 1}}},
		{"raw", card.Input{Size: images.Size{Height: 64, Width: 48, Channels: 1}}, images.Preparation{Height: 64, Width: 48, Interpolation: images.Bilinear},
			card.Normalization{Scale: 255, Mean: []float64{0}, Std: []float64{1}}},
	} {
		c, err := card.Preset(test.preset, test.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Preparation(); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.preset, got, test.want)
		}
		if got := c.Normalization(); !reflect.DeepEqual(got, test.norm) {
			t.Errorf("%s: %+v, want %+v", test.preset, got, test.norm)
		}
		if c.Layout != test.in.Layout || len(c.Guessed) > 0 || c.Preset != test.preset {
			t.Errorf("%s: %+v", test.preset, c)
		}
	}
	for _, name := range card.Presets() {
		if _, err := card.Preset(name, fixed); err != nil {
			t.Error(err)
		}
	}
	_, err := card.Preset("imagenette", fixed)
	wants(t, err, `card: preset "imagenette", want one of imagenet, clip, unit, raw`)
	_, err = card.Preset("unit", card.Input{Size: images.Size{Channels: 4}})
	wants(t, err, "card: a network that takes 4 channels, want 1 or 3 for pictures; give it arrays")
}

func wants(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want || !errors.Is(err, card.ErrCard) {
		t.Errorf("error %v, want %q of kind %q", err, want, card.ErrCard)
	}
}

// TestRead is that a card overrides its preset, and leaves the rest as it is.
func TestRead(t *testing.T) {
	path := write(t, "net.camlab.json", `{
		"preset": "imagenet", "layout": "NHWC", "height": 192, "width": 256, "channels": "BGR",
		"scale": 255, "mean": [103.939, 116.779, 123.68], "std": [1, 1, 2.5],
		"fit": "letterbox", "interpolation": "bicubic", "pad": "#727272",
		"classes": ["cat", "dog <b> & more"], "layer": "features.28", "output": "logits", "guessed": ["std"]
	}`)
	got, err := card.Read(path, card.Input{})
	want := card.Card{
		Preset: "imagenet", Layout: images.NHWC, Height: 192, Width: 256, Channels: "BGR",
		Scale: 255, Mean: []float64{103.939, 116.779, 123.68}, Std: []float64{1, 1, 2.5},
		Fit: images.Letterbox, Interpolation: images.Bicubic, Pad: "#727272",
		Classes: []string{"cat", "dog <b> & more"}, Layer: "features.28", Output: "logits", Guessed: []string{"std"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if p := got.Preparation(); p.Pad != (color.RGBA{0x72, 0x72, 0x72, 0xff}) || !got.Normalization().BGR || got.Size() != (images.Size{Height: 192, Width: 256, Channels: 3}) {
		t.Errorf("%+v, %+v, %v", p, got.Normalization(), got.Size())
	}
	// The same again after it is written.
	again := filepath.Join(t.TempDir(), "again.camlab.json")
	if err := got.Write(again); err != nil {
		t.Fatal(err)
	}
	if got, err := card.Read(again, card.Input{}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("written and read: %+v, %v, want %+v", got, err, want)
	}
	if text, err := os.ReadFile(again); err != nil || !strings.Contains(string(text), `"dog <b> & more"`) {
		t.Errorf("the file is %s, %v", text, err)
	}
	// What a card does not say is the preset's, or as in the network's own file.
	for text, preset := range map[string]string{`{}`: "unit", `{"preset": "clip"}`: "clip", `{"preset":"imagenet","layer":""}`: "imagenet"} {
		for _, in := range []card.Input{fixed, {Layout: images.NCHW, Size: images.Size{Height: 64, Width: 32, Channels: 1}}} {
			want, err := card.Preset(preset, in)
			if err != nil {
				t.Fatal(err)
			}
			if text == `{}` {
				want.Preset = ""
			}
			if got, err := card.Read(write(t, "c.json", text), in); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v, %v, want %+v", text, got, err, want)
			}
		}
	}
	// A side that only the card knows sets the preset's short side.
	if got, err := card.Read(write(t, "c.json", `{"preset": "imagenet", "height": 299, "width": 299}`), card.Input{}); err != nil || got.ShortSide != 342 {
		t.Errorf("short side %d, %v, want 342", got.ShortSide, err)
	}
	// Gray without more: numbers for one channel.
	if got, err := card.Read(write(t, "c.json", `{"channels": "gray"}`), card.Input{}); err != nil || len(got.Mean) != 1 {
		t.Errorf("gray: %+v, %v", got, err)
	}
}

func TestReadErrors(t *testing.T) {
	for text, want := range map[string]string{
		``:                                      "no JSON object, want { and the fields of a card",
		`[1]`:                                   "no JSON object, want { and the fields of a card",
		`{"men": [1, 2, 3]}`:                    `field "men", want only preset, layout, height, width, channels, scale, mean, std, fit, short_side, interpolation, pad, classes, classes_file, layer, output, guessed`,
		`{"Mean": [1, 2, 3]}`:                   `field "Mean", want only preset, layout`,
		`{"scale": 1, "scale": 2}`:              `field "scale" twice, want it once`,
		`{"scale": null}`:                       "scale: null, want a value, or no such field",
		`{"scale": 1} {}`:                       "more after the closing }, want nothing",
		`{"scale": 1`:                           "the file ends too early, want a whole JSON object",
		"{\n\"scale\": NaN}":                    "line 2: invalid character 'N' looking for beginning of value, want JSON, which has no NaN and no comments",
		`{"scale": 1e999}`:                      "scale: a JSON number 1e999, want a number within float64",
		`{"scale": "1"}`:                        "scale: a JSON string, want a number within float64",
		`{"height": 1.5}`:                       "height: a JSON number 1.5, want a whole number",
		`{"mean": 0.5, "std": 1}`:               "mean: a JSON number, want a list of numbers",
		`{"mean": [0, 0, 0]}`:                   "mean or std alone, want both or neither",
		`{"mean": [0, 0], "std": [1, 1]}`:       "mean: 2 numbers, want 3, one for each channel of RGB",
		`{"mean": [0, 0, 0], "std": [1, 1, 0]}`: "std: number 3 is 0, want one above 0",
		`{"mean": [0, 0, 1e300], "std": [1,1,1]}`: "mean: number 3 is 1e+300, want a finite one",
		`{"scale": 0}`:         "scale: 0, want a number above 0, such as 1 for pixels from 0 to 1 or 255",
		`{"preset": "caffe"}`:  `preset "caffe", want one of imagenet, clip, unit, raw`,
		`{"preset": ""}`:       `preset "", want one of imagenet, clip, unit, raw`,
		`{"layout": "CHWN"}`:   `images: layout "CHWN", want one of NHWC, NCHW`,
		`{"channels": "RGBA"}`: `channels: "RGBA", want RGB, BGR or gray`,
		`{"channels": "gray", "mean": [0,0,0], "std": [1,1,1]}`: "mean: 3 numbers, want 1, one for each channel of gray",
		`{"fit": "fill"}`:                         `images: fit "fill", want one of crop, short-side, stretch, letterbox`,
		`{"fit": 3}`:                              "fit: a JSON number, want the name of one",
		`{"interpolation": "lanczos"}`:            `images: interpolation "lanczos", want one of bicubic, bilinear, nearest`,
		`{"short_side": 256}`:                     "height, width, fit, short_side, interpolation: images: preparation: short side of 256 with fit crop, want 0, or fit short-side",
		`{"height": -3}`:                          "height, width, fit, short_side, interpolation: images: preparation: to 224×-3, want 1 to 16384 pixels a side",
		`{"pad": "gray"}`:                         `pad: "gray", want a color as #rrggbb`,
		`{"classes": ["cat", ""]}`:                "classes: name 2 is empty, want a name for each score",
		`{"classes": {"0": "cat"}}`:               "classes: a JSON object, want a list of texts",
		`{"classes_file": "/etc/passwd"}`:         `classes_file: "/etc/passwd", want a file beside the card or below it`,
		`{"classes_file": "../up.txt"}`:           `classes_file: "../up.txt", want a file beside the card or below it`,
		`{"classes": ["a"], "classes_file": "b"}`: "classes and classes_file, want one of them",
		`{"guessed": ["means"]}`:                  `guessed: "means", want names of the card's fields: preset, layout`,
		`{"layer": "` + "\xff" + `"}`:             "the file is not UTF-8, want JSON",
		`{"height": 299}`:                         "height: 299, want 224, which the network's own file says",
		`{"channels": "gray"}`:                    "channels: 1, want 3, which the network's own file says",
	} {
		path := write(t, "net.camlab.json", text)
		_, err := card.Read(path, fixed)
		if err == nil || !strings.HasPrefix(err.Error(), "card: "+path+": "+want) || !errors.Is(err, card.ErrCard) {
			t.Errorf("%s: error %v, want %q of kind %q", text, err, want, card.ErrCard)
		}
	}
	if _, err := card.Read(filepath.Join(t.TempDir(), "none"), fixed); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "card: ") {
		t.Errorf("no file: %v", err)
	}
	if _, err := card.Read(t.TempDir(), fixed); err == nil || !strings.Contains(err.Error(), "want a file of at most") {
		t.Errorf("a folder: %v", err)
	}
}

func TestClassesFile(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := put("net.camlab.json", `{"classes_file": "names.txt"}`)
	put("names.txt", "\ufefftench\r\ngreat white shark, white shark\r\n")
	c, err := card.Read(path, fixed)
	if err != nil || !slices.Equal(c.Classes, []string{"tench", "great white shark, white shark"}) {
		t.Errorf("%q, %v", c.Classes, err)
	}
	if err := c.Write(path); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), "tench") || !strings.Contains(string(text), "names.txt") {
		t.Errorf("written: %s, %v, want the file's name alone", text, err)
	}
	put("names.txt", "tench\n\nshark\n")
	if _, err = card.Read(path, fixed); err == nil || !strings.Contains(err.Error(), "names.txt: line 2 is empty, want a name a line") {
		t.Errorf("an empty line: %v", err)
	}
	put("names.txt", "\xff\xfe")
	if _, err = card.Read(path, fixed); err == nil || !strings.Contains(err.Error(), "names.txt is not UTF-8") {
		t.Errorf("not UTF-8: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "names.txt")); err != nil {
		t.Fatal(err)
	}
	if _, err = card.Read(path, fixed); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "classes_file: ") {
		t.Errorf("no file of names: %v", err)
	}
}

// TestWrite is that a wrong card is not written over a right one.
func TestWrite(t *testing.T) {
	path := write(t, "net.camlab.json", "as it was")
	c, err := card.Preset("unit", fixed)
	if err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(c *card.Card){
		"card: scale: NaN, want a number above 0, such as 1 for pixels from 0 to 1 or 255": func(c *card.Card) { c.Scale = math.NaN() },
		"card: mean: number 2 is NaN, want a finite one":                                   func(c *card.Card) { c.Mean = []float64{0, math.NaN(), 0} },
		"card: std: number 1 is +Inf, want a finite one":                                   func(c *card.Card) { c.Std = []float64{math.Inf(1), 1, 1} },
		"card: std: number 1 is -1, want one above 0":                                      func(c *card.Card) { c.Std = []float64{-1, 1, 1} },
		`card: preset: "x", want one of imagenet, clip, unit, raw`:                         func(c *card.Card) { c.Preset = "x" },
		`card: layout: images: layout "Layout(7)", want one of NHWC, NCHW`:                 func(c *card.Card) { c.Layout = 7 },
	} {
		wrong := c
		spoil(&wrong)
		wants(t, wrong.Write(path), want)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "as it was" {
		t.Errorf("the file is %q, %v", text, err)
	}
	if err := c.Write(filepath.Join(t.TempDir(), "none", "x")); err == nil || !strings.HasPrefix(err.Error(), "card: write: ") {
		t.Errorf("no folder: %v", err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(dir, "net.onnx")
	if got := card.Path(model); got != filepath.Join(dir, "net.camlab.json") {
		t.Errorf("path %s", got)
	}
	find := func(wantName string, wantErr bool) {
		t.Helper()
		path, ok, err := card.Find(model)
		want := ""
		if wantName != "" {
			want = filepath.Join(dir, wantName)
		}
		if path != want || ok != (want != "") || (err != nil) != wantErr {
			t.Errorf("%q, %v, %v, want %q", path, ok, err, want)
		}
	}
	put := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	find("", false)
	put("net.onnx.camlab.json")
	find("net.onnx.camlab.json", false)
	put("net.camlab.json")
	find("", true)
	if err := os.Remove(filepath.Join(dir, "net.onnx.camlab.json")); err != nil {
		t.Fatal(err)
	}
	find("net.camlab.json", false)
}

// TestGuess is that what the network's own file says is no guess.
func TestGuess(t *testing.T) {
	for _, test := range []struct {
		in      card.Input
		preset  string
		guessed string
	}{
		{fixed, "imagenet", "channels fit interpolation mean preset scale short_side std"},
		{card.Input{Layout: images.NCHW}, "imagenet", "channels fit height interpolation mean preset scale short_side std width"},
		{card.Input{Size: images.Size{Height: 28, Width: 28, Channels: 1}}, "unit", "fit interpolation mean preset scale std"},
		{card.Input{Size: fixed.Size, Type: "float"}, "imagenet", "channels fit interpolation mean preset scale short_side std"},
		{card.Input{Size: fixed.Size, Type: "uint8"}, "raw", "channels fit interpolation mean preset scale std"},
		{card.Input{Size: images.Size{Height: 28, Width: 28, Channels: 1}, Type: "int64"}, "raw", "fit interpolation mean preset scale std"},
		{card.Input{Size: fixed.Size, Type: "int8"}, "raw", "channels fit interpolation mean preset scale std"},
	} {
		c, err := card.Guess(test.in)
		if err != nil || c.Preset != test.preset || strings.Join(c.Guessed, " ") != test.guessed {
			t.Errorf("%v: %+v, %v, want %s guessed", test.in.Size, c, err, test.guessed)
		}
		if err := c.Check(); err != nil {
			t.Error(err)
		}
	}
	if _, err := card.Guess(card.Input{Size: images.Size{Channels: 9}}); err == nil {
		t.Error("nine channels were guessed")
	}
}

// TestWholeNumbers is that a network which takes whole numbers gets pixels as such, and that
// a card which makes others of them is refused.
func TestWholeNumbers(t *testing.T) {
	in := card.Input{Layout: images.NCHW, Size: fixed.Size, Type: "uint8"}
	const want = "want whole numbers from 0 to 255, since the network takes uint8: preset raw makes them"
	_, err := card.Preset("imagenet", in)
	wants(t, err, "card: scale, mean, std: make -2.12 of a pixel of 0 (of 255), "+want)
	_, err = card.Choose("none.onnx", in, card.Choice{Preset: "unit"})
	wants(t, err, "card: scale, mean, std: make 0.00392 of a pixel of 1 (of 255), "+want)
	for text, bad := range map[string]string{
		`{}`:                 "",
		`{"preset": "raw"}`:  "",
		`{"preset": "clip"}`: "make -1.79 of a pixel of 0",
		`{"scale": 1}`:       "make 0.00392 of a pixel of 1",
		`{"preset": "imagenet", "scale": 255, "mean": [0, 0, 0], "std": [1, 1, 1]}`: "",
		`{"mean": [0, 0, 128], "std": [1, 1, 1]}`:                                   "make -128 of a pixel of 0",
	} {
		path := write(t, "c.json", text)
		switch c, err := card.Read(path, in); {
		case bad != "":
			if err == nil || !strings.HasPrefix(err.Error(), "card: "+path+": scale, mean, std: "+bad) || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%s: error %v, want %q", text, err, bad)
			}
		case err != nil || c.Scale != 255:
			t.Errorf("%s: scale %v, %v, want 255", text, c.Scale, err)
		}
	}
	in.Type = "int8"
	if c, err := card.Preset("raw", in); err != nil || c.Mean[2] != 128 {
		t.Errorf("int8: %+v, %v, want pixels less 128", c, err)
	}
}

func ExampleGuess() {
	c, err := card.Guess(card.Input{Layout: images.NCHW, Size: images.Size{Height: 224, Width: 224, Channels: 3}})
	fmt.Println(c, err)
	c, err = card.Preset("raw", card.Input{Size: images.Size{Height: 28, Width: 28, Channels: 1}})
	fmt.Println(c, err)
	// Output:
	// Pictures are prepared like this: the shorter side resized to 256, then the centered 224×224 by bilinear interpolation; RGB from 0 to 1, less 0.485 0.456 0.406, divided by 0.229 0.224 0.225 (preset imagenet); guessed: channels, fit, interpolation, mean, preset, scale, short_side, std. <nil>
	// Pictures are prepared like this: the largest centered part of the input's proportions, resized to 28×28 by bilinear interpolation; gray from 0 to 255 (preset raw). <nil>
}

// FuzzRead is that whatever the bytes, Read returns a card that Check likes, or an error.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"preset": "imagenet", "mean": [0, 1, 2], "std": [1, 1, 1e-9], "classes": ["a"], "guessed": ["fit"]}`))
	f.Add([]byte(`{"height": 5, "fit": "short-side", "short_side": 9, "pad": "#000000", "channels": "gray"}`))
	path := filepath.Join(f.TempDir(), "c.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := card.Read(path, card.Input{})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "card: ") {
				t.Fatalf("error %v", err)
			}
			return
		}
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
	})
}
