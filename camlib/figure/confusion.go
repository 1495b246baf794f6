package figure

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"strconv"

	"github.com/camlab-go/camlab/internal/legible"
)

// Confusion is a confusion matrix: Counts[i][j] images of true class i were
// predicted as class j. A cell's number is its count, its colour the share of its
// row, count / Σ_j Counts[i][j]; a class without images has share 0 everywhere.
type Confusion struct {
	Title   string
	Classes []string
	Counts  [][]int
	Alt     string // the alternative text; empty says how many are right and which mistakes are made most often
}

const confusionCellH = 36

// Draw returns the picture. It fails if Counts is not square with a row and a
// column per class, and on negative counts. Long names are shortened with "…".
func (c Confusion) Draw() (*Picture, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	n := len(c.Classes)
	f, small, title := newFace(textSize), newFace(12), newFace(titleSize)
	names := make([]string, n)
	for i, name := range c.Classes {
		names[i] = small.short(legible.Line(name), maxClass)
	}
	// Wide enough for the names below and the numbers inside.
	cellW := max(confusionCellH, small.widest(names)+6)
	for _, row := range c.Counts {
		for _, count := range row {
			w, _ := f.size(strconv.Itoa(count))
			cellW = max(cellW, w+6)
		}
	}
	scale, err := Sequential(0, 1)
	if err != nil {
		return nil, err
	}
	shading := Shading{Scale: scale, Unit: "share of the true class"}
	bar, err := ColorBar{Shading: shading, Height: max(n*confusionCellH, 100)}.Draw()
	if err != nil {
		return nil, err
	}
	c.Title = title.short(c.Title, max(maxTitle, n*cellW))
	titleW, titleH := title.size(c.Title)
	cells := image.Rect(0, 0, n*cellW, n*confusionCellH).
		Add(image.Pt(margin+f.line+gap+small.widest(names)+gap, margin+titleH+f.line/2+2))
	barTop := cells.Min.Y + cells.Dy()/2 - bar.Rect.Dy()/2
	if barTop < margin+titleH { // a bar taller than the cells
		cells = cells.Add(image.Pt(0, margin+titleH-barTop))
		barTop = margin + titleH
	}
	width := max(cells.Max.X+2*gap+bar.Rect.Dx(), margin+titleW) + margin
	height := max(cells.Max.Y+small.line+f.line+gap, barTop+bar.Rect.Dy()) + margin
	img := newCanvas(width, height)

	title.text(img, margin, margin, 0, 0, c.Title, ink)
	for i, row := range c.Counts {
		total := 0
		for _, count := range row {
			total += count
		}
		y := cells.Min.Y + i*confusionCellH
		small.text(img, cells.Min.X-gap, y+confusionCellH/2, 1, 0.5, names[i], ink)
		for j, count := range row {
			share := float64(count) / float64(max(total, 1))
			fill := shading.colors().At(scale.At(share))
			x := cells.Min.X + j*cellW
			draw.Draw(img, image.Rect(x, y, x+cellW, y+confusionCellH), image.NewUniform(fill), image.Point{}, draw.Src)
			f.text(img, x+cellW/2, y+confusionCellH/2, 0.5, 0.5, strconv.Itoa(count), inkOn(fill))
		}
	}
	for j, class := range names {
		small.text(img, cells.Min.X+j*cellW+cellW/2, cells.Max.Y+gap/2, 0.5, 0, class, ink)
	}
	f.text(img, cells.Min.X+cells.Dx()/2, cells.Max.Y+gap/2+small.line, 0.5, 0, "predicted", ink)
	f.textUp(img, margin, cells.Min.Y+cells.Dy()/2, "true", ink)
	paste(img, cells.Max.X+2*gap, barTop, bar)
	return &Picture{NRGBA: img, Alt: c.describe()}, nil
}

// inkOn returns white on a dark colour and dark on a light one.
func inkOn(c color.NRGBA) color.NRGBA {
	if color.GrayModel.Convert(c).(color.Gray).Y < 140 {
		return color.NRGBA{R: 0xff, G: 0xff, B: 0xff, A: 0xff}
	}
	return ink
}

func (c Confusion) check() error {
	if len(c.Classes) == 0 {
		return fmt.Errorf("figure: confusion: no classes, want at least one")
	}
	if len(c.Counts) != len(c.Classes) {
		return fmt.Errorf("figure: confusion: %d rows, want %d, one per class", len(c.Counts), len(c.Classes))
	}
	for i, row := range c.Counts {
		if len(row) != len(c.Classes) {
			return fmt.Errorf("figure: confusion: row %d: %d columns, want %d, one per class", i, len(row), len(c.Classes))
		}
		for j, count := range row {
			if count < 0 {
				return fmt.Errorf("figure: confusion: row %d, column %d: count %d, want 0 or more", i, j, count)
			}
		}
	}
	return nil
}
