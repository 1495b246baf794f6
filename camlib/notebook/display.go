package notebook

import (
	"fmt"
	"image"
	"reflect"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/board"
	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/notebook/live"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/camlib/train"
)

// What the last expression of a cell shows of camlib's values and of tensors.
func init() {
	live.Show(func(m *camlib.Maps) ([]any, error) { return picture(m.Picture()) })
	live.Show(func(h *train.History) ([]any, error) {
		if h == nil || len(h.Epochs) == 0 {
			return []any{text("no epochs")}, nil
		}
		loss, f1 := charts(h.Epochs)
		return []any{text(h.String()), loss, f1}, nil
	})
	live.Show(func(b *board.Board) ([]any, error) {
		var w strings.Builder
		err := b.Markdown(&w)
		return []any{markdown(w.String())}, err
	})
	live.Show(dataset)
	live.Show(heat)
	live.Show(func(e *score.Evaluation) ([]any, error) { return []any{text(e.String()), e.PerClass}, nil })
	live.Show(func(e score.Evaluation) ([]any, error) { return []any{text(e.String()), e.PerClass}, nil })
	live.Show(func(t *tensors.Tensor) ([]any, error) {
		words, err := tensor(t)
		return []any{text(words)}, err
	})
}

func picture[T image.Image](img T, err error) ([]any, error) { return []any{img}, err }

// text is shown as it is.
type text string

func (t text) String() string { return string(t) }

// markdown is a text that Jupyter renders.
type markdown string

func (m markdown) String() string                   { return string(m) }
func (m markdown) DisplayMarkdown() (string, error) { return string(m), nil }

// Of a data set the first images are shown, about so wide.
const (
	shownImages  = 10
	shownColumns = 5
	shownSide    = 96
)

// dataset shows what a data set says of itself, and its first images.
func dataset(ds images.Dataset) ([]any, error) {
	n, classes := images.Len(ds), []string(nil)
	if n > 0 {
		classes = ds.Classes()
	}
	words := fmt.Sprintf("%d images", n)
	if s, ok := ds.(fmt.Stringer); ok {
		words = s.String()
	}
	if n == 0 {
		return []any{text(words)}, nil
	}
	grid := figure.Grid{Side: shownSide}
	var row []figure.Tile
	for i := range min(n, shownImages) {
		caption := fmt.Sprint(ds.Label(i))
		if l := ds.Label(i); l >= 0 && l < len(classes) {
			caption = classes[l]
		}
		row = append(row, figure.Tile{Image: images.Image(ds, i), Caption: caption})
		if len(row) == shownColumns || i == n-1 {
			if len(grid.Rows) == 0 || len(row) == len(grid.Rows[0].Tiles) {
				grid.Add(fmt.Sprintf("%d to %d", i-len(row)+1, i), row...)
			}
			row = nil
		}
	}
	img, err := grid.Draw()
	return []any{text(words), img}, err
}

// heat draws a map with its colors' values: around zero if it has signs.
func heat(m images.Map) ([]any, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	bar := figure.Shading{Unit: "value"}
	var err error
	if m.Min() < 0 {
		bar.Scale, err = figure.DivergingOf(m)
	} else {
		bar.Scale, err = figure.SequentialOf(m)
	}
	if err != nil {
		return nil, err
	}
	grid := figure.Grid{Side: 2 * shownSide, Bar: &bar}
	grid.Add("", figure.Tile{Map: m, Caption: fmt.Sprintf("%d×%d", m.H, m.W)})
	return picture(grid.Draw())
}

// tensor is a tensor's type, shape and values, of long axes the first and the last
// three, as NumPy prints an array.
func tensor(t *tensors.Tensor) (string, error) {
	if t == nil {
		return "no tensor", nil
	}
	if err := t.CheckValid(); err != nil {
		return "", err
	}
	shape := t.Shape()
	var values string
	err := t.ConstFlatData(func(flat any) {
		values = nested(reflect.ValueOf(flat), shape.Dimensions, 0, "")
	})
	return fmt.Sprintf("%s%v\n%s", strings.ToLower(shape.DType.String()), shape.Dimensions, values), err
}

// edge is how many values are shown at both ends of a long axis.
const edge = 3

// nested is the text of the values of some axes from position at of a flat array.
func nested(flat reflect.Value, axes []int, at int, indent string) string {
	if len(axes) == 0 {
		return short(flat.Index(at))
	}
	step := 1
	for _, n := range axes[1:] {
		step *= n
	}
	between := " "
	if len(axes) > 1 {
		between = "\n" + strings.Repeat("\n", max(0, min(1, len(axes)-2))) + indent + " "
	}
	var items []string
	for i := range axes[0] {
		switch {
		case axes[0] <= 2*edge+1 || i < edge || i >= axes[0]-edge:
			items = append(items, nested(flat, axes[1:], at+i*step, indent+" "))
		case i == edge:
			items = append(items, "…")
		}
	}
	return "[" + strings.Join(items, between) + "]"
}

// short is a number with at most five digits that count.
func short(v reflect.Value) string {
	if v.CanFloat() {
		return strconv.FormatFloat(v.Float(), 'g', 5, 64)
	}
	return live.Text(v.Interface())
}
