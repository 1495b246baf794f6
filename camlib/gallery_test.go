package camlib_test

import (
	"errors"
	"image"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	gomlx "github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestGallery is one image by a few methods: seven tiles are two rows.
func TestGallery(t *testing.T) {
	model, err := camlib.Article()
	if err != nil {
		t.Fatal(err)
	}
	methods := []string{"cam", "gradcam", "gradcam++", "layercam", "eigencam", "randomcam"}
	img := cifar10.Sample().Image(7)
	two, err := model.Gallery(img, "predicted", methods...)
	if err != nil {
		t.Fatal(err)
	}
	one, err := model.Gallery(img, "predicted", methods[:5]...)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := one.Bounds().Dy(), two.Bounds().Dy(); b < a+30 || one.Bounds().Dx() < 6*96 {
		t.Errorf("%d rows of pixels with six tiles, %d with seven, want another row", a, b)
	}
	if _, err := model.Gallery(img, "griffin", methods...); err == nil {
		t.Error("no error for a class that there is not")
	}
}

// TestGalleryByNames is three methods of one image, and what can be wrong with names.
func TestGalleryByNames(t *testing.T) {
	m := model(t)
	img := cifar10.Sample().Image(5)
	picture, err := m.Gallery(img, "predicted", "cam", "gradcam", "layercam")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"frog, p = 0.896: 4 pictures. ", "; cam, largest at the left ", "; gradcam, largest at the left ", "; layercam, largest "} {
		if !strings.Contains(picture.Alt, want) {
			t.Errorf("says %q, want %q in it", picture.Alt, want)
		}
	}
	if _, err := m.Gallery(img, "predicted", "cam", "gradcamm"); err == nil || !strings.HasPrefix(err.Error(), "camlib: gallery: method 1: cam: ") || !strings.Contains(err.Error(), `"gradcamm"`) {
		t.Errorf("an unknown method: %v", err)
	}
	if _, err := m.Gallery(img, "all", "cam"); err == nil {
		t.Error("no error for maps of all classes")
	}
}

// TestGalleryOfLargeImages is that these are made smaller, so that six fit a page.
func TestGalleryOfLargeImages(t *testing.T) {
	large := images.Square(cifar10.Sample().Image(5), 192).SubImage(image.Rect(0, 0, 192, 96))
	picture, err := model(t).Gallery(large, "frog", "cam", "gradcam")
	if err != nil {
		t.Fatal(err)
	}
	for i, tile := range picture.Tiles {
		if want := image.Pt(144, 72); tile.Size() != want {
			t.Errorf("tile %d of %v, want %v", i, tile.Size(), want)
		}
	}
}

// TestGalleryOfAllThatFit is that all methods are those that take the network; one that is
// asked for by name is an error.
func TestGalleryOfAllThatFit(t *testing.T) {
	net := &network.Network{
		Name: "curved", Store: gomlx.NewStore(), Classes: []string{"red", "green", "blue"},
		Layers: []network.Layer{{Name: "pixels", Build: func(_ *gomlx.Scope, x *graph.Node) *graph.Node { return graph.MulScalar(x, 2) }}},
		Head:   func(_ *gomlx.Scope, act *graph.Node) *graph.Node { return graph.Tanh(graph.ReduceMean(act, 1, 2)) },
	}
	m, err := camlib.New(net, backendtest.Go(t))
	if err != nil {
		t.Fatal(err)
	}
	img := cifar10.Sample().Image(0)
	picture, err := m.Gallery(img, "predicted")
	if err != nil {
		t.Fatal(err)
	}
	if text := picture.Alt; !strings.Contains(text, "gradcam, largest") || strings.Contains(text, "; cam, largest") || strings.Contains(text, "fullgrad") {
		t.Errorf("picture of %s, want all methods but cam and fullgrad", text)
	}
	if _, err := m.Gallery(img, "predicted", "gradcam", "cam"); !errors.Is(err, cam.ErrHead) {
		t.Errorf("cam by name: error %v, want of kind %v", err, cam.ErrHead)
	}
}
