// Package card holds model cards: what a network expects of pictures and cannot say in its
// own file. The card of resnet50.onnx is resnet50.camlab.json beside it.
//
// A card only gives values. Its [Card.Preparation] is for the pictures, and its
// [Card.Normalization] for the network's graph, which takes pixels from 0 to 1.
package card

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/failure"
)

// ErrCard is what all errors of this package but those of files match under [errors.Is].
var ErrCard = errors.New("model card")

// fail returns "card: where: what, want" as an error that matches [ErrCard].
func fail(format string, args ...any) error { return failure.New(ErrCard, "card: "+format, args...) }

// Card says what a network expects. Each field is one of the JSON object.
type Card struct {
	// Preset is that which gave the fields that the card itself does not have: imagenet,
	// clip, unit or raw; empty for none.
	Preset string `json:"preset,omitempty"`

	Layout images.Layout `json:"layout"` // of the network's input
	Height int           `json:"height"` // in pixels, as Width
	Width  int           `json:"width"`
	// Channels are RGB, BGR or gray.
	Channels string `json:"channels"`

	// The network sees (Scale x − Mean)/Std of pixels x from 0 to 1, each channel its own,
	// in the order of Channels.
	Scale float64   `json:"scale"`
	Mean  []float64 `json:"mean"`
	Std   []float64 `json:"std"`

	Fit           images.Fit           `json:"fit"`
	ShortSide     int                  `json:"short_side,omitempty"` // for fit short-side
	Interpolation images.Interpolation `json:"interpolation"`
	Pad           string               `json:"pad,omitempty"` // color of padding, #rrggbb; empty is black

	// Classes are the names in the order of the scores; nil for none. ClassesFile is a text
	// file of them, a name a line, beside the card.
	Classes     []string `json:"classes,omitempty"`
	ClassesFile string   `json:"classes_file,omitempty"`

	Layer  string `json:"layer,omitempty"`  // that is explained by default
	Output string `json:"output,omitempty"` // whose scores are explained

	// Guessed are the fields, by their names in JSON, that nobody has confirmed.
	Guessed []string `json:"guessed,omitempty"`
}

// Input is what a network's own file says of its input: its layout and, where they are
// fixed, its sizes, else 0.
type Input struct {
	images.Layout
	images.Size
	Type string // of its numbers, as uint8, int8 or float; empty is float
}

// integers are the least and the largest number of types of whole numbers.
var integers = map[string][2]float64{
	"uint8": {0, math.MaxUint8}, "uint16": {0, math.MaxUint16}, "uint32": {0, math.MaxUint32}, "uint64": {0, math.MaxUint64},
	"int8": {math.MinInt8, math.MaxInt8}, "int16": {math.MinInt16, math.MaxInt16}, "int32": {math.MinInt32, math.MaxInt32}, "int64": {math.MinInt64, math.MaxInt64},
}

// presets are the fields that a preset gives, for an input of 224×224.
var presets = map[string]func() Card{
	// torchvision.transforms._presets.ImageClassification, torchvision 0.29: crop_size 224,
	// resize_size 256.
	"imagenet": func() Card {
		return Card{Scale: 1, Mean: []float64{0.485, 0.456, 0.406}, Std: []float64{0.229, 0.224, 0.225},
			Fit: images.ShortSide, ShortSide: 256, Interpolation: images.Bilinear}
	},
	// github.com/openai/CLIP, clip/clip.py, _transform.
	"clip": func() Card {
		return Card{Scale: 1, Mean: []float64{0.48145466, 0.4578275, 0.40821073}, Std: []float64{0.26862954, 0.26130258, 0.27577711},
			Fit: images.ShortSide, ShortSide: 224, Interpolation: images.Bicubic}
	},
	// Pixels from 0 to 1, and from 0 to 255.
	"unit": func() Card {
		return Card{Scale: 1, Mean: []float64{0, 0, 0}, Std: []float64{1, 1, 1}, Interpolation: images.Bilinear}
	},
	"raw": func() Card {
		return Card{Scale: 255, Mean: []float64{0, 0, 0}, Std: []float64{1, 1, 1}, Interpolation: images.Bilinear}
	},
}

// Presets returns the names of the presets: of torchvision's networks for ImageNet, of
// CLIP, and for pixels from 0 to 1 (unit) and from 0 to 255 (raw) as they are.
func Presets() []string { return []string{"imagenet", "clip", "unit", "raw"} }

// Preset returns the card of a preset for a network. Where the network's own file leaves
// the size open, it is 224×224, and the channels are red, green and blue. A side other than
// 224 takes the short side in proportion; a network with one channel, which sees gray, the
// mean of the channels' numbers; with raw one that takes int8, pixels less 128. It fails for
// an unknown preset, another number of channels than 1 and 3, and where the network takes
// whole numbers and the preset gives others.
func Preset(name string, in Input) (Card, error) {
	c, err := preset(name, in)
	if err == nil {
		err = c.checkNumbers(in)
	}
	if err != nil {
		return Card{}, err
	}
	return c, nil
}

func preset(name string, in Input) (Card, error) {
	preset, ok := presets[name]
	if !ok {
		return Card{}, fail("preset %q, want one of %s", name, strings.Join(Presets(), ", "))
	}
	c := preset()
	if name == "raw" && in.Type == "int8" {
		c.Mean = []float64{128, 128, 128}
	}
	c.Preset, c.Layout, c.Channels = name, in.Layout, "RGB"
	const side = 224
	c.Height, c.Width = cmp.Or(in.Height, side), cmp.Or(in.Width, side)
	if c.Fit == images.ShortSide {
		c.ShortSide = int(math.Round(float64(max(c.Height, c.Width)*c.ShortSide) / side))
	}
	switch in.Channels {
	case 0, 3:
	case 1:
		c.Channels, c.Mean, c.Std = "gray", mean(c.Mean), mean(c.Std)
	default:
		return Card{}, fail("a network that takes %d channels, want 1 or 3 for pictures; give it arrays", in.Channels)
	}
	return c, c.Check()
}

func mean(v []float64) []float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return []float64{sum / float64(len(v))}
}

// Guess returns the card of a network without one: the preset imagenet, or unit for one
// that sees gray, or raw for one that takes whole numbers. What the network's own file does
// not say is marked as guessed.
func Guess(in Input) (Card, error) {
	preset := "imagenet"
	if _, whole := integers[in.Type]; whole {
		preset = "raw"
	} else if in.Channels == 1 {
		preset = "unit"
	}
	c, err := Preset(preset, in)
	if err != nil {
		return Card{}, err
	}
	c.Guessed = []string{"preset", "scale", "mean", "std", "fit", "interpolation"}
	for field, open := range map[string]bool{
		"height": in.Height == 0, "width": in.Width == 0, "channels": in.Channels != 1, "short_side": c.ShortSide > 0,
	} {
		if open {
			c.Guessed = append(c.Guessed, field)
		}
	}
	slices.Sort(c.Guessed)
	return c, nil
}

// Normalization is what is done to the pixels of pictures before a network sees them: the
// network's channel c is
//
//	(Scale x_c − Mean_c)/Std_c
//
// of pixels x from 0 to 1. With BGR the network's first channel is blue and its last one
// red; Mean and Std are in the network's order.
type Normalization struct {
	Scale     float64
	Mean, Std []float64
	BGR       bool
}

// Normalization returns what the network's graph begins with.
func (c Card) Normalization() Normalization {
	return Normalization{c.Scale, slices.Clone(c.Mean), slices.Clone(c.Std), c.Channels == "BGR"}
}

// Preparation returns what is done to pictures before they are pixels.
func (c Card) Preparation() images.Preparation {
	p := images.Preparation{Height: c.Height, Width: c.Width, Fit: c.Fit, ShortSide: c.ShortSide, Interpolation: c.Interpolation}
	if pad, ok := c.pad(); ok {
		p.Pad = pad
	}
	return p
}

// Size returns the size of the network's input.
func (c Card) Size() images.Size {
	return images.Size{Height: c.Height, Width: c.Width, Channels: c.channels()}
}

// channels is the number of channels, 0 if they have no name.
func (c Card) channels() int { return map[string]int{"RGB": 3, "BGR": 3, "gray": 1}[c.Channels] }

// pad returns the color of padding.
func (c Card) pad() (color.Color, bool) {
	digits, ok := strings.CutPrefix(c.Pad, "#")
	rgb, err := hex.DecodeString(digits)
	if !ok || err != nil || len(rgb) != 3 {
		return nil, false
	}
	return color.RGBA{R: rgb[0], G: rgb[1], B: rgb[2], A: 0xff}, true
}

// String says what is done to pictures, and what of that is guessed, in a sentence.
func (c Card) String() string {
	numbers := func(v []float64) string { return strings.Trim(fmt.Sprint(v), "[]") }
	text := fmt.Sprintf("Pictures are prepared like this: %s; %s", c.Preparation(), c.Channels)
	switch c.Scale {
	case 1:
		text += " from 0 to 1"
	default:
		text += fmt.Sprintf(" from 0 to %g", c.Scale)
	}
	if slices.ContainsFunc(c.Mean, func(v float64) bool { return v != 0 }) {
		text += ", less " + numbers(c.Mean)
	}
	if slices.ContainsFunc(c.Std, func(v float64) bool { return v != 1 }) {
		text += ", divided by " + numbers(c.Std)
	}
	if c.Preset != "" {
		text += fmt.Sprintf(" (preset %s)", c.Preset)
	}
	if len(c.Guessed) > 0 {
		text += "; guessed: " + strings.Join(c.Guessed, ", ")
	}
	return text + "."
}
