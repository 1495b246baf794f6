package camlib

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute"

	"github.com/camlab-go/camlab/camlib/card"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/onnx"
	"github.com/camlab-go/camlab/internal/failure"
)

// ONNXOptions say how an ONNX file is taken. The zero value is as the file and its card say.
type ONNXOptions struct {
	Layer  string // that is explained: a name or a number of [onnx.Model.Layers]; empty is the card's, else the default
	Output string // whose scores are explained; empty is the card's, else the first
	Card   card.Choice
	// Raw has the network take arrays as they are, see ReadNPY of package images, and
	// nothing be done to pixels.
	Raw bool
}

// Open returns the network of an ONNX file, such as one of torch.onnx.export, on the
// default backend. What it expects of pictures its model card says, see package card;
// without one that is guessed, and Notes say so. Explain then takes photos of any size.
//
// Open it before any other network: graphs that camlab did not make run without those of
// XLA's flags that can end the process on one, and a process has its flags once.
func Open(path string) (*Model, error) {
	graph, err := onnx.Open(path)
	if err != nil {
		return nil, err
	}
	backend, err := Backend("")
	if err != nil {
		return nil, err
	}
	return OpenONNX(graph, path, backend, ONNXOptions{})
}

// OpenONNX is [Open] of a model that has been read from a file of that path, on a backend
// that was opened after that.
func OpenONNX(graph *onnx.Model, path string, backend compute.Backend, o ONNXOptions) (*Model, error) {
	c, err := ONNXCard(graph, path, o.Card)
	if err != nil {
		return nil, err
	}
	options := onnx.Options{Size: c.Size(), Layer: cmp.Or(o.Layer, c.Layer), Output: cmp.Or(o.Output, c.Output), Classes: c.Classes, Raw: o.Raw}
	if n := c.Normalization(); !o.Raw {
		options.Mean, options.Std, options.Scale, options.BGR = float32s(n.Mean), float32s(n.Std), float32(n.Scale), n.BGR
	}
	imported, err := graph.Network(backend, options)
	if o.Layer == "" && c.Layer != "" && errors.Is(err, network.ErrLayer) || errors.Is(err, onnx.ErrClasses) {
		if file, ok, _ := o.Card.Path(path); ok {
			return nil, fmt.Errorf("card: %s: %w", file, err)
		}
	}
	if err != nil {
		return nil, err
	}
	net := imported.Network
	for i := len(net.Classes); i < imported.NumClasses; i++ {
		net.Classes = append(net.Classes, strconv.Itoa(i))
	}
	m, err := New(net, backend)
	if err != nil {
		return nil, err
	}
	m.Notes = imported.Notes
	if !o.Raw {
		m.Card = &c
		if len(c.Guessed) > 0 {
			m.Notes = append(m.Notes, c.String()+" `camlab card` writes this down, to be set right")
		}
	}
	return m, nil
}

// ONNXCard returns the card of a model that has been read from a file of that path, see
// [card.Choose].
func ONNXCard(graph *onnx.Model, path string, o card.Choice) (card.Card, error) {
	var in card.Input
	in.Layout, in.Size = graph.ImageInput()
	if all := graph.Inputs(); len(all) == 1 {
		in.Type = all[0].Type
	}
	c, err := card.Choose(path, in, o)
	if err != nil || c.Output == "" {
		return c, err
	}
	var names []string
	for _, t := range graph.Outputs() {
		names = append(names, t.Name)
	}
	if !slices.Contains(names, c.Output) {
		file, _, _ := o.Path(path)
		return card.Card{}, failure.New(card.ErrCard, "card: %s: output: %q, want one of %s", file, c.Output, strings.Join(names, ", "))
	}
	return c, nil
}

func float32s(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}
