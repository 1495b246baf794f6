package images

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
)

// MaxSide is the largest height and width that a [Preparation] makes.
const MaxSide = 1 << 14

// Preparation says how a picture becomes what a network takes. The zero value of all
// but the size is what [Square] does: the largest centered part, resized bicubically.
type Preparation struct {
	Height, Width int // of the network's input, 1 to [MaxSide]
	Fit           Fit
	// ShortSide is the length to which [ShortSide] resizes the shorter side of the
	// picture, up to [MaxSide]; 0 is the longer one of Height and Width. Other fits
	// take 0 alone.
	ShortSide     int
	Interpolation Interpolation
	Pad           color.Color // of what the picture does not cover; nil is black
}

// Fit is how a picture of other proportions is made to fit a network's input.
type Fit int

// The ways to fit.
const (
	// Crop cuts out the largest centered part with the proportions of the input.
	Crop Fit = iota
	// ShortSide resizes the shorter side to Preparation.ShortSide, keeping the
	// proportions, and cuts out the center, as torchvision's presets do: Resize and
	// CenterCrop. An input that is larger than the resized picture is padded.
	ShortSide
	// Stretch resizes the whole picture, whatever its proportions.
	Stretch
	// Letterbox resizes the whole picture, keeping its proportions, and pads the rest of
	// the input evenly on both sides, as Pillow's ImageOps.pad does.
	Letterbox
)

var fitNames = []string{"crop", "short-side", "stretch", "letterbox"}

// String returns the name that [ParseFit] reads.
func (f Fit) String() string { return nameOf(f, "Fit", fitNames) }

// ParseFit returns the way to fit of that name: crop, short-side, stretch or letterbox.
func ParseFit(name string) (Fit, error) { return parse[Fit]("fit", fitNames, name) }

// Square returns the largest centered square of a photo, of side×side pixels,
// resized bicubically, as a [Preparation] of these sides does it: for the article's
// network a side of 32, which it was trained on.
//
// A photo that is nil or empty, or a side below 1 or above [MaxSide], gives a picture
// without pixels, which [Check] refuses.
func Square(photo image.Image, side int) *image.NRGBA {
	square, _, err := Preparation{Height: side, Width: side}.Picture(photo)
	if err != nil {
		return &image.NRGBA{}
	}
	return square
}

// Check returns an error if a field is out of its range.
func (p Preparation) Check() error {
	switch {
	case p.Height < 1 || p.Width < 1 || p.Height > MaxSide || p.Width > MaxSide:
		return fail(ErrShape, "preparation: to %d×%d, want 1 to %d pixels a side", p.Width, p.Height, MaxSide)
	case p.Fit < 0 || int(p.Fit) >= len(fitNames):
		return fmt.Errorf("images: preparation: %s, want one of crop, short-side, stretch, letterbox", p.Fit)
	case p.Interpolation < 0 || int(p.Interpolation) >= len(interpolationNames):
		return fmt.Errorf("images: preparation: %s, want one of bicubic, bilinear, nearest", p.Interpolation)
	case p.Fit != ShortSide && p.ShortSide != 0:
		return fmt.Errorf("images: preparation: short side of %d with fit %s, want 0, or fit short-side", p.ShortSide, p.Fit)
	case p.ShortSide < 0 || p.ShortSide > MaxSide:
		return fmt.Errorf("images: preparation: short side of %d, want 0 to %d pixels", p.ShortSide, MaxSide)
	}
	return nil
}

// Picture makes a photo, upright as [Read] returns it, what the network takes: opaque,
// in 8 bits, Width×Height. What is transparent is laid over white; [Over] puts another
// color there. The frame says where in the photo it lies.
//
// The pixels are those of Pillow's resize, which resizes along rows and rounds to 8 bits
// before it does along columns, to the last bit: Pillow 12's. Pillow 13 begins with the
// columns of some tall pictures, and some of its pixels are a level or two off. It fails where
// [Preparation.Check], [Check] and [Preparation.Frame] do.
func (p Preparation) Picture(photo image.Image) (picture *image.NRGBA, frame Frame, err error) {
	if err := Check(photo); err != nil {
		return nil, Frame{}, err
	}
	defer damaged(photo, &err)
	bounds := photo.Bounds()
	across, down, err := p.axes(bounds.Size())
	if err != nil {
		return nil, Frame{}, err
	}
	picture = image.NewNRGBA(image.Rect(0, 0, p.Width, p.Height))
	frame = frameOf(bounds.Size(), across, down)
	if frame.Shown != picture.Rect {
		pad := color.Color(color.Black)
		if p.Pad != nil {
			pad = opaque(p.Pad)
		}
		draw.Draw(picture, picture.Rect, image.NewUniform(pad), image.Point{}, draw.Src)
	}
	across.first, down.first = across.first+bounds.Min.X, down.first+bounds.Min.Y
	resample(picture.SubImage(frame.Shown).(*image.NRGBA), overCanvas(photo, bounds, nil), across, down, p.Interpolation)
	return picture, frame, nil
}

// Frame returns where in a picture of a size the network's input lies. It fails where
// [Preparation.Check] does, for a picture without pixels, and where more than 2²⁰ pixels
// in a row would have to be resized.
func (p Preparation) Frame(picture image.Point) (Frame, error) {
	across, down, err := p.axes(picture)
	return frameOf(picture, across, down), err
}

// axis is one direction of a preparation: n pixels of the picture, from first on, are
// resized to size; count of these, from skip on, stand in the input from at on.
type axis struct{ first, n, size, skip, count, at, input int }

// axes returns both directions for a picture of a size.
func (p Preparation) axes(picture image.Point) (across, down axis, err error) {
	if err := p.Check(); err != nil {
		return axis{}, axis{}, err
	}
	w, h := picture.X, picture.Y
	if w < 1 || h < 1 {
		return axis{}, axis{}, fail(ErrShape, "preparation: a picture of %d×%d pixels, want at least 1×1", w, h)
	}
	whole := func(n, input int) axis { return axis{n: n, size: input, count: input, input: input} }
	switch p.Fit {
	case Crop:
		r := Centered(image.Rectangle{Max: picture}, image.Pt(p.Width, p.Height))
		across, down = whole(r.Dx(), p.Width), whole(r.Dy(), p.Height)
		across.first, down.first = r.Min.X, r.Min.Y
	case Stretch:
		across, down = whole(w, p.Width), whole(h, p.Height)
	case ShortSide:
		short := cmp.Or(p.ShortSide, max(p.Width, p.Height))
		across, down = centered(w, short*w/min(w, h), p.Width), centered(h, short*h/min(w, h), p.Height)
	case Letterbox:
		width, height := p.Width, p.Height
		switch fill := float64(p.Width)*float64(h) - float64(p.Height)*float64(w); {
		case fill < 0: // the picture is the wider one
			height = max(1, int(math.RoundToEven(float64(h)/float64(w)*float64(p.Width))))
		case fill > 0:
			width = max(1, int(math.RoundToEven(float64(w)/float64(h)*float64(p.Height))))
		}
		across, down = whole(w, width), whole(h, height)
		across.input, across.at = p.Width, int(math.RoundToEven(float64(p.Width-width)/2))
		down.input, down.at = p.Height, int(math.RoundToEven(float64(p.Height-height)/2))
	}
	const longest = 1 << 20 // bounds the memory of the weights
	if n := max(across.n, across.size, down.n, down.size); n > longest {
		return axis{}, axis{}, fail(ErrTooLarge, "preparation: %d pixels in a row for fit %s, want at most %d; fit crop takes a centered part", n, p.Fit, longest)
	}
	return across, down, nil
}

// centered is the axis of n pixels that are resized to size, of which the center is cut
// out, or which is padded: torchvision.transforms.functional.center_crop, torchvision 0.29.
func centered(n, size, input int) axis {
	if size < input {
		return axis{n: n, size: size, count: size, at: (input - size) / 2, input: input}
	}
	return axis{n: n, size: size, skip: int(math.RoundToEven(float64(size-input) / 2)), count: input, input: input}
}

// String says what is done, in words.
func (p Preparation) String() string {
	to := fmt.Sprintf("%d×%d by %s interpolation", p.Width, p.Height, p.Interpolation)
	if p.Interpolation == Nearest {
		to = fmt.Sprintf("%d×%d by the nearest pixel", p.Width, p.Height)
	}
	switch p.Fit {
	case Crop:
		return "the largest centered part of the input's proportions, resized to " + to
	case ShortSide:
		return fmt.Sprintf("the shorter side resized to %d, then the centered %s", cmp.Or(p.ShortSide, max(p.Width, p.Height)), to)
	case Stretch:
		return "stretched to " + to
	case Letterbox:
		return "resized to fit into " + to + " and padded"
	}
	return p.Fit.String()
}
