package weights

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/nlpodyssey/safetensors"
)

// TestAsIsNearest is that every finite number of 16 bits comes back as it is, and that
// what lies between two neighbors becomes the nearer one, and half way the even one.
func TestAsIsNearest(t *testing.T) {
	for dtype, infinite := range map[dtypes.DType]uint16{dtypes.Float16: 0x7c00, dtypes.BFloat16: 0x7f80} {
		read, _ := floats(types[dtype])
		value := func(bits uint16) float64 { return read(binary.LittleEndian.AppendUint16(nil, bits)) }
		var in []float32
		var want []uint16
		add := func(v float64, bits uint16) {
			if float64(float32(v)) != v {
				t.Fatalf("%s: %v is no float32", dtype, v)
			}
			in, want = append(in, float32(v), float32(-v)), append(want, bits, bits|0x8000)
		}
		for bits := range infinite {
			v := value(bits)
			add(v, bits)
			if bits+1 == infinite {
				break
			}
			half := (v + value(bits+1)) / 2
			add(half, bits+bits&1)
			if bits > 0 || dtype == dtypes.Float16 { // bfloat16's least is near float32's
				add(float64(math.Nextafter32(float32(half), 0)), bits)
			}
			add(float64(math.Nextafter32(float32(half), math.MaxFloat32)), bits+1)
		}
		view, err := FromTensor(tensors.FromFlatDataAndDimensions(in, len(in)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := As(view, dtype)
		if err != nil {
			t.Fatal(err)
		}
		if got.DType() != types[dtype] {
			t.Errorf("type %s, want %s", got.DType(), types[dtype])
		}
		wrong := 0
		for i, w := range want {
			if g := binary.LittleEndian.Uint16(got.Data()[2*i:]); g != w && wrong < 5 {
				wrong++
				t.Errorf("%s: %v became %#04x, want %#04x", dtype, in[i], g, w)
			}
		}
	}
}

func TestAsRefuses(t *testing.T) {
	nan := float32(math.NaN())
	float32s := func(values ...float32) *tensors.Tensor { return tensors.FromValue(values) }
	for _, c := range []struct {
		dtype dtypes.DType
		in    *tensors.Tensor
		want  string
	}{
		{dtypes.Float16, float32s(1, 65519.996), ""}, // rounds to the largest, 65504
		{dtypes.Float16, float32s(1, -65520), "value 1 is -65520, beyond the range of Float16: want a wider type"},
		{dtypes.Float16, float32s(3e38), "value 0 is 3e+38, beyond the range of Float16: want a wider type"},
		{dtypes.BFloat16, float32s(3e38), ""},
		{dtypes.BFloat16, float32s(math.MaxFloat32), "value 0 is 3.4028235e+38, beyond the range of BFloat16: want a wider type"},
		{dtypes.Float32, float32s(math.MaxFloat32), ""},
		{dtypes.BFloat16, float32s(1, 2, nan), "value 2 is NaN, want finite numbers"},
		{dtypes.Float32, float32s(nan), "value 0 is NaN, want finite numbers"},
		{dtypes.Int8, float32s(1), "type Int8, want Float32, Float16 or BFloat16"},
		{dtypes.Float16, tensors.FromValue([]float64{1}), "a tensor of type F64, want F32"},
	} {
		view, err := FromTensor(c.in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := As(view, c.dtype); (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("%v as %s: error %v, want %s", c.in, c.dtype, err, c.want)
		}
	}
}

// TestAsFloat32 changes nothing.
func TestAsFloat32(t *testing.T) {
	in := tensors.FromFlatDataAndDimensions([]float32{1e-40, -3}, 2, 1)
	view, err := FromTensor(in)
	if err != nil {
		t.Fatal(err)
	}
	got, err := As(view, dtypes.Float32)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := Tensor(got, in.Shape()); err != nil || got.DType() != safetensors.F32 || !out.Equal(in) {
		t.Errorf("%v came back as %v, error %v", in, out, err)
	}
}
