package camlib_test

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/card"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/onnx"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/onnxtest"
)

// TestWholeNumbers is that a network which takes uint8 gets pixels from 0 to 255 unless its
// card says otherwise, which is noted as a guess, and that errors name a card that is wrong.
func TestWholeNumbers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bytes.onnx")
	if err := os.WriteFile(path, bytesModel(), 0o644); err != nil {
		t.Fatal(err)
	}
	graph, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	b := backendtest.Go(t)
	m, err := camlib.OpenONNX(graph, path, b, camlib.ONNXOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if last := m.Notes[len(m.Notes)-1]; !strings.Contains(last, "from 0 to 255 (preset raw); guessed: channels, fit, ") {
		t.Errorf("notes %q, want the guess of raw", m.Notes)
	}
	photo := image.NewNRGBA(image.Rect(0, 0, 8, 8))
	draw.Draw(photo, photo.Rect, image.NewUniform(color.NRGBA{200, 100, 7, 255}), image.Point{}, draw.Src)
	maps, err := m.Explain("gradcam", "predicted", photo)
	if err != nil {
		t.Fatal(err)
	}
	backendtest.Near(t, "scores", maps.Scores, []float32{200, 100, 7}, 1e-6)

	file := card.Path(path)
	for text, want := range map[string]string{
		`{"preset": "imagenet"}`:  "card: " + file + ": scale, mean, std: make -2.12 of a pixel of 0",
		`{"layer": "nothing"}`:    "card: " + file + `: onnx: layer "nothing", want a number from 0 to 0 or one of floats`,
		`{"output": "nothing"}`:   "card: " + file + `: output: "nothing", want one of scores`,
		`{"classes": ["a", "b"]}`: "card: " + file + ": onnx: 2 names of classes, want 3",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := camlib.OpenONNX(graph, path, b, camlib.ONNXOptions{}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
	// What the card does not say is not its fault.
	if _, err := camlib.OpenONNX(graph, path, b, camlib.ONNXOptions{Layer: "none", Card: card.Choice{Preset: "raw"}}); err == nil || strings.Contains(err.Error(), "card") {
		t.Errorf("error %v, want one that names no card", err)
	}
}

// bytesModel is a network from uint8 [1, 3, 8, 8] to the means of the channels.
func bytesModel() []byte {
	message := func(n protowire.Number, fields ...[]byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), bytes.Join(fields, nil))
	}
	text := func(n protowire.Number, s string) []byte { return message(n, []byte(s)) }
	number := func(n protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v)
	}
	tensor := func(n protowire.Number, name string, kind uint64, dims ...uint64) []byte {
		var shape [][]byte
		for _, d := range dims {
			shape = append(shape, message(1, number(1, d)))
		}
		return message(n, text(1, name), message(2, message(1, number(1, kind), message(2, shape...))))
	}
	node := func(op, in, out string, attributes ...[]byte) []byte {
		return message(1, text(1, in), text(2, out), text(4, op), bytes.Join(attributes, nil))
	}
	const float, uint8 = 1, 2
	return bytes.Join([][]byte{number(1, 8), message(8, number(2, 18)), message(7,
		tensor(11, "image", uint8, 1, 3, 8, 8), tensor(12, "scores", float, 1, 3),
		node("Cast", "image", "floats", message(5, text(1, "to"), number(3, float), number(20, 2))),
		node("GlobalAveragePool", "floats", "pooled"), node("Flatten", "pooled", "scores"),
	)}, nil)
}

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
