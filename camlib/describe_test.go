package camlib_test

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"codeberg.org/sbinet/npyio"
	mlmodel "github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/camlib/train"
	"github.com/camlab-go/camlab/internal/pngtext"
)

const articleText = "article-gap-cnn, 343594 weights, 10 classes: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck"

// TestPrinted holds what users print to one short line, by every verb.
func TestPrinted(t *testing.T) {
	m := model(t)
	sample := cifar10.Sample()
	three, err := sample.Select(0, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	history, err := article.Log()
	if err != nil {
		t.Fatal(err)
	}
	one, err := m.Explain("cam", "frog", sample.Image(5))
	if err != nil {
		t.Fatal(err)
	}
	contrast, err := m.Explain("gradcam", "cat not dog", sample.Image(0), sample.Image(1))
	if err != nil {
		t.Fatal(err)
	}
	store := mlmodel.NewStore()
	store.VariableWithValue("w", []float32{1, 2, 3})
	for _, row := range []struct {
		name  string
		value any
		want  string
	}{
		{"model", m, articleText + ", on " + camlib.Describe(m.Backend)},
		{"network", m.Network, articleText},
		{"another network", &camlib.Model{Network: &network.Network{Name: "my-net", Store: store}}, "my-net, 3 weights"},
		{"no model", (*camlib.Model)(nil), "no model"},
		{"model without a network", &camlib.Model{}, "no model"},
		{"no network", (*network.Network)(nil), "no network"},
		{"one map", one, "cam, a map of 16×16; frog, p = 0.896"},
		{"its result", one.Result, "cam of 1 image, maps shaped [1 16 16], classes [6]"},
		{"no maps", (*camlib.Maps)(nil), "no maps"},
		{"maps without a result", &camlib.Maps{}, "no maps"},
		{"sample", sample, "1000 images of the test split, 100 of each class"},
		{"a few images", three, "3 images of the test split, 1 cat, 2 ship"},
		{"no data set", (*cifar10.Dataset)(nil), "no images"},
		{"history", history, "15 epochs on 50000 images in 2095 s on XLA on CPU, PJRT plugin v0.115, train loss 0.194; " +
			"test: 10000 images, loss 0.5192, accuracy 0.8497, macro-F1 0.8509"},
		{"no history", (*train.History)(nil), "no epochs"},
		{"evaluation", history.Epochs[14].Test, "10000 images, loss 0.5192, accuracy 0.8497, macro-F1 0.8509"},
		{"pointer to an evaluation", &history.Epochs[14].Test, "10000 images, loss 0.5192, accuracy 0.8497, macro-F1 0.8509"},
		{"no evaluation", (*score.Evaluation)(nil), "<nil>"},
	} {
		for _, verb := range []string{"%v", "%+v", "%s"} {
			if got := fmt.Sprintf(verb, row.value); got != row.want {
				t.Errorf("%s by %s: %q, want %q", row.name, verb, got, row.want)
			}
		}
	}
	if got := contrast.String(); !strings.HasPrefix(got, "gradcam, 2 maps of 16×16; cat, p = ") || strings.Count(got, ", not dog, p = ") != 2 {
		t.Errorf("a contrast: %q", got)
	}
	for range 3 {
		contrast.Images = append(contrast.Images, contrast.Images...)
	}
	many, err := m.Explain("cam", "predicted", contrast.Images...)
	if err != nil {
		t.Fatal(err)
	}
	if got := many.String(); strings.Count(got, "p = ") != 5 || !strings.HasSuffix(got, "; and 11 more images") {
		t.Errorf("maps of 16 images: %q, want five of them and the number of the others", got)
	}
}

// TestOtherTargetsInWords is that what is printed and drawn of another target than a class
// names it, and says what red speaks for.
func TestOtherTargetsInWords(t *testing.T) {
	m := model(t)
	frog, horse := cifar10.Sample().Image(5), cifar10.Sample().Image(13)
	for _, test := range []struct {
		class         string
		printed, bars string
	}{
		{"frog", "frog, p = 0.896", "red: for, blue: against."},
		{"not frog", "not frog, p(frog) = 0.896", "red: for not frog, blue: against."},
		{"probability of frog", "probability of frog, p(frog) = 0.896", "red: for probability of frog, blue: against."},
		{"centred frog", "centered frog, p(frog) = 0.896", "red: for centered frog, blue: against."},
		{"not frog not deer", "not frog not deer, p(frog) = 0.896, p(deer) = 0.0", "red: for not frog not deer, blue: against."},
	} {
		maps, err := m.Explain("hirescam", test.class, frog)
		if err != nil {
			t.Fatal(err)
		}
		if got := maps.String(); !strings.HasPrefix(got, "hirescam, a map of 16×16; "+test.printed) || !strings.HasPrefix(maps.Caption(0), test.printed) {
			t.Errorf("%s: printed %q, caption %q, want %q", test.class, got, maps.Caption(0), test.printed)
		}
		path := filepath.Join(t.TempDir(), "maps.png")
		if err := maps.WritePNG(path); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		gallery, err := m.Gallery(frog, test.class, "hirescam")
		if err != nil {
			t.Fatal(err)
		}
		for what, alt := range map[string]string{"picture": pngtext.Get(data, pngtext.Description), "gallery": gallery.Alt} {
			if !strings.Contains(alt, test.printed) || !strings.Contains(alt, test.bars) {
				t.Errorf("%s: the %s says %q, want %q and %q in it", test.class, what, alt, test.printed, test.bars)
			}
		}
	}
	for _, class := range []string{"not predicted", "not top 2"} {
		maps, err := m.Explain("hirescam", class, frog, horse)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "maps.png")
		if err := maps.WritePNG(path); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"not frog, p(frog) = 0.896", "not horse, p(horse) = 0.999", "red: for what was asked, blue: against."} {
			if alt := pngtext.Get(data, pngtext.Description); !strings.Contains(alt, want) {
				t.Errorf("%s: the picture says %q, want %q in it", class, alt, want)
			}
		}
	}
}

func TestMapsAreSaved(t *testing.T) {
	m := model(t)
	maps, err := m.Explain("cam", "predicted", cifar10.Sample().Image(5), cifar10.Sample().Image(13))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := maps.WriteNPY(filepath.Join(dir, "maps.npy")); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "maps.npy"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var values []float32
	if err := npyio.Read(f, &values); err != nil || len(values) != 512 || values[300] != maps.Maps[300] {
		t.Errorf("%d values read back, %v", len(values), err)
	}
	path := filepath.Join(dir, "maps.png")
	if err := maps.WritePNG(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := maps.Picture()
	if err != nil {
		t.Fatal(err)
	}
	if img, err := png.Decode(bytes.NewReader(data)); err != nil || img.Bounds() != picture.Bounds() {
		t.Errorf("not the picture: %v", err)
	}
	for _, want := range []string{"frog, p = 0.896, largest ", "cam largest at the left (row 14, column 9 of 32×32)", "horse, p = 0.999"} {
		if alt := pngtext.Get(data, pngtext.Description); !strings.Contains(alt, want) {
			t.Errorf("the file says %q, want %q in it", alt, want)
		}
	}
	missing := filepath.Join(dir, "missing", "maps.png")
	if err := maps.WritePNG(missing); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), fmt.Sprintf("figure: png: %q: ", missing)) {
		t.Errorf("a folder that there is not: %v", err)
	}
}

func ExampleModel_String() {
	network, err := article.Pretrained()
	if err != nil {
		panic(err)
	}
	backend, err := camlib.Backend(camlib.PureGo)
	if err != nil {
		panic(err)
	}
	model, err := camlib.New(network, backend)
	if err != nil {
		panic(err)
	}
	fmt.Println(model)
	// Output: article-gap-cnn, 343594 weights, 10 classes: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck, on GoMLX in pure Go
}

func ExampleMaps_Overlay() {
	model, err := camlib.Article()
	if err != nil {
		panic(err)
	}
	maps, err := model.Explain("cam", "predicted", cifar10.Sample().Image(5))
	if err != nil {
		panic(err)
	}
	over, err := maps.Overlay(0)
	if err != nil {
		panic(err)
	}
	fmt.Println(maps)
	fmt.Println(over.Bounds().Size(), over.Alt)
	// Output:
	// cam, a map of 16×16; frog, p = 0.896
	// (32,32) cam over the image: frog, p = 0.896; largest at the left (91.7 in row 7, column 5 of 16×16)
}
