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

// read reads a picture and makes it a square of a side.
func (p *photoFlags) read(file string, side int) (image.Image, error) {
	o, err := p.options()
	if err != nil {
		return nil, err
	}
	photo, err := o.Read(file)
	if err != nil {
		return nil, err
	}
	return images.Square(photo, side), nil
}

// policy says in the manifest what read does.
func (p *photoFlags) policy(side int) string {
	return fmt.Sprintf("upright by EXIF, over %s, the largest centered square, resized to %d×%d by Catmull-Rom", cmp.Or(p.background.name, "white"), side, side)
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
