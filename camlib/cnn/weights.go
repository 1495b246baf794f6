package cnn

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nlpodyssey/safetensors"

	"github.com/camlab-go/camlab/internal/failure"
)

// ModelFile is the name of the weights in a checkpoint folder.
const ModelFile = "model.safetensors"

// Load reads the network's weights from a .safetensors file, or from the
// ModelFile of a checkpoint folder. The tensors are named and laid out as in
// PyTorch's nn.Sequential of the article: convolutions 0, 2, 5, 7 and 9 with
// weight [out, in, 3, 3] and bias [out], dense 13 with weight [10, 128] and
// bias [10]. It fails, naming the tensor, when the file holds another
// architecture, and when a weight is not finite.
func Load(path string) (*Model, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, ModelFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cnn: load: %w, want a checkpoint folder or a .safetensors file", err)
	}
	m, err := Decode(data)
	if err != nil {
		return nil, fmt.Errorf("cnn: load: %s: %w", path, err)
	}
	return m, nil
}

// Decode is [Load] for the contents of a .safetensors file.
func Decode(data []byte) (*Model, error) {
	file, err := safetensors.Deserialize(data)
	if err != nil {
		return nil, fmt.Errorf("not a safetensors file: %w", err)
	}
	if other := other(file.Names()); other != "" {
		return nil, fmt.Errorf("another architecture: tensor %q, want only those of %s: %s",
			other, Architecture, strings.Join(torchNames(), ", "))
	}
	weights := make(map[string][]float32)
	for _, l := range layers {
		w, err := floats(file, l.torch+".weight", l.torchDims())
		if err != nil {
			return nil, err
		}
		weights[l.scope+"/weights"] = l.fromTorch(w)
		if weights[l.scope+"/biases"], err = floats(file, l.torch+".bias", []int{l.outputs()}); err != nil {
			return nil, err
		}
	}
	return newModel(weights), nil
}

// Encode returns the weights in the form that [Decode] reads. Equal weights
// give equal bytes. It fails, naming the tensor, when a weight is not finite.
func (m *Model) Encode() ([]byte, error) {
	tensors := make(map[string]safetensors.TensorView)
	for _, l := range layers {
		w, err := m.values(l.scope, "weights")
		if err != nil {
			return nil, err
		}
		b, err := m.values(l.scope, "biases")
		if err != nil {
			return nil, err
		}
		for _, t := range []struct {
			name   string
			values []float32
			dims   []int
		}{{l.torch + ".weight", l.toTorch(w), l.torchDims()}, {l.torch + ".bias", b, []int{l.outputs()}}} {
			if err := finite(t.name, t.values); err != nil {
				return nil, fmt.Errorf("cnn: encode: %w", err)
			}
			if tensors[t.name], err = view(t.values, t.dims); err != nil {
				return nil, err
			}
		}
	}
	data, err := safetensors.Serialize(tensors, map[string]string{"architecture": Architecture})
	if err != nil {
		return nil, fmt.Errorf("cnn: encode: %w", err)
	}
	return data, nil
}

// Save writes the weights to a .safetensors file, whole or not at all.
func (m *Model) Save(path string) error {
	data, err := m.Encode()
	if err != nil {
		return err
	}
	if err := writeFile(path, data); err != nil {
		return fmt.Errorf("cnn: save: %w", err)
	}
	return nil
}

// torchNames lists the tensors of the architecture.
func torchNames() (names []string) {
	for _, l := range layers {
		names = append(names, l.torch+".weight", l.torch+".bias")
	}
	return names
}

// other returns a name that is not one of the architecture's, or "".
func other(names []string) string {
	want := torchNames()
	for _, n := range names {
		if !slices.Contains(want, n) {
			return n
		}
	}
	return ""
}

// torchDims is the shape of the weights in PyTorch's order.
func (l layer) torchDims() []int {
	d := l.dims
	if len(d) == 4 {
		return []int{d[3], d[2], d[0], d[1]}
	}
	return []int{d[1], d[0]}
}

// toTorch moves weights from [height, width, in, out] to [out, in, height,
// width], or from [in, out] to [out, in]; fromTorch moves them back. Both are
// the transpose between taps × in × out and out × in × taps.
func (l layer) toTorch(w []float32) []float32 {
	r := make([]float32, len(w))
	l.each(func(here, torch int) { r[torch] = w[here] })
	return r
}

func (l layer) fromTorch(w []float32) []float32 {
	r := make([]float32, len(w))
	l.each(func(here, torch int) { r[here] = w[torch] })
	return r
}

// each calls f with the position of every weight in our order and in PyTorch's.
func (l layer) each(f func(here, torch int)) {
	out := l.outputs()
	in := l.dims[len(l.dims)-2]
	taps := 1
	for _, d := range l.dims[:len(l.dims)-2] {
		taps *= d
	}
	for t := range taps {
		for i := range in {
			for o := range out {
				f((t*in+i)*out+o, (o*in+i)*taps+t)
			}
		}
	}
}

// floats returns a float32 tensor of a file, of the given shape and finite.
func floats(file safetensors.SafeTensors, name string, dims []int) ([]float32, error) {
	t, ok := file.Tensor(name)
	if !ok {
		return nil, fmt.Errorf("another architecture: no tensor %q, want those of %s", name, Architecture)
	}
	if t.DType() != safetensors.F32 {
		return nil, fmt.Errorf("tensor %q: type %s, want F32", name, t.DType())
	}
	shape := make([]int, len(t.Shape()))
	for i, d := range t.Shape() {
		shape[i] = int(d)
	}
	if !slices.Equal(shape, dims) {
		return nil, fmt.Errorf("another architecture: tensor %q: shape %v, want %v", name, shape, dims)
	}
	values := make([]float32, t.DataLen()/4)
	if err := binary.Read(bytes.NewReader(t.Data()), binary.LittleEndian, values); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	return values, finite(name, values)
}

// finite says which of a tensor's values is infinite or NaN.
func finite(name string, values []float32) error {
	if bad := failure.NotFinite(values); bad >= 0 {
		return fmt.Errorf("tensor %q: value %d is %v, want finite numbers", name, bad, values[bad])
	}
	return nil
}

// view wraps values for writing.
func view(values []float32, dims []int) (safetensors.TensorView, error) {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	shape := make([]uint64, len(dims))
	for i, d := range dims {
		shape[i] = uint64(d)
	}
	return safetensors.NewTensorView(safetensors.F32, shape, data)
}
