package camlib_test

import (
	"errors"
	"fmt"
	"image"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	gomlx "github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backend"
	"github.com/camlab-go/camlab/internal/backendtest"
)

func model(t *testing.T) *camlib.Model {
	t.Helper()
	network, err := article.Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	m, err := camlib.New(network, backendtest.Any(t))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestThreeLines(t *testing.T) {
	m := model(t)
	sample := cifar10.Sample()
	imgs := []image.Image{sample.Image(0), sample.Image(1)}
	maps, err := m.Explain("cam", "frog", imgs...)
	if err != nil {
		t.Fatal(err)
	}
	_, bias, err := article.HeadWeights(m.Network)
	if err != nil {
		t.Fatal(err)
	}
	const frog = 6
	for i := range imgs {
		if maps.Class[i] != frog {
			t.Errorf("image %d: map of class %d, want %d", i, maps.Class[i], frog)
		}
		mean := 0.0
		for _, v := range maps.Map(i, frog).Values {
			mean += float64(v) / 256
		}
		score := float64(maps.Scores[i*10+frog])
		if math.Abs(mean+float64(bias[frog])-score) > 1e-4*(1+math.Abs(score)) {
			t.Errorf("image %d: mean of the map %.5f and bias %.5f, want the score %.5f", i, mean, bias[frog], score)
		}
	}
	picture, err := maps.Picture()
	if err != nil {
		t.Fatal(err)
	}
	if size := picture.Bounds().Size(); size.X < 3*192 || size.X > 900 || size.Y < 2*192 {
		t.Errorf("picture of %v, want two rows of three tiles of 192, at most 900 wide for a notebook", size)
	}

	predicted, err := m.Explain("gradcam", "predicted", imgs...)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(predicted.Class, predicted.Predicted) {
		t.Errorf("maps of classes %v, want those predicted, %v", predicted.Class, predicted.Predicted)
	}
	if least := slices.Min(predicted.Maps); least < 0 {
		t.Errorf("Grad-CAM of %v, want none below zero", least)
	}
}

func TestExplainSaysWhatIsWrong(t *testing.T) {
	m, img := model(t), cifar10.Sample().Image(0)
	for _, c := range []struct {
		what, method, class string
		images              []image.Image
		want                string
	}{
		{"method", "camm", "predicted", []image.Image{img}, `method "camm", want one of cam, gradcam`},
		{"class", "cam", "tiger", []image.Image{img}, `camlib: class "tiger", want one of airplane`},
		{"class names the other choice", "cam", "tiger", []image.Image{img}, "or predicted"},
		{"second class of a contrast", "cam", "frog not toad", []image.Image{img}, `class "toad", want one of airplane`},
		{"contrast with itself", "cam", "frog not 6", []image.Image{img}, "contrast of class 6 with itself"},
		{"number above the last", "cam", "10", []image.Image{img}, "its number from 0 to 9"},
		{"no images", "cam", "predicted", nil, "none, want at least one"},
		{"odd side", "cam", "predicted", []image.Image{image.NewNRGBA(image.Rect(0, 0, 31, 32))}, "even height, even width"},
	} {
		_, err := m.Explain(c.method, c.class, c.images...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.what, err, c.want)
		}
	}
}

// TestContrastOfNames is that "frog not deer" is asked for by names or numbers,
// and that its picture names both.
func TestContrastOfNames(t *testing.T) {
	m, img := model(t), cifar10.Sample().Image(0)
	byName, err := m.Explain("cam", "Frog not deer", img)
	if err != nil {
		t.Fatal(err)
	}
	byNumber, err := m.Explain("cam", "6 not 4", img)
	if err != nil {
		t.Fatal(err)
	}
	if byName.Class[0] != 6 || byName.Rival[0] != 4 || !slices.Equal(byName.Maps, byNumber.Maps) {
		t.Errorf("class %v, rival %v, want frog 6 and deer 4, and the maps of \"6 not 4\"", byName.Class, byName.Rival)
	}
	mean := 0.0
	for _, v := range byName.Maps {
		mean += float64(v) / 256
	}
	_, bias, err := article.HeadWeights(m.Network)
	if err != nil {
		t.Fatal(err)
	}
	if want := float64(byName.Scores[6] - bias[6] - byName.Scores[4] + bias[4]); math.Abs(mean-want) > 1e-4*(1+math.Abs(want)) {
		t.Errorf("mean of the map %.5f, want the difference of the scores without bias, %.5f", mean, want)
	}
	if _, err := byName.Picture(); err != nil {
		t.Error(err)
	}
}

func TestNetworkWithoutClassNames(t *testing.T) {
	named := model(t)
	nameless := *named.Network
	nameless.Classes = nil
	m, err := camlib.New(&nameless, named.Backend)
	if err != nil {
		t.Fatal(err)
	}
	img := cifar10.Sample().Image(0)
	maps, err := m.Explain("cam", "6", img)
	if err != nil {
		t.Fatal(err)
	}
	if maps.Class[0] != 6 {
		t.Errorf("map of class %d, want 6", maps.Class[0])
	}
	if got := m.Classes(3); !slices.Equal(got, []string{"0", "1", "2"}) {
		t.Errorf("classes %q, want their numbers", got)
	}
	if _, err := maps.Picture(); err != nil {
		t.Error(err)
	}
	if _, err := m.Explain("cam", "frog", img); err == nil || !strings.Contains(err.Error(), `class "frog", want a class's number, from 0`) {
		t.Errorf("frog: error %v", err)
	}
}

// TestGrayNetwork is that a network of one channel is shown pictures in gray.
func TestGrayNetwork(t *testing.T) {
	net := &network.Network{
		Name: "gray", Store: gomlx.NewStore(), Input: network.Input{Size: images.Size{Height: 2, Width: 2, Channels: 1}},
		Layers: []network.Layer{{Name: "same", Build: func(_ *gomlx.Scope, x *graph.Node) *graph.Node {
			x.AssertDims(-1, 2, 2, 1)
			return x
		}}},
		Head: func(_ *gomlx.Scope, act *graph.Node) *graph.Node {
			y := graph.ReduceMean(act, 1, 2)
			return graph.Concatenate([]*graph.Node{y, graph.Neg(y)}, -1)
		},
	}
	m, err := camlib.New(net, backendtest.Go(t))
	if err != nil {
		t.Fatal(err)
	}
	img := image.NewNRGBA(image.Rect(0, 0, 2, 2))
	for p := range 4 {
		copy(img.Pix[4*p:], []uint8{0, 255, 0, 255})
	}
	maps, err := m.Explain("cam", "0", img)
	if err != nil {
		t.Fatal(err)
	}
	if got := maps.Scores[0]; math.Abs(float64(got)-0.587) > 1e-6 || maps.At(0).Max() != got {
		t.Errorf("score of a green picture %v and map %v, want 0.587, the share of green in gray", got, maps.Maps)
	}
}

func TestBackendNames(t *testing.T) {
	b, err := camlib.Backend(camlib.PureGo)
	if err != nil || !camlib.IsPureGo(b) {
		t.Errorf("go: %v, error %v; want the pure-Go backend", b, err)
	}
	if got := camlib.Describe(backendtest.XLA(t)); !strings.HasPrefix(got, "XLA on CPU, PJRT plugin v") {
		t.Errorf("Describe says %q, want the device and the plugin's version, no folder", got)
	}
	if _, err := camlib.Backend("tpu"); err == nil || err.Error() != `camlib: backend "tpu", want `+backend.Names() || !strings.Contains(err.Error(), "xla:cpu, xla:cuda") {
		t.Errorf("tpu: error %v", err)
	}
	t.Setenv("GOMLX_BACKEND", "go")
	if b, err := camlib.Backend(""); err != nil || !camlib.IsPureGo(b) {
		t.Errorf("GOMLX_BACKEND=go: %v, error %v; want the pure-Go backend", b, err)
	}
}

func TestBackendIsOpenedOnce(t *testing.T) {
	for _, name := range []string{camlib.PureGo, camlib.XLACPU} {
		first, err := camlib.Backend(name)
		if errors.Is(err, camlib.ErrNoPlugin) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if second, err := camlib.Backend(name); err != nil || second != first {
			t.Errorf("%s: a second backend, error %v, want the first again", name, err)
		}
	}
}

func TestBackendWithoutPlugin(t *testing.T) {
	// An empty home and an empty working directory hide every plugin but a system-wide one.
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", filepath.Join(t.TempDir(), "none"))
	t.Setenv("HOME", t.TempDir())
	t.Setenv("GOMLX_BACKEND", "")
	t.Chdir(t.TempDir())
	_, err := camlib.Backend(camlib.XLACPU)
	if err == nil {
		t.Skip("a plugin is installed for the whole system")
	}
	if !errors.Is(err, camlib.ErrNoPlugin) || !strings.Contains(err.Error(), "camlab setup") {
		t.Errorf("error %v, want ErrNoPlugin and the mend", err)
	}
	b, err := camlib.Backend("")
	if err != nil || !camlib.IsPureGo(b) {
		t.Errorf("no plugin and no wish: %v, error %v; want the pure-Go backend", b, err)
	}
}

func ExampleModel_Explain() {
	network, err := article.Pretrained()
	if err != nil {
		fmt.Println(err)
		return
	}
	backend, err := camlib.Backend(camlib.PureGo)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := camlib.New(network, backend)
	if err != nil {
		fmt.Println(err)
		return
	}
	maps, err := m.Explain("cam", "ship", cifar10.Sample().Image(0))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("maps", maps.Shape(), "of class", m.Classes(10)[maps.Class[0]])
	// Output: maps [1 16 16] of class ship
}

func TestPictureOfNothing(t *testing.T) {
	// A map of zeros, as Grad-CAM gives where nothing speaks for the class, is drawn, not divided by zero.
	m := model(t)
	maps, err := m.Explain("gradcam", "predicted", cifar10.Sample().Image(0))
	if err != nil {
		t.Fatal(err)
	}
	clear(maps.Maps)
	if _, err := maps.Picture(); err != nil {
		t.Error(err)
	}
}
