package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute"
	"github.com/spf13/pflag"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/best"
	"github.com/camlab-go/camlab/camlib/card"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/onnx"
)

const modelUsage = "\"article\" or \"best\" for the shipped models, a checkpoint folder or .safetensors file of one, an .onnx file, or a name that camlab fetch takes"

// modelFlags say which network is taken, and how. Zero values leave all to its file and
// its card.
type modelFlags struct {
	name, layer                string
	card, preset, output, size string // of ONNX models
}

func (o *modelFlags) add(f *pflag.FlagSet) {
	f.StringVar(&o.name, "model", "article", modelUsage)
	f.StringVar(&o.layer, "layer", "", "layer whose activations are explained, such as conv3, or its number; \"camlab layers\" lists those of an ONNX model (default the last)")
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
	expects *card.Card         // of an ONNX model: what is done to pictures
	notes   []string           // what a person is to know
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
		return o.openONNX(raw, backend)
	}
	if o.card != "" || o.preset != "" || o.output != "" || o.size != "" {
		return nil, fmt.Errorf("--card, --preset, --output and --size are for ONNX models, and --model %s is none", o.name)
	}
	m := &model{}
	switch o.name {
	case "article":
		m.net, err = article.Pretrained()
	case "best":
		m.net, err = best.Pretrained()
	default:
		if m.net, err = article.Load(o.name); errors.Is(err, network.ErrArchitecture) {
			if net, errBest := best.Load(o.name); !errors.Is(errBest, network.ErrArchitecture) {
				m.net, err = net, errBest
			}
		}
	}
	if errors.Is(err, network.ErrArchitecture) {
		return nil, fmt.Errorf("%w; other networks camlab reads from ONNX files: %s", err, howToExport(o.name))
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

// takes returns an error if the images of a data set are of another size than the network's,
// or their classes, where they are asked for, not as many as its scores.
func (m *model) takes(ds *cifar10.Dataset, classes bool) error {
	if got, want := ds.Size(), m.net.Input.Size; got != want {
		return fmt.Errorf("the model takes images of %s and CIFAR-10's are %s: want picture files, or a model of their size (where its file leaves the size open, a card with a height and width of 32)", want, got)
	}
	if got, want := len(ds.Classes()), len(m.net.Classes); classes && got != want {
		return fmt.Errorf("the model has %d classes and CIFAR-10 %d, want as many", want, got)
	}
	return nil
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
		return "", fmt.Errorf("--model %s: camlab reads networks from ONNX files, want one: %s", o.name, howToExport(o.name))
	}
	return "", nil
}

// howToExport is a command that makes an ONNX file of a file of weights. What torchvision's
// networks are named begins the names of their files, as in resnet18-f37072fd.pth.
func howToExport(file string) string {
	base := filepath.Base(file)
	ext := filepath.Ext(base)
	to, load := strings.TrimSuffix(base, ext)+".onnx", "from torch import load"
	switch strings.ToLower(ext) {
	case ".h5", ".keras":
		return fmt.Sprintf(`python -c 'import keras; keras.saving.load_model(%q).export(%q, format="onnx")'`, base, to)
	case ".safetensors":
		load = "from safetensors.torch import load_file as load"
	}
	name, what := torchvisionName.FindString(base), ""
	if name == "" {
		name, what = "resnet18", ", with your network in place of torchvision's resnet18"
	}
	return fmt.Sprintf(`python -c 'import torch, torchvision; %s; m = torchvision.models.%s(); m.load_state_dict(load(%q)); torch.onnx.export(m.eval(), (torch.zeros(1, 3, 224, 224),), %q, dynamo=True)'%s`,
		load, name, base, to, what)
}

// torchvisionName begins the names of files of torchvision's weights.
var torchvisionName = regexp.MustCompile(`^(alexnet|convnext|densenet|efficientnet|googlenet|inception|maxvit|mnasnet|mobilenet|regnet|resnet|resnext|shufflenet|squeezenet|swin|vgg|vit|wide_resnet)\w*`)

// openONNX makes a network of an ONNX file and its card.
func (o *modelFlags) openONNX(raw bool, backend func() (compute.Backend, error)) (*model, error) {
	graph, file, choice, err := o.graph()
	if err != nil {
		return nil, err
	}
	sum, err := sumOf(file)
	if err != nil {
		return nil, fmt.Errorf("--model: %w", err)
	}
	b, err := backend()
	if err != nil {
		return nil, err
	}
	opened, err := camlib.OpenONNX(graph, file, b, camlib.ONNXOptions{Layer: o.layer, Output: o.output, Card: choice, Raw: raw})
	if err != nil {
		return nil, err
	}
	m := &model{net: opened.Network, sha: sum, notes: opened.Notes}
	m.layout, _ = graph.ImageInput()
	if opened.Card != nil {
		m.picture, m.card, m.expects = opened.Card.Preparation(), opened.Card.String(), opened.Card
	}
	return m, nil
}

// onlyONNX is onnxFile, and fails for another kind of model.
func (o *modelFlags) onlyONNX() (string, error) {
	file, err := o.onnxFile()
	if err == nil && file == "" {
		err = fmt.Errorf("%s: want an .onnx file, or what `camlab fetch` made", o.name)
	}
	return file, err
}

// graph reads an ONNX model, with what the flags say of its card, and fails for another
// kind of model.
func (o *modelFlags) graph() (graph *onnx.Model, file string, choice card.Choice, err error) {
	if file, err = o.onlyONNX(); err != nil {
		return nil, "", choice, err
	}
	if choice, err = o.choice(); err != nil {
		return nil, "", choice, err
	}
	graph, err = onnx.Open(file)
	return graph, file, choice, err
}

// choice is what the flags say of an ONNX model's card.
func (o *modelFlags) choice() (card.Choice, error) {
	c := card.Choice{File: o.card, Preset: o.preset}
	if o.size == "" {
		return c, nil
	}
	first, second, _ := strings.Cut(strings.ToLower(o.size), "x")
	h, errH := strconv.Atoi(first)
	w, errW := strconv.Atoi(second)
	if errH != nil || errW != nil || h < 1 || w < 1 || h > images.MaxSide || w > images.MaxSide {
		return c, fmt.Errorf("--size %q, want HEIGHTxWIDTH as in 224x224, each 1 to %d", o.size, images.MaxSide)
	}
	c.Size = images.Size{Height: h, Width: w}
	return c, nil
}

// sumOf returns the sha256 of a file.
func sumOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), nil
}
