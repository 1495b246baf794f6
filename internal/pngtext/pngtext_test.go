package pngtext

import (
	"bytes"
	"image"
	"image/png"
	"testing"
)

func TestDescription(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 2))); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"a frog", "grün, \"<40>\" & 左", "two\nlines"} {
		out := Set(b.Bytes(), Description, text)
		if got := Get(out, Description); got != text {
			t.Errorf("description %q, want %q", got, text)
		}
		img, err := png.Decode(bytes.NewReader(out)) // checks every chunk's sum
		if err != nil || img.Bounds().Dx() != 3 {
			t.Errorf("%q: %v", text, err)
		}
	}
	if got := Get(b.Bytes(), Description); got != "" {
		t.Errorf("description %q of a file without", got)
	}
	for name, data := range map[string][]byte{"empty": nil, "no PNG": []byte("GIF89a, longer than a header of a PNG file is"), "cut": b.Bytes()[:20]} {
		if out := Set(data, Description, "x"); !bytes.Equal(out, data) {
			t.Errorf("%s: changed to %q", name, out)
		}
		if got := Get(data, Description); got != "" {
			t.Errorf("%s: description %q", name, got)
		}
	}
	if both := Set(Set(b.Bytes(), Description, "a frog"), "Tiles", "0,0,1,1"); Get(both, Description) != "a frog" || Get(both, "Tiles") != "0,0,1,1" || Get(both, "Tile") != "" {
		t.Errorf("two texts are %q and %q", Get(both, Description), Get(both, "Tiles"))
	}
	whole := Set(b.Bytes(), Description, "a frog")
	for n := range whole {
		_ = Get(whole[:n], Description) // does not panic
	}
}

func FuzzDescription(f *testing.F) {
	f.Add([]byte(signature + "\xff\xff\xff\xffiTXt" + prefix(Description)))
	f.Fuzz(func(_ *testing.T, data []byte) { Get(data, Description) })
}
