package camlib_test

import (
	"image"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/card"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/onnx"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/onnxtest"
)

// TestOpenONNX explains a photo of any size by a network of a file, as its card says, and
// draws the map where the network looked.
func TestOpenONNX(t *testing.T) {
	path := filepath.Join(onnxtest.Networks(t), "residual_free.onnx")
	graph, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := camlib.OpenONNX(graph, path, backendtest.Go(t), camlib.ONNXOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if last := m.Notes[len(m.Notes)-1]; !strings.Contains(last, "guessed: ") || !strings.Contains(last, "camlab card") {
		t.Errorf("notes %q, want what is guessed", m.Notes)
	}
	if m.Network.Class(1) != "1" {
		t.Errorf("class %q, want its number", m.Network.Class(1))
	}
	photo := images.Square(cifar10.Sample().Image(7), 90).SubImage(image.Rect(0, 10, 90, 70))
	maps, err := m.Explain("gradcam", "predicted", photo)
	if err != nil {
		t.Fatal(err)
	}
	if size := maps.Images[0].Bounds().Size(); size != image.Pt(m.Card.Width, m.Card.Height) {
		t.Errorf("the network saw an image of %v", size)
	}
	over, err := maps.OverlayOn(0, photo)
	if err != nil || over.Rect.Size() != image.Pt(90, 60) {
		t.Fatalf("overlay (%v): %v", err, over)
	}
	frame, err := m.Card.Preparation().Frame(image.Pt(90, 60))
	if err != nil {
		t.Fatal(err)
	}
	seen, changed := frame.Seen(), image.Rectangle{}
	for y := range 60 {
		for x := range 90 {
			if over.NRGBAAt(x, y) != photo.(*image.NRGBA).NRGBAAt(x, 10+y) {
				changed = changed.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	if changed.Empty() || !changed.In(seen) {
		t.Errorf("the map lies over %v, want within %v, which the network saw", changed, seen)
	}

	// A gallery shows what the network saw, not the photo, and the map of that.
	gallery, err := m.Gallery(photo, "predicted", "gradcam", "layercam", "hirescam")
	if err != nil {
		t.Fatal(err)
	}
	const zoom = 3 // of tiles of about 112 pixels
	for i, tile := range gallery.Tiles[:4] {
		if tile.Size() != image.Pt(zoom*m.Card.Width, zoom*m.Card.Height) {
			t.Errorf("gallery: tile %d of %v, want %d times the network's %d×%d", i, tile.Size(), zoom, m.Card.Width, m.Card.Height)
		}
	}
	at := gallery.Tiles[0].Min
	for _, p := range []image.Point{{}, {20, 3}, {31, 23}} {
		if got, want := gallery.At(at.X+zoom*p.X, at.Y+zoom*p.Y), maps.Images[0].At(p.X, p.Y); got != want {
			t.Errorf("gallery: pixel %v is %v, want %v, as the network saw it", p, got, want)
		}
	}

	// A card beside the file, or a choice, says otherwise.
	c, err := card.Preset("unit", card.Input{Layout: images.NCHW, Size: m.Card.Size()})
	if err != nil {
		t.Fatal(err)
	}
	c.Layer = m.Network.LayerNames()[0]
	if err := c.Write(card.Path(path)); err != nil {
		t.Fatal(err)
	}
	other, err := camlib.OpenONNX(graph, path, m.Backend, camlib.ONNXOptions{})
	if err != nil || other.Network.ExplainedLayer() != c.Layer || other.Card.Scale != 1 || len(other.Card.Guessed) > 0 {
		t.Errorf("with a card (%v): layer %s, card %v", err, other.Network.ExplainedLayer(), other.Card)
	}
	a, err := other.Explain("gradcam", "predicted", photo)
	if err != nil || a.Scores[0] == maps.Scores[0] {
		t.Errorf("with another card (%v) the scores are the same, %v", err, a.Scores[0])
	}
}
