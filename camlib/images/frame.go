package images

import (
	"fmt"
	"image"
	"math"
)

// Frame is where a network's input lies in the picture that it was made of.
type Frame struct {
	Picture, Input image.Point // width and height of both

	// Left, Top, Right and Bottom are the edges of the input, in pixels of the picture
	// from its upper left corner. They lie between pixels where the picture was resized
	// before it was cut, and outside the picture where the input is padded.
	Left, Top, Right, Bottom float64

	// Shown is the part of the input that shows the picture. The rest is padding.
	Shown image.Rectangle
}

func frameOf(picture image.Point, across, down axis) Frame {
	f := Frame{Picture: picture, Input: image.Pt(across.input, down.input)}
	f.Left, f.Right = across.edges()
	f.Top, f.Bottom = down.edges()
	f.Shown = image.Rect(across.at, down.at, across.at+across.count, down.at+down.count)
	return f
}

// edges returns where in the picture the input begins and ends.
func (a axis) edges() (from, to float64) {
	at := func(i int) float64 {
		return float64(a.first) + float64(a.skip-a.at+i)*float64(a.n)/float64(max(1, a.size))
	}
	return at(0), at(a.input)
}

// Seen returns the pixels of the picture that the network saw: those whose centers lie
// in the frame.
func (f Frame) Seen() image.Rectangle {
	at := func(edge float64) int { return int(math.Ceil(edge - 0.5)) }
	return image.Rect(at(f.Left), at(f.Top), at(f.Right), at(f.Bottom)).Intersect(image.Rectangle{Max: f.Picture})
}

// Scaled returns the frame in the picture after it was resized as a whole.
func (f Frame) Scaled(picture image.Point) Frame {
	x, y := float64(picture.X)/float64(f.Picture.X), float64(picture.Y)/float64(f.Picture.Y)
	f.Left, f.Right, f.Top, f.Bottom, f.Picture = f.Left*x, f.Right*x, f.Top*y, f.Bottom*y, picture
	return f
}

// Carry brings a map over the network's input, of any resolution, back to the picture.
// The result has a value for each pixel of the rectangle, which is [Frame.Seen]; the
// network saw nothing of the others. What the map says of padding is left out.
//
// A pixel lies at the same share of the frame as its value of the map: from edge to edge
// with [HalfPixel] and [Replicate], which takes the nearest value, and from the first
// center to the last with [AlignCorners]. Where the frame is a rectangle of whole pixels,
// this is [Map.Resize] to its size.
//
// It fails where [Map.Check] does, and for a frame without a pixel of the picture.
func (f Frame) Carry(m Map, how Resize) (Map, image.Rectangle, error) {
	if err := m.Check(); err != nil {
		return Map{}, image.Rectangle{}, err
	}
	if how < 0 || int(how) >= len(resizeNames) {
		return Map{}, image.Rectangle{}, fmt.Errorf("images: carry: %s, want one of align-corners, half-pixel, replicate", how)
	}
	seen := f.Seen()
	if seen.Empty() {
		return Map{}, image.Rectangle{}, fail(ErrShape, "carry: a frame from (%g, %g) to (%g, %g) in a picture of %d×%d pixels, want one with pixels of it",
			f.Left, f.Top, f.Right, f.Bottom, f.Picture.X, f.Picture.Y)
	}
	rows, down := how.within(m.H, f.Top, f.Bottom, seen.Min.Y, seen.Max.Y)
	columns, across := how.within(m.W, f.Left, f.Right, seen.Min.X, seen.Max.X)
	return m.sample(rows, down, columns, across), seen, nil
}

// within is [Resize.Taps] for the pixels from start to end of an axis on which n values
// lie from one edge to another.
func (r Resize) within(n int, from, to float64, start, end int) (first []int, share []float64) {
	for i := start; i < end; i++ {
		x := (float64(i) + 0.5 - from) * float64(n) / (to - from)
		switch r {
		case AlignCorners:
			if x = 0; to-from > 1 {
				x = (float64(i) - from) * float64(n-1) / (to - from - 1)
			}
		case HalfPixel:
			x -= 0.5
		case Replicate:
			x = math.Floor(x)
		}
		x = math.Max(0, math.Min(x, float64(n-1)))
		first, share = append(first, int(x)), append(share, x-math.Floor(x))
	}
	return first, share
}

// Centered returns the largest centered part of r with the proportions of size.
func Centered(r image.Rectangle, size image.Point) image.Rectangle {
	w, h := r.Dx(), r.Dy()
	if w*size.Y > h*size.X {
		w = max(1, (h*size.X+size.Y/2)/size.Y)
	} else {
		h = max(1, (w*size.Y+size.X/2)/size.X)
	}
	return image.Rect(0, 0, w, h).Add(r.Min).Add(image.Pt((r.Dx()-w)/2, (r.Dy()-h)/2))
}
