package live

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/internal/pngtext"
)

// A value can say itself how Jupyter shows it, by one or more of these methods.
// Jupyter takes the richest that it can show; the value's text is there too.
type (
	// PNGer is a value that is a picture. Its alternative text is the PNG file's
	// Description.
	PNGer interface{ DisplayPNG() ([]byte, error) }
	// SVGer is a value that is a drawing.
	SVGer interface{ DisplaySVG() ([]byte, error) }
	// HTMLer is a value that is shown as HTML.
	HTMLer interface{ DisplayHTML() (string, error) }
	// Markdowner is a value that is shown as Markdown.
	Markdowner interface{ DisplayMarkdown() (string, error) }
)

// Result is the metadata of a display that is the value of a cell.
const Result = "camlab_result"

// pieces are the functions of Show, in the order in which they came.
var (
	mu     sync.Mutex
	pieces []func(v any) (shown []any, ok bool, err error)
)

// Show has values of type T, or that implement T if it is an interface, shown as
// what show returns for them: pictures, texts, or other values.
func Show[T any](show func(T) ([]any, error)) {
	mu.Lock()
	defer mu.Unlock()
	pieces = append(pieces, func(v any) ([]any, bool, error) {
		x, ok := v.(T)
		if !ok {
			return nil, false, nil
		}
		shown, err := show(x)
		return shown, true, err
	})
}

// Value shows the last expression of a cell: its value, or its values. It panics
// as Fail does when one cannot be shown.
func Value(values ...any) {
	for _, v := range values {
		show(v)
	}
}

// Pair shows the values of a last expression that returns an error after them, or
// fails with the error.
func Pair(values ...any) {
	Quiet(values...)
	Value(values[:len(values)-1]...)
}

// Check fails with err if it is not nil.
func Check(err error) {
	if err != nil {
		Fail(err)
	}
}

// Quiet fails if the last of the values is an error, and shows nothing.
func Quiet(values ...any) {
	if err, ok := values[len(values)-1].(error); ok && err != nil {
		Fail(err)
	}
}

// show shows v, by what Show was told first.
func show(v any) {
	mu.Lock()
	list := slices.Clone(pieces)
	mu.Unlock()
	for _, piece := range list {
		shown, ok, err := piece(v)
		Check(err)
		if ok {
			for _, s := range shown {
				send(s)
			}
			return
		}
	}
	send(v)
}

// send shows one value. Outside a notebook it is printed.
func send(v any) {
	data, err := Data(v)
	Check(err)
	if !gonbui.IsNotebook {
		fmt.Println(data.Data[protocol.MIMETextPlain])
		return
	}
	if data.Metadata == nil {
		data.Metadata = make(map[string]any)
	}
	data.Metadata[Result] = true
	gonbui.SendData(data)
}

// Data returns the forms in which Jupyter may show a value. A small image is
// enlarged, each pixel to a square. The contents of a PNG file are a picture.
func Data(v any) (*protocol.DisplayData, error) {
	if img, ok := v.(image.Image); ok && !nilPointer(v) {
		png, err := pngOf(img)
		if err != nil {
			return nil, err
		}
		return Picture(png), nil
	}
	if png, ok := v.([]byte); ok && bytes.HasPrefix(png, []byte("\x89PNG\r\n\x1a\n")) {
		return Picture(png), nil
	}
	d := &protocol.DisplayData{Data: make(map[protocol.MIMEType]any)}
	if nilPointer(v) {
		d.Data[protocol.MIMETextPlain] = Text(v)
		return d, nil
	}
	var err error
	switch x := v.(type) {
	case PNGer:
		var png []byte
		if png, err = x.DisplayPNG(); err == nil {
			d = Picture(png)
		}
	case interface{ PNG() ([]byte, error) }: // camlib's curves
		var png []byte
		if png, err = x.PNG(); err == nil {
			d = Picture(png)
		}
	}
	if x, ok := v.(SVGer); ok && err == nil {
		var svg []byte
		svg, err = x.DisplaySVG()
		d.Data[protocol.MIMEImageSVG] = string(svg)
	}
	if x, ok := v.(HTMLer); ok && err == nil {
		d.Data[protocol.MIMETextHTML], err = x.DisplayHTML()
	}
	if x, ok := v.(Markdowner); ok && err == nil {
		d.Data[protocol.MIMETextMarkdown], err = x.DisplayMarkdown()
	}
	if err != nil {
		return nil, fmt.Errorf("showing a %T: %w", v, err)
	}
	if len(d.Data) > 0 {
		if d.Data[protocol.MIMETextPlain] == nil {
			d.Data[protocol.MIMETextPlain] = plain(v, d)
		}
		return d, nil
	}
	value := reflect.ValueOf(v)
	if columns, rows, ok := table(value); ok {
		d.Data[protocol.MIMETextHTML] = htmlTable(columns, rows, value.Len())
		d.Data[protocol.MIMETextPlain] = textTable(columns, rows, value.Len())
		return d, nil
	}
	d.Data[protocol.MIMETextPlain] = Text(v)
	return d, nil
}

// plain is the text of a value that has a richer form.
func plain(v any, d *protocol.DisplayData) string {
	if text, ok := said(reflect.ValueOf(v)); ok {
		return text
	}
	if text, ok := d.Data[protocol.MIMETextMarkdown].(string); ok {
		return text
	}
	return "a " + strings.TrimPrefix(name(reflect.TypeOf(v)), "*")
}

// Picture is a PNG file as Jupyter shows it. The alternative text, the
// Description in the file, is where Jupyter's format has it, and also instead of
// the picture where only text is shown.
func Picture(png []byte) *protocol.DisplayData {
	alt := Alt(png)
	return &protocol.DisplayData{
		Data:     map[protocol.MIMEType]any{protocol.MIMEImagePNG: png, protocol.MIMETextPlain: alt},
		Metadata: map[string]any{string(protocol.MIMEImagePNG): map[string]string{"alt": alt}},
	}
}

// Alt is the alternative text of a PNG file: its Description, or its size.
func Alt(png []byte) string {
	text := pngtext.Get(png, pngtext.Description)
	if text != "" {
		return text
	}
	if size, _, err := image.DecodeConfig(bytes.NewReader(png)); err == nil {
		text = figure.Alt(image.Rect(0, 0, size.Width, size.Height))
	}
	return cmp.Or(text, "picture")
}

// Sides of an image in pixels: smaller ones are enlarged to about that of view.
const (
	tiny = 96
	view = 192
)

func pngOf(img image.Image) ([]byte, error) {
	size := img.Bounds().Size()
	if side := max(size.X, size.Y); side > 0 && side <= tiny {
		if _, composed := img.(*figure.Picture); !composed {
			large, err := figure.Magnify(img, view/side)
			if err != nil {
				return nil, err
			}
			img = large
		}
	}
	return figure.PNGBytes(img)
}

func nilPointer(v any) bool {
	r := reflect.ValueOf(v)
	return !r.IsValid() || (r.Kind() == reflect.Pointer || r.Kind() == reflect.Map || r.Kind() == reflect.Slice) && r.IsNil()
}
