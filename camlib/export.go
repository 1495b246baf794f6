package camlib

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/camlab-go/camlab/camlib/card"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/onnx"
	"github.com/camlab-go/camlab/camlib/onnx/export"
	"github.com/camlab-go/camlab/internal/atomicfile"
)

// WriteONNX writes the network as an ONNX file, see [export.Encode], and beside it the model
// card by which [Open] and the command line explain it as they do the network itself. A
// network of another number of channels than 1 and 3 has no card. It fails before it writes
// anything where another card is there.
func (m *Model) WriteONNX(path string) error {
	if m == nil || m.Network == nil {
		return errors.New("camlib: write: no model, want one of New or Article")
	}
	data, err := export.Encode(m.Network)
	if err != nil {
		return err
	}
	write := func() error {
		if err := atomicfile.WriteFile(path, data); err != nil {
			return fmt.Errorf("camlib: write: %w, want a file in a folder that exists", err)
		}
		return nil
	}
	if c := m.Network.Input.Channels; c != 1 && c != 3 {
		return write()
	}
	in := card.Input{Layout: images.NCHW, Size: m.Network.Input.Size}
	c, err := m.cardFor(in, data)
	if err != nil {
		return err
	}
	file, there, err := card.Find(path)
	if err != nil {
		return err
	}
	if there {
		if old, err := card.Read(file, in); err != nil || !reflect.DeepEqual(old, c) {
			return fmt.Errorf("camlib: write: %s is there already, and says something else than the card that belongs to the model: want another name, or that file removed", file)
		}
		return write()
	}
	if err := write(); err != nil {
		return err
	}
	return c.Write(card.Path(path))
}

// cardFor is the card of the network's file: its graph takes pixels from 0 to 1 and does the
// rest itself.
func (m *Model) cardFor(in card.Input, data []byte) (card.Card, error) {
	c, err := card.Preset("unit", in)
	if err != nil {
		return c, err
	}
	c.Preset, c.Interpolation, c.Classes = "", images.Bicubic, m.Network.Classes
	if m.Card != nil {
		c.Fit, c.ShortSide, c.Interpolation, c.Pad = m.Card.Fit, m.Card.ShortSide, m.Card.Interpolation, m.Card.Pad
	}
	if m.Network.Explained() == len(m.Network.Layers)-1 {
		return c, nil
	}
	written, err := onnx.Decode(data, "")
	if err != nil {
		return c, err
	}
	layers, err := written.Layers(in.Size, "")
	if slices.ContainsFunc(layers, func(l onnx.Layer) bool { return l.Name == m.Network.ExplainedLayer() }) {
		c.Layer = m.Network.ExplainedLayer()
	}
	return c, err
}
