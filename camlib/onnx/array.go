package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/gomlx/core/tensors"
)

// array is a constant of a graph. There are three types only: floats of any width are
// Float32, integers of any width Int64, and Bool. Strings are of no type and have no values.
type array struct {
	dtype dtypes.DType
	dims  []int
	kind  int64 // ONNX's type in the file, 0 for what was computed
	f     []float32
	i     []int64 // also of bools, 0 or 1

	stored *tensorProto // of which the values are decoded when they are needed; else nil
	filled bool         // of stored's one value, as often as there are values
}

func ints(values ...int) *array {
	a := &array{dtype: dtypes.Int64, dims: []int{len(values)}}
	for _, v := range values {
		a.i = append(a.i, int64(v))
	}
	return a
}

func (a *array) size() int { return product(a.dims) }

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// maxValues bounds the values of one tensor, in a file and in a graph.
const maxValues = 1 << 31

// checkDims returns dimensions as ints, if a tensor may have them.
func checkDims(dims []int64) ([]int, error) {
	out, n := make([]int, len(dims)), int64(1)
	for i, d := range dims {
		if d < 0 || d > maxValues || d > 0 && n > maxValues/d {
			return nil, fmt.Errorf("shape %v, want at most %d values", dims, maxValues)
		}
		out[i] = int(d)
		n *= d
	}
	return out, nil
}

// kinds are ONNX's types of elements (TensorProto.DataType).
var kinds = map[int64]struct {
	name  string
	dtype dtypes.DType
	bytes int // of one in raw_data
}{
	1: {"float", dtypes.Float32, 4}, 10: {"float16", dtypes.Float32, 2}, 11: {"double", dtypes.Float32, 8}, 16: {"bfloat16", dtypes.Float32, 2},
	2: {"uint8", dtypes.Int64, 1}, 3: {"int8", dtypes.Int64, 1}, 4: {"uint16", dtypes.Int64, 2}, 5: {"int16", dtypes.Int64, 2},
	6: {"int32", dtypes.Int64, 4}, 7: {"int64", dtypes.Int64, 8}, 12: {"uint32", dtypes.Int64, 4}, 13: {"uint64", dtypes.Int64, 8},
	9: {"bool", dtypes.Bool, 1}, 8: {"string", dtypes.InvalidDType, 0},
}

// kindName is a type of elements in words.
func kindName(kind int64) string {
	if k, ok := kinds[kind]; ok {
		return k.name
	}
	if kind == 0 {
		return "not said"
	}
	return fmt.Sprintf("number %d", kind)
}

// newArray checks a tensor of a file, of which nothing is copied yet.
func newArray(t *tensorProto) (*array, error) {
	kind, ok := kinds[t.kind]
	if !ok {
		return nil, fmt.Errorf("tensor %q: elements of type %s, want a float of 16 to 64 bits, an integer of 8 to 64 bits or a bool", t.name, kindName(t.kind))
	}
	dims, err := checkDims(t.dims)
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.name, err)
	}
	a := &array{dtype: kind.dtype, dims: dims, kind: t.kind, stored: t}
	if kind.dtype == dtypes.InvalidDType {
		return a, nil
	}
	have := 0
	switch {
	case t.hasRaw || t.outside:
		if have = len(t.raw); have%kind.bytes != 0 {
			return nil, fmt.Errorf("tensor %q: %d bytes of %s, want a multiple of %d", t.name, have, kind.name, kind.bytes)
		}
		have /= kind.bytes
	case t.kind == 1:
		have = len(t.floats)
	case t.kind == 11:
		have = len(t.doubles)
	case t.kind == 7 || t.kind == 12 || t.kind == 13:
		have = len(t.int64s)
	default:
		have = len(t.int32s)
	}
	if have != a.size() {
		return nil, fmt.Errorf("tensor %q: %d values, want %d for shape %v", t.name, have, a.size(), dims)
	}
	return a, nil
}

// floats returns the values as floats.
func (a *array) floats() []float32 {
	if a.stored != nil {
		if a.dtype == dtypes.Float32 {
			return a.decodeFloats()
		}
		a.load()
	}
	if a.dtype == dtypes.Float32 {
		return a.f
	}
	out := make([]float32, len(a.i))
	for i, v := range a.i {
		out[i] = float32(v)
	}
	return out
}

// ints returns the values as integers, floats without their fraction.
func (a *array) ints() []int64 {
	a.load()
	if a.dtype != dtypes.Float32 {
		return a.i
	}
	out := make([]int64, len(a.f))
	for i, v := range a.f {
		out[i] = int64(v)
	}
	return out
}

// load decodes the values and keeps them.
func (a *array) load() {
	if a.stored == nil {
		return
	}
	if a.dtype == dtypes.Float32 {
		a.f = a.decodeFloats()
	} else {
		a.i = a.stored.decodeInts()
		if a.dtype == dtypes.Bool {
			for i, v := range a.i {
				if v != 0 {
					a.i[i] = 1
				}
			}
		}
	}
	a.stored = nil
}

func (a *array) decodeFloats() []float32 {
	f := a.stored.decodeFloats()
	if a.filled {
		return slices.Repeat(f, a.size())
	}
	return f
}

func (t *tensorProto) decodeFloats() []float32 {
	order, raw := binary.LittleEndian, t.raw
	from := func(size int, value func([]byte) float32) []float32 {
		out := make([]float32, len(raw)/size)
		for i := range out {
			out[i] = value(raw[i*size:])
		}
		return out
	}
	switch {
	case !t.hasRaw && !t.outside && t.kind == 1:
		return slices.Clone(t.floats)
	case !t.hasRaw && !t.outside && t.kind == 11:
		out := make([]float32, len(t.doubles))
		for i, v := range t.doubles {
			out[i] = float32(v)
		}
		return out
	case !t.hasRaw && !t.outside: // 16 bits in int32_data
		raw = nil
		for _, v := range t.int32s {
			raw = order.AppendUint16(raw, uint16(v))
		}
	}
	switch t.kind {
	case 10:
		return from(2, func(b []byte) float32 { return float16.FromBits(order.Uint16(b)).Float32() })
	case 16:
		return from(2, func(b []byte) float32 { return math.Float32frombits(uint32(order.Uint16(b)) << 16) })
	case 11:
		return from(8, func(b []byte) float32 { return float32(math.Float64frombits(order.Uint64(b))) })
	}
	return from(4, func(b []byte) float32 { return math.Float32frombits(order.Uint32(b)) })
}

func (t *tensorProto) decodeInts() []int64 {
	if !t.hasRaw && !t.outside {
		return slices.Clone(append(t.int32s[:len(t.int32s):len(t.int32s)], t.int64s...))
	}
	order, size := binary.LittleEndian, kinds[t.kind].bytes
	out := make([]int64, len(t.raw)/size)
	for i := range out {
		b := t.raw[i*size:]
		switch t.kind {
		case 2, 9:
			out[i] = int64(b[0])
		case 3:
			out[i] = int64(int8(b[0]))
		case 4:
			out[i] = int64(order.Uint16(b))
		case 5:
			out[i] = int64(int16(order.Uint16(b)))
		case 6:
			out[i] = int64(int32(order.Uint32(b)))
		case 12:
			out[i] = int64(order.Uint32(b))
		default:
			out[i] = int64(order.Uint64(b))
		}
	}
	return out
}

// tensor returns the values as a tensor of GoMLX.
func (a *array) tensor() *tensors.Tensor {
	switch a.dtype {
	case dtypes.Float32:
		return tensors.FromFlatDataAndDimensions(a.floats(), a.dims...)
	case dtypes.Bool:
		b := make([]bool, a.size())
		for i, v := range a.ints() {
			b[i] = v != 0
		}
		return tensors.FromFlatDataAndDimensions(b, a.dims...)
	}
	return tensors.FromFlatDataAndDimensions(a.ints(), a.dims...)
}

// fromTensor returns a copy of a tensor's values.
func fromTensor(t *tensors.Tensor) (*array, error) {
	a := &array{dtype: t.DType(), dims: slices.Clone(t.Shape().Dimensions)}
	var err error
	switch a.dtype {
	case dtypes.Float32:
		a.f, err = tensors.CopyFlatData[float32](t)
	case dtypes.Int64:
		a.i, err = tensors.CopyFlatData[int64](t)
	case dtypes.Bool:
		var b []bool
		if b, err = tensors.CopyFlatData[bool](t); err == nil {
			a.i = make([]int64, len(b))
			for i, v := range b {
				if v {
					a.i[i] = 1
				}
			}
		}
	default:
		err = fmt.Errorf("type %s, want Float32, Int64 or Bool", a.dtype)
	}
	return a, err
}
