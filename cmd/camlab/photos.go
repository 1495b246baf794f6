package main

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/image/colornames"

	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/images"
)

// photoFlags say how pictures from disk are read.
type photoFlags struct {
	background backgroundFlag
	megapixels int
}

func (p *photoFlags) add(f *pflag.FlagSet) {
	f.Var(&p.background, "background", "color behind pictures that are transparent, a name as in CSS or #rrggbb (default white)")
	f.IntVar(&p.megapixels, "max-megapixels", 128, "largest picture that is decoded, in millions of pixels, which bounds the memory")
}

func (p *photoFlags) options() (images.ReadOptions, error) {
	if p.megapixels < 1 || p.megapixels > 1_000_000 {
		return images.ReadOptions{}, fmt.Errorf("--max-megapixels %d, want 1 to 1,000,000", p.megapixels)
	}
	return images.ReadOptions{Background: p.background.color, MaxPixels: p.megapixels * 1_000_000}, nil
}

// check returns what is wrong with a picture as far as its header tells.
func (p *photoFlags) check(file string) error {
	o, err := p.options()
	if err != nil {
		return err
	}
	return o.Check(file)
}

// read reads a picture and prepares it for a network.
func (p *photoFlags) read(file string, m *model) (seen, error) {
	o, err := p.options()
	if err != nil {
		return seen{}, err
	}
	photo, err := o.Read(file)
	if err != nil {
		return seen{}, err
	}
	return see(photo, m)
}

// seen is an image as the network sees it, and what its maps are drawn over.
type seen struct {
	image image.Image
	photo image.Image  // nil is the image itself
	frame images.Frame // where the image lies in the photo
}

// drawn is how many pixels the longer side of a photo in a picture has at most.
const drawn = 384

// see prepares a picture. What an ONNX model saw of a photo is shown in the whole of it.
func see(photo image.Image, m *model) (s seen, err error) {
	if s.image, s.frame, err = m.picture.Picture(photo); err != nil || m.card == "" {
		return s, err
	}
	size := photo.Bounds().Size()
	share := min(1, drawn/float64(max(size.X, size.Y)))
	small := images.Preparation{Width: max(1, int(float64(size.X)*share)), Height: max(1, int(float64(size.Y)*share)), Fit: images.Stretch}
	if s.photo, _, err = small.Picture(photo); err != nil {
		return s, err
	}
	s.frame = s.frame.Scaled(image.Pt(small.Width, small.Height))
	return s, nil
}

// pair is a map of the image beside what it is drawn over.
func (s seen) pair(p figure.Pair) figure.Pair {
	switch p.Image = s.image; {
	case s.photo != nil:
		p.Image, p.Frame = s.photo, s.frame
	case s.image.Bounds().Dx() > drawn/6:
		p.Zoom = max(1, drawn/s.image.Bounds().Dx())
	}
	return p
}

// policy says in the manifest what read does.
func (p *photoFlags) policy(m *model) string {
	return fmt.Sprintf("upright by EXIF, over %s, %s", cmp.Or(p.background.name, "white"), cmp.Or(m.card, m.picture.String()))
}

// backgroundFlag is a color as CSS writes it.
type backgroundFlag struct {
	name  string
	color color.Color // nil is white
}

func (b *backgroundFlag) String() string { return b.name }
func (b *backgroundFlag) Type() string   { return "color" }

func (b *backgroundFlag) Set(name string) error {
	name = strings.ToLower(strings.TrimSpace(name))
	if named, ok := colornames.Map[name]; ok {
		b.name, b.color = name, named
		return nil
	}
	digits, ok := strings.CutPrefix(name, "#")
	if ok && len(digits) == 3 {
		digits = strings.NewReplacer(digits[:1], digits[:1]+digits[:1], digits[1:2], digits[1:2]+digits[1:2], digits[2:], digits[2:]+digits[2:]).Replace(digits)
	}
	rgb, err := hex.DecodeString(digits)
	if !ok || err != nil || len(rgb) != 3 {
		return fmt.Errorf("want a name such as white, black or gray, or #rrggbb")
	}
	b.name, b.color = name, color.RGBA{R: rgb[0], G: rgb[1], B: rgb[2], A: 0xff}
	return nil
}
