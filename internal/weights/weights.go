// Package weights reads and writes arrays in .safetensors files.
package weights

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/nlpodyssey/safetensors"

	"github.com/camlab-go/camlab/internal/failure"
)

// Floats returns a float32 tensor of a file, which must have the given shape.
func Floats(file safetensors.SafeTensors, name string, dims []int) ([]float32, error) {
	t, ok := file.Tensor(name)
	if !ok {
		return nil, fmt.Errorf("no tensor %q", name)
	}
	if t.DType() != safetensors.F32 {
		return nil, fmt.Errorf("tensor %q: type %s, want F32", name, t.DType())
	}
	if !slices.Equal(t.Shape(), sizes(dims)) {
		return nil, fmt.Errorf("tensor %q: shape %v, want %v", name, t.Shape(), dims)
	}
	values := make([]float32, t.DataLen()/4)
	if err := binary.Read(bytes.NewReader(t.Data()), binary.LittleEndian, values); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	return values, nil
}

// View wraps float32 values for [safetensors.Serialize].
func View(values []float32, dims []int) (safetensors.TensorView, error) {
	data := make([]byte, 0, 4*len(values))
	data, err := binary.Append(data, binary.LittleEndian, values)
	if err != nil {
		return safetensors.TensorView{}, err
	}
	return safetensors.NewTensorView(safetensors.F32, sizes(dims), data)
}

// sizes returns dimensions as those of a file's tensor. A scalar has the shape [1] there,
// because the library writes none without a shape.
func sizes(dims []int) []uint64 {
	if len(dims) == 0 {
		return []uint64{1}
	}
	all := make([]uint64, len(dims))
	for i, d := range dims {
		all[i] = uint64(d)
	}
	return all
}

// Finite says which of a tensor's values is infinite or NaN.
func Finite(name string, values []float32) error {
	if bad := failure.NotFinite(values); bad >= 0 {
		return fmt.Errorf("tensor %q: value %d is %v, want finite numbers", name, bad, values[bad])
	}
	return nil
}
