package curve

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/camlab-go/camlab/internal/pngtext"
)

// Stack returns charts below one another as one PNG file, their curves as wide as those of
// the narrowest, with their alternative texts one after the other. It fails without a chart,
// and as [Chart.PNG] does.
func Stack(charts ...Chart) ([]byte, error) {
	if len(charts) == 0 {
		return nil, errors.New("curve: stack: no charts, want at least one")
	}
	var width, height vg.Length
	var alts []string
	for _, c := range charts {
		w, h := c.size()
		width, height = max(width, w), height+h
		alt, err := c.Alt()
		if err != nil {
			return nil, err
		}
		alts = append(alts, alt)
	}
	canvas := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(96))}
	places, layouts := make([]draw.Canvas, len(charts)), make([]*layout, len(charts))
	var left, right vg.Length
	for i, c := range charts {
		_, h := c.size()
		places[i] = draw.NewCanvas(canvas, width, height)
		places[i].Min.Y = height - h
		height -= h
		l, err := c.layout(places[i])
		if err != nil {
			return nil, err
		}
		layouts[i], left, right = l, max(left, l.left), max(right, l.right)
	}
	for i, l := range layouts {
		l.draw(places[i], left, right)
	}
	var buf bytes.Buffer
	if _, err := canvas.WriteTo(&buf); err != nil {
		return nil, fmt.Errorf("curve: png: %w", err)
	}
	return pngtext.Set(buf.Bytes(), pngtext.Description, strings.Join(alts, " ")), nil
}
