package figure

import (
	"encoding/hex"
	"image/color"
	"math"
)

// Colormap gives the opaque colour of a place t on a scale. A t outside [0, 1] has the
// colour of the nearer end; NaN has that of 0.
type Colormap interface {
	At(t float64) color.NRGBA
}

// The colour maps. All read the same with the common forms of colour blindness.
var (
	// Viridis rises from dark violet over green to yellow; equal steps of value
	// look equally large. It is the default of a Sequential scale.
	Viridis Colormap = newTable(viridisTable)
	// Inferno rises from black over red to pale yellow, perceptually uniform too.
	// Over an image it darkens what has no weight.
	Inferno Colormap = newTable(infernoTable)
	// CoolWarm goes from blue over light grey, at 1/2, to red. It is the default
	// of a Diverging scale: blue speaks against the class, red for it.
	CoolWarm Colormap = newTable(coolWarmTable)
)

// table is a colour map given at evenly spaced places, linear in sRGB between them.
type table []color.NRGBA

func newTable(hexRGB string) table {
	b, err := hex.DecodeString(hexRGB)
	if err != nil {
		panic("figure: colour table: " + err.Error())
	}
	t := make(table, len(b)/3)
	for i := range t {
		t[i] = color.NRGBA{R: b[3*i], G: b[3*i+1], B: b[3*i+2], A: 255}
	}
	return t
}

func (c table) At(t float64) color.NRGBA {
	if !(t > 0) { // also NaN
		return c[0]
	}
	i, frac := math.Modf(min(t, 1) * float64(len(c)-1))
	a, b := c[int(i)], c[min(int(i)+1, len(c)-1)]
	return color.NRGBA{R: mix(a.R, b.R, frac), G: mix(a.G, b.G, frac), B: mix(a.B, b.B, frac), A: 255}
}

// mix returns (1−t) a + t b, rounded to the nearest level.
func mix(a, b uint8, t float64) uint8 {
	return uint8(math.Round((1-t)*float64(a) + t*float64(b)))
}
