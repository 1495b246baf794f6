// Package weights reads and writes tensors in .safetensors files.
package weights

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/nlpodyssey/safetensors"
)

// types are those that .safetensors files have.
var types = map[dtypes.DType]safetensors.DType{
	dtypes.Bool: safetensors.BOOL, dtypes.Uint8: safetensors.U8, dtypes.Int8: safetensors.I8,
	dtypes.Int16: safetensors.I16, dtypes.Uint16: safetensors.U16, dtypes.Float16: safetensors.F16,
	dtypes.BFloat16: safetensors.BF16, dtypes.Int32: safetensors.I32, dtypes.Uint32: safetensors.U32,
	dtypes.Float32: safetensors.F32, dtypes.Float64: safetensors.F64, dtypes.Int64: safetensors.I64, dtypes.Uint64: safetensors.U64,
}

// CheckShape returns an error if a tensor of some shape and type cannot be in a file.
func CheckShape(shape shapes.Shape) error {
	if _, ok := types[shape.DType]; !ok {
		return fmt.Errorf("type %s, want one that .safetensors files have: a float of 16 to 64 bits, an integer of 8 to 64 bits or a bool", shape.DType)
	}
	return nil
}

// Zeros returns a tensor of zeros for a file, of a shape that [CheckShape] takes.
func Zeros(shape shapes.Shape) (safetensors.TensorView, error) {
	return safetensors.NewTensorView(types[shape.DType], sizes(shape.Dimensions), make([]byte, shape.ByteSize()))
}

// FromTensor returns a copy of a tensor for a file.
func FromTensor(t *tensors.Tensor) (view safetensors.TensorView, err error) {
	shape := t.Shape()
	if err := CheckShape(shape); err != nil {
		return view, err
	}
	var data []byte
	if err := t.ConstBytes(func(b []byte) { data = slices.Clone(b) }); err != nil {
		return view, err
	}
	return safetensors.NewTensorView(types[shape.DType], sizes(shape.Dimensions), data)
}

// Tensor returns a copy of a file's tensor, which must have the given shape and type.
func Tensor(view safetensors.TensorView, shape shapes.Shape) (*tensors.Tensor, error) {
	if err := Fits(view, shape); err != nil {
		return nil, err
	}
	t := tensors.FromShape(shape)
	return t, t.MutableBytes(func(b []byte) { copy(b, view.Data()) })
}

// Floats returns a copy of a file's tensor as one of float32, of dimensions that
// [FitsFloats] takes. It fails, naming it, for a value that is infinite, NaN or beyond
// float32's range.
func Floats(view safetensors.TensorView, dims []int) (*tensors.Tensor, error) {
	if err := Finite(view); err != nil {
		return nil, err
	}
	if view.DType() == safetensors.F32 { // the most, and twice as fast so
		return Tensor(view, shapes.Make(dtypes.Float32, dims...))
	}
	var values []float32
	for i, v := range all(view) {
		if math.Abs(v) > math.MaxFloat32 {
			return nil, fmt.Errorf("value %d is %v, want one in the range of float32", i, v)
		}
		values = append(values, float32(v))
	}
	return tensors.FromFlatDataAndDimensions(values, dims...), nil
}

// FitsFloats returns an error if a file's tensor has other dimensions than the given ones,
// or none of floats.
func FitsFloats(view safetensors.TensorView, dims []int) error {
	if read, _ := floats(view.DType()); read == nil {
		return fmt.Errorf("type %s, want F16, BF16, F32 or F64", view.DType())
	}
	return sameShape(view, dims)
}

// Fits returns an error if a file's tensor has another shape or type than the given one.
func Fits(view safetensors.TensorView, shape shapes.Shape) error {
	if want := types[shape.DType]; view.DType() != want {
		return fmt.Errorf("type %s, want %s", view.DType(), want)
	}
	return sameShape(view, shape.Dimensions)
}

func sameShape(view safetensors.TensorView, dims []int) error {
	if want := sizes(dims); !slices.Equal(view.Shape(), want) {
		return fmt.Errorf("shape %v, want %v", view.Shape(), want)
	}
	return nil
}

// Bad returns the position of a file's tensor's first value that is infinite, NaN or
// below least, and that value; -1 if there is none. Integers have none.
func Bad(view safetensors.TensorView, least float64) (at int, value float64) {
	for i, v := range all(view) {
		if v-v != 0 || v < least {
			return i, v
		}
	}
	return -1, 0
}

// Finite returns an error that names the first value of a file's tensor that is infinite
// or NaN.
func Finite(view safetensors.TensorView) error {
	if at, bad := Bad(view, math.Inf(-1)); at >= 0 {
		return fmt.Errorf("value %d is %v, want finite numbers", at, bad)
	}
	return nil
}

// Largest returns the largest magnitude in a file's tensor, infinite or NaN if one of its
// values is; 0 for one of integers.
func Largest(view safetensors.TensorView) (largest float64) {
	for _, v := range all(view) {
		if v-v != 0 {
			return v
		}
		largest = max(largest, math.Abs(v))
	}
	return largest
}

// all goes through the values of a file's tensor of floats; there are none of integers.
func all(view safetensors.TensorView) iter.Seq2[int, float64] {
	return func(yield func(int, float64) bool) {
		read, size := floats(view.DType())
		for i, data := 0, view.Data(); read != nil && len(data) >= size; i, data = i+1, data[size:] {
			if !yield(i, read(data)) {
				return
			}
		}
	}
}

// floats returns how to read a value of a type, nil if it is no float, and its bytes.
func floats(dtype safetensors.DType) (read func([]byte) float64, size int) {
	order := binary.LittleEndian
	switch dtype {
	case safetensors.F64:
		return func(b []byte) float64 { return math.Float64frombits(order.Uint64(b)) }, 8
	case safetensors.F32:
		return func(b []byte) float64 { return float64(math.Float32frombits(order.Uint32(b))) }, 4
	case safetensors.BF16:
		return func(b []byte) float64 { return float64(math.Float32frombits(uint32(order.Uint16(b)) << 16)) }, 2
	case safetensors.F16:
		return func(b []byte) float64 { return float64(float16.FromBits(order.Uint16(b)).Float32()) }, 2
	}
	return nil, 0
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
