package onnx

import (
	"fmt"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/camlab-go/camlab/camlib/images"
)

// Tensor is an input or an output of a model.
type Tensor struct {
	Name string
	Type string // of its elements in the file, as float or uint8
	Dims []int  // as in the file; 0 is any
	// Layout is NCHW or NHWC of four dimensions, and empty of others. It is a guess: which
	// of them look like channels.
	Layout string
}

func (t Tensor) String() string {
	dims := make([]string, len(t.Dims))
	for i, d := range t.Dims {
		if dims[i] = fmt.Sprint(d); d == 0 {
			dims[i] = "any"
		}
	}
	return strings.TrimSpace(fmt.Sprintf("%q, %s [%s] %s", t.Name, t.Type, strings.Join(dims, ", "), t.Layout))
}

// Inputs returns what a model takes.
func (m *Model) Inputs() []Tensor { return tensorsOf(m.graph.inputs) }

// Outputs returns what a model gives.
func (m *Model) Outputs() []Tensor { return tensorsOf(m.graph.outputs) }

func tensorsOf(infos []valueInfo) (all []Tensor) {
	for _, v := range infos {
		t := Tensor{Name: v.name, Type: kindName(v.kind)}
		for _, d := range v.dims {
			t.Dims = append(t.Dims, int(min(d, maxValues)))
		}
		if len(t.Dims) == 4 {
			t.Layout = layout(t.Dims)
		}
		all = append(all, t)
	}
	return all
}

// ImageInput returns what a model's file says of the images that it takes: their layout,
// which is a guess, and their size, of which 0 is any. Of a model that takes no images it is
// zero; [Model.Network] says what is wrong with it.
func (m *Model) ImageInput() (images.Layout, images.Size) {
	inputs := m.Inputs()
	if len(inputs) != 1 || len(inputs[0].Dims) != 4 {
		return images.NCHW, images.Size{}
	}
	layout := images.NCHW
	if inputs[0].Layout == images.NHWC.String() {
		layout = images.NHWC
	}
	return layout, inputs[0].size()
}

// size is that of images of four dimensions.
func (t Tensor) size() images.Size {
	d := t.Dims
	if t.Layout == images.NCHW.String() {
		d = lastDims(d)
	}
	return images.Size{Height: d[1], Width: d[2], Channels: d[3]}
}

// layout guesses which of four dimensions are the channels.
func layout(d []int) string {
	color := func(n int) bool { return n == 1 || n == 3 || n == 4 }
	if color(d[3]) && !color(d[1]) {
		return "NHWC"
	}
	return "NCHW"
}

// image is the input that takes the images.
type image struct {
	name  string
	first bool // whether channels come first
	batch int  // the file's, 0 if any
	size  images.Size
}

// image finds the input that takes images and their size: the file's where it has one,
// else that given.
func (m *Model) image(size images.Size) (image, error) {
	inputs := m.Inputs()
	if len(inputs) != 1 {
		var names []string
		for _, t := range inputs {
			names = append(names, t.String())
		}
		return image{}, fmt.Errorf("%d inputs (%s), want one, which takes images", len(inputs), strings.Join(names, "; "))
	}
	t := inputs[0]
	if !m.graph.inputs[0].ranked {
		t.Dims, t.Layout = []int{0, 3, 0, 0}, "NCHW"
	}
	if len(t.Dims) != 4 || kinds[m.graph.inputs[0].kind].bytes == 0 {
		return image{}, fmt.Errorf("input %s, want images, float [n, channels, height, width] or [n, height, width, channels]", t)
	}
	im := image{name: t.Name, first: t.Layout == "NCHW", batch: t.Dims[0], size: t.size()}
	const usual = 224 // of networks trained on ImageNet
	for _, pick := range []struct {
		what         string
		file         *int
		given, else_ int
	}{
		{"height", &im.size.Height, size.Height, usual}, {"width", &im.size.Width, size.Width, usual}, {"channels", &im.size.Channels, size.Channels, 3},
	} {
		switch {
		case *pick.file == 0 && pick.given > 0:
			*pick.file = pick.given
		case *pick.file == 0:
			*pick.file = pick.else_
		case pick.given > 0 && pick.given != *pick.file:
			return image{}, fmt.Errorf("%s of %d, want the %d that the file has fixed: export with a dynamic %s for another", pick.what, pick.given, *pick.file, pick.what)
		}
	}
	const most = 1 << 26 // values of an image
	for n, rest := range map[string]int{"height": im.size.Height, "width": im.size.Width, "channels": im.size.Channels} {
		if rest > most {
			return image{}, fmt.Errorf("%s of %d, want at most %d", n, rest, most)
		}
	}
	if n := im.size.Height * im.size.Width; n > most || n*im.size.Channels > most || im.batch > maxReach {
		return image{}, fmt.Errorf("batches of %d images of %s, want at most %d and %d values", im.batch, im.size, maxReach, most)
	}
	return im, nil
}

// value is images [n, height, width, channels] as the input.
func (im image) value(x *Node) *value {
	if im.first {
		return channelsLast(x)
	}
	v := logical(x)
	v.channels = 3
	return v
}

// preprocessing is what is done with pixels before the graph takes them.
type preprocessing struct {
	mean, std []float32
	scale     float32
	bgr       bool
}

// build makes the input's values of pixels [n, height, width, channels], from 0 to 1.
func (p preprocessing) build(x *Node) *Node {
	if p.bgr {
		var parts []*Node
		for c := range x.Shape().Dim(3) {
			parts = append([]*Node{SliceAxis(x, 3, AxisElem(c))}, parts...)
		}
		x = Concatenate(parts, 3)
	}
	if p.scale != 1 {
		x = MulScalar(x, p.scale)
	}
	vector := func(v []float32) *Node { return ConvertDType(Reshape(Const(x.Graph(), v), 1, 1, 1, len(v)), x.DType()) }
	if p.mean != nil {
		x = Sub(x, vector(p.mean))
	}
	if p.std != nil {
		x = Div(x, vector(p.std))
	}
	return x
}

func newPreprocessing(o Options, channels int) (preprocessing, error) {
	p := preprocessing{mean: o.Mean, std: o.Std, scale: o.Scale, bgr: o.BGR}
	if o.Raw {
		if o.Mean != nil || o.Std != nil || o.Scale != 0 || o.BGR {
			return p, fmt.Errorf("raw and a mean, a deviation, a scale or BGR, want one or the other")
		}
		return preprocessing{scale: 1}, nil
	}
	if p.scale == 0 {
		p.scale = 1
	}
	for name, v := range map[string]*[]float32{"mean": &p.mean, "std": &p.std} {
		if len(*v) == 1 && channels > 1 {
			*v = slices.Repeat(*v, channels)
		}
		if n := len(*v); n != 0 && n != channels {
			return p, fmt.Errorf("%s of %d values, want one for each of %d channels", name, n, channels)
		}
		for _, f := range *v {
			if f-f != 0 || name == "std" && f == 0 {
				return p, fmt.Errorf("%s of %v, want finite numbers, and no deviation of 0", name, *v)
			}
		}
	}
	return p, nil
}
