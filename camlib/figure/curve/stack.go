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

// Stack returns charts below one another as one PNG file, with their alternative texts one
// after the other. It fails without a chart, and as [Chart.PNG] does.
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
	whole := draw.New(canvas)
	for _, c := range charts {
		_, h := c.size()
		height -= h
		if err := c.draw(draw.Canvas{Canvas: whole, Rectangle: vg.Rectangle{
			Min: vg.Point{X: 0, Y: height}, Max: vg.Point{X: width, Y: height + h},
		}}); err != nil {
			return nil, err
		}
	}
	var buf bytes.Buffer
	if _, err := canvas.WriteTo(&buf); err != nil {
		return nil, fmt.Errorf("curve: png: %w", err)
	}
	return pngtext.Set(buf.Bytes(), pngtext.Description, strings.Join(alts, " ")), nil
}
