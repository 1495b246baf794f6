package notebook

import (
	"bytes"
	"encoding/gob"
	"image"
	"image/png"
	"strings"
	"testing"

	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/figure/curve"
	"github.com/camlab-go/camlab/camlib/notebook/live"
)

// TestPicturesCarryTheirWords sends pictures the way GoNB does, and looks for the words
// where Jupyter's format and HTML have them.
func TestPicturesCarryTheirWords(t *testing.T) {
	const words = `a frog, "seen" & <alive>`
	described, err := figure.Describe(image.NewGray(image.Rect(0, 0, 3, 2)), words)
	if err != nil {
		t.Fatal(err)
	}
	file, err := figure.PNGBytes(described)
	if err != nil {
		t.Fatal(err)
	}
	var plain, sent bytes.Buffer
	if err := png.Encode(&plain, image.NewGray(image.Rect(0, 0, 30, 20))); err != nil {
		t.Fatal(err)
	}
	for want, data := range map[string][]byte{words: file, "picture of 30×20 pixels": plain.Bytes()} {
		sent.Reset()
		if err := gob.NewEncoder(&sent).Encode(live.Picture(data)); err != nil {
			t.Fatal(err)
		}
		var got protocol.DisplayData
		if err := gob.NewDecoder(&sent).Decode(&got); err != nil {
			t.Fatal(err)
		}
		meta, _ := got.Metadata["image/png"].(map[string]string)
		if meta["alt"] != want || got.Data[protocol.MIMETextPlain] != want {
			t.Errorf("metadata %v and text %v, want %q", got.Metadata, got.Data[protocol.MIMETextPlain], want)
		}
		if sent, ok := got.Data[protocol.MIMEImagePNG].([]byte); !ok || !bytes.Equal(sent, data) {
			t.Error("not the picture")
		}
	}
	if got := inlineImage("image/png", file); !strings.HasPrefix(got, `<img alt="a frog, &#34;seen&#34; &amp; &lt;alive&gt;" src="data:image/png;base64,`) {
		t.Errorf("in HTML: %.90s", got)
	}
	svg, err := curve.Loss([]float64{3, 1}, []float64{3, 2}).SVG()
	if err != nil {
		t.Fatal(err)
	}
	if got := inlineImage("image/svg+xml", svg); !strings.HasPrefix(got, `<img alt="Loss: line chart of loss (nats) over epoch 1 to 2. train falls from 3 to 1. test falls`) {
		t.Errorf("in HTML: %.120s", got)
	}
	if got := alternative("image/svg+xml", []byte("<svg/>")); got != "picture" {
		t.Errorf("an SVG without words: %q", got)
	}
}
