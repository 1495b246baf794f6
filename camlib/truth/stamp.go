package truth

import (
	"image"
	"math/rand/v2"
	"slices"

	"github.com/camlab-go/camlab/camlib/images"
)

// Stamp returns images with the pattern of a [Trigger] on each, at places that the seed
// decides, and the truth: the pattern's square. The given images stay as they are. It
// fails with [ErrTruth] when they are not of three channels and large enough.
func Stamp(x images.Batch, seed uint64) (images.Batch, Truth, error) {
	if x.N < 1 || x.Channels != 3 || x.Height < TriggerSize || x.Width < TriggerSize || len(x.Pixels) != x.N*x.Height*x.Width*x.Channels {
		return images.Batch{}, Truth{}, fail("stamp: images [%d, %d, %d, %d] of %d values, want at least one, of 3 channels and at least %d×%d",
			x.N, x.Height, x.Width, x.Channels, len(x.Pixels), TriggerSize, TriggerSize)
	}
	x.Pixels = slices.Clone(x.Pixels)
	rng := rand.New(rand.NewPCG(seed, 0x7374616d70)) // the second word spells "stamp"
	places := make([]image.Rectangle, x.N)
	for i := range places {
		top, left := rng.IntN(x.Height-TriggerSize+1), rng.IntN(x.Width-TriggerSize+1)
		places[i] = image.Rect(left, top, left+TriggerSize, top+TriggerSize)
		for y := range TriggerSize {
			row := x.Pixels[((i*x.Height+top+y)*x.Width+left)*x.Channels:]
			for p := range TriggerSize * x.Channels {
				row[p] = float32(1+triggerSign(y, p/x.Channels, p%x.Channels)) / 2
			}
		}
	}
	t, err := Boxes(x.Height, x.Width, places...)
	return x, t, err
}
