package main

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute"
	"github.com/spf13/pflag"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/card"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/onnx"
)

const modelUsage = "\"article\" for the shipped model, a checkpoint folder or .safetensors file of it, an .onnx file, or what `camlab fetch` made"

// modelFlags say which network is taken, and how. Zero values leave all to its file and
// its card.
type modelFlags struct {
	name, layer                string
	card, preset, output, size string // of ONNX models
}

func (o *modelFlags) add(f *pflag.FlagSet) {
	f.StringVar(&o.name, "model", "article", modelUsage)
	f.StringVar(&o.layer, "layer", "", "layer whose activations are explained, such as conv3, or its number; `camlab layers` lists those of an ONNX model (default the last)")
	o.addONNX(f)
}

func (o *modelFlags) addONNX(f *pflag.FlagSet) {
	f.StringVar(&o.card, "card", "", "model card of an ONNX model (default MODEL"+card.Suffix+" beside it)")
	f.StringVar(&o.preset, "preset", "", "preparation of pictures in place of a card: "+strings.Join(card.Presets(), ", "))
	f.StringVar(&o.output, "output", "", "output of an ONNX model whose scores are explained (default the card's, else the first)")
	f.StringVar(&o.size, "size", "", "size of the images where an ONNX model leaves it open, as HEIGHTxWIDTH (default the card's, else 224x224)")
}

// model is a network, and what it takes.
type model struct {
	net     *network.Network
	sha     string             // of its weights in .safetensors form, or of the ONNX file
	layout  images.Layout      // of arrays that it takes
	picture images.Preparation // of pictures from disk
	card    string             // what is done to them, in words; empty for the article's network
	notes   []string           // what a person is to know
	single  bool               // whether it takes one image at a time
}

// open reads the network. It is the one place that knows which kinds of models there are.
// Every one has names for its classes and a size. raw leaves out what is done to pictures:
// the network takes arrays as they are. An ONNX model is run once, on the backend that
// backend opens.
func (o *modelFlags) open(raw bool, backend func() (compute.Backend, error)) (*model, error) {
	file, err := o.onnxFile()
	if err != nil {
		return nil, err
	}
	if file != "" {
		return o.openONNX(file, raw, backend)
	}
	if o.card != "" || o.preset != "" || o.output != "" || o.size != "" {
		return nil, fmt.Errorf("--card, --preset, --output and --size are for ONNX models, and --model %s is none", o.name)
	}
	m := &model{}
	if o.name == "article" {
		m.net, err = article.Pretrained()
	} else {
		m.net, err = article.Load(o.name)
	}
	if err != nil {
		return nil, err
	}
	data, err := m.net.Encode()
	if err != nil {
		return nil, err
	}
	m.sha = fmt.Sprintf("%x", sha256.Sum256(data))
	m.picture = images.Preparation{Height: m.net.Input.Height, Width: m.net.Input.Width}
	if o.layer != "" {
		m.net, err = m.net.At(o.layer)
	}
	return m, err
}

// onnxFile returns the ONNX file that --model names, or nothing for another kind of model.
func (o *modelFlags) onnxFile() (string, error) {
	if strings.EqualFold(filepath.Ext(o.name), ".onnx") {
		return o.name, nil
	}
	file, known, err := fetched(o.name)
	if known {
		return file, err
	}
	if ext := strings.ToLower(filepath.Ext(o.name)); slices.Contains([]string{".pth", ".pt", ".ckpt", ".h5", ".keras"}, ext) {
		return "", fmt.Errorf("--model %s: camlab reads networks from ONNX files, want one: %s", o.name, howToExport(ext))
	}
	return "", nil
}

// howToExport is a line of Python that makes an ONNX file.
func howToExport(ext string) string {
	if ext == ".h5" || ext == ".keras" {
		return `keras.models.load_model("` + "FILE" + `").export("model.onnx", format="onnx")`
	}
	return "torch.onnx.export(model.eval(), torch.zeros(1, 3, 224, 224), \"model.onnx\", dynamo=True), where model is, for torchvision's weights, torchvision.models.resnet18() after load_state_dict"
}

// openONNX makes a network of an ONNX file and its card.
func (o *modelFlags) openONNX(file string, raw bool, backend func() (compute.Backend, error)) (*model, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--model: %w", err)
	}
	graph, err := onnx.Open(file)
	if err != nil {
		return nil, err
	}
	c, err := o.cardOf(file, graph)
	if err != nil {
		return nil, err
	}
	b, err := backend()
	if err != nil {
		return nil, err
	}
	options := onnx.Options{Size: c.Size(), Layer: cmp.Or(o.layer, c.Layer), Output: cmp.Or(o.output, c.Output), Classes: c.Classes, Raw: raw}
	if n := c.Normalization(); !raw {
		options.Mean, options.Std, options.Scale, options.BGR = float32s(n.Mean), float32s(n.Std), float32(n.Scale), n.BGR
	}
	imported, err := graph.Network(b, options)
	if err != nil {
		return nil, err
	}
	m := &model{net: imported.Network, sha: fmt.Sprintf("%x", sha256.Sum256(data)), layout: c.Layout, picture: c.Preparation(), single: imported.OneAtATime}
	for i := len(m.net.Classes); i < imported.NumClasses; i++ {
		m.net.Classes = append(m.net.Classes, strconv.Itoa(i))
	}
	if m.notes = imported.Notes; !raw {
		m.card = c.String()
		if len(c.Guessed) > 0 {
			m.notes = append(m.notes, m.card+" `camlab card` writes this down, to be set right")
		}
	}
	return m, nil
}

func float32s(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

// cardOf returns the card of an ONNX model: what the flags say, else what lies beside it,
// else a guess.
func (o *modelFlags) cardOf(file string, graph *onnx.Model) (c card.Card, err error) {
	in, err := inputOf(graph)
	if err != nil {
		return c, err
	}
	size, err := o.parseSize()
	if err != nil {
		return c, err
	}
	if in.Height == 0 && in.Width == 0 {
		in.Height, in.Width = size.Height, size.Width
	} else if size != (images.Size{}) && (size.Height != in.Height || size.Width != in.Width) {
		return c, fmt.Errorf("--size %s, want %dx%d, which the model has fixed; export it with dynamic axes for another", o.size, in.Height, in.Width)
	}
	if o.preset != "" {
		if o.card != "" {
			return c, errors.New("--card and --preset, want one of them")
		}
		return card.Preset(o.preset, in)
	}
	path, found := o.card, o.card != ""
	if !found {
		if path, found, err = card.Find(file); err != nil {
			return c, err
		}
	}
	if found {
		return card.Read(path, in)
	}
	return card.Guess(in)
}

// inputOf returns what a model's file says of its input.
func inputOf(graph *onnx.Model) (in card.Input, err error) {
	inputs := graph.Inputs()
	if len(inputs) != 1 || len(inputs[0].Dims) != 4 {
		return card.Input{Layout: images.NCHW}, nil // the network says what is wrong with it
	}
	d := inputs[0].Dims
	if in.Layout, err = images.ParseLayout(inputs[0].Layout); err != nil {
		return in, err
	}
	in.Size = images.Size{Height: d[1], Width: d[2], Channels: d[3]}
	if in.Layout == images.NCHW {
		in.Size = images.Size{Height: d[2], Width: d[3], Channels: d[1]}
	}
	return in, nil
}

func (o *modelFlags) parseSize() (images.Size, error) {
	if o.size == "" {
		return images.Size{}, nil
	}
	first, second, _ := strings.Cut(strings.ToLower(o.size), "x")
	h, errH := strconv.Atoi(first)
	w, errW := strconv.Atoi(second)
	if errH != nil || errW != nil || h < 1 || w < 1 || h > images.MaxSide || w > images.MaxSide {
		return images.Size{}, fmt.Errorf("--size %q, want HEIGHTxWIDTH as in 224x224, each 1 to %d", o.size, images.MaxSide)
	}
	return images.Size{Height: h, Width: w}, nil
}
