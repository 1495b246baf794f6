package weights

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/nlpodyssey/safetensors"
)

// As returns a file's tensor of float32 as one of Float32, Float16 or BFloat16, each value
// rounded to the nearest, ties to even. It fails, naming it, for a value that is not finite
// or would not be.
//
// compute v0.1.2's own conversion to float16 makes 0 of all magnitudes below 2⁻¹⁴.
func As(view safetensors.TensorView, dtype dtypes.DType) (as safetensors.TensorView, err error) {
	convert := map[dtypes.DType]func(float32) uint16{dtypes.Float32: nil, dtypes.Float16: float16Bits, dtypes.BFloat16: bfloat16Bits}
	to, ok := convert[dtype]
	switch {
	case !ok:
		return as, fmt.Errorf("type %s, want Float32, Float16 or BFloat16", dtype)
	case view.DType() != safetensors.F32:
		return as, fmt.Errorf("a tensor of type %s, want F32", view.DType())
	}
	if err := Finite(view); err != nil || to == nil {
		return view, err
	}
	var data []byte
	for _, v := range all(view) {
		data = binary.LittleEndian.AppendUint16(data, to(float32(v)))
	}
	if as, err = safetensors.NewTensorView(types[dtype], view.Shape(), data); err != nil {
		return as, err
	}
	if at, _ := Bad(as, math.Inf(-1)); at >= 0 {
		v := math.Float32frombits(binary.LittleEndian.Uint32(view.Data()[4*at:]))
		return as, fmt.Errorf("value %d is %v, beyond the range of %s: want a wider type", at, v, dtype)
	}
	return as, nil
}

// float16Bits rounds to 1 bit of sign, 5 of exponent and 10 of mantissa (IEEE 754
// binary16).
func float16Bits(v float32) uint16 {
	bits := math.Float32bits(v)
	sign, size := uint16(bits>>16)&0x8000, bits&0x7fffffff
	const least = (127 - 14) << 23 // 2⁻¹⁴, the least that is normal in 16 bits
	if size < least {              // a multiple of 2⁻²⁴, the distance of float32 values from ½ on
		return sign | uint16(math.Float32bits(math.Float32frombits(size)+0.5)-math.Float32bits(0.5))
	}
	size += 1<<12 - 1 + size>>13&1
	return sign | uint16(min((size-(127-15)<<23)>>13, 0x7c00))
}

// bfloat16Bits rounds to the upper half of a float32.
func bfloat16Bits(v float32) uint16 {
	bits := math.Float32bits(v)
	return uint16((bits + 1<<15 - 1 + bits>>16&1) >> 16)
}
