package npy

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"codeberg.org/sbinet/npyio/npy/float16"
)

func file(version byte, header string, values ...byte) []byte {
	b := append([]byte("\x93NUMPY"), version, 0)
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	}
	return append(append(b, header...), values...)
}

func read(data []byte) ([]int, []float32, error) {
	r, err := NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, nil, err
	}
	n := 1
	for _, d := range r.Shape {
		n *= d
	}
	values := make([]float32, n)
	return r.Shape, values, r.Read(values)
}

// TestReader reads 1, −2.5 and 65504 in all types, and a byte's 1, 2 and 255.
func TestReader(t *testing.T) {
	big, little := binary.BigEndian, binary.LittleEndian
	bits := func(order binary.ByteOrder, values any) []byte {
		b, err := binary.Append(nil, order, values)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	want := []float32{1, -2.5, 65504}
	for descr, values := range map[string][]byte{
		"<f4": bits(little, want), ">f4": bits(big, want), "=f4": bits(little, want),
		"<f8": bits(little, []float64{1, -2.5, 65504}), ">f8": bits(big, []float64{1, -2.5, 65504}),
		"<f2": bits(little, []uint16{0x3c00, 0xc100, 0x7bff}), ">f2": bits(big, []uint16{0x3c00, 0xc100, 0x7bff}),
		"|u1": {1, 2, 255},
	} {
		if descr == "|u1" {
			want = []float32{1, 2, 255}
		} else {
			want = []float32{1, -2.5, 65504}
		}
		for version := range byte(3) {
			shape, got, err := read(file(version+1, "{'descr': '"+descr+"', 'fortran_order': False, 'shape': (3,), }\n", values...))
			if err != nil || !slices.Equal(shape, []int{3}) || !slices.Equal(got, want) {
				t.Errorf("%s, version %d: %v %v, %v, want %v", descr, version+1, shape, got, err, want)
			}
		}
	}
	// In another order of keys, as other programs write it, and a file of ours.
	shape, got, err := read(file(1, "{'shape': (1, 3), 'fortran_order': False, 'descr': '|u1'}", 1, 2, 255))
	if err != nil || !slices.Equal(shape, []int{1, 3}) || !slices.Equal(got, []float32{1, 2, 255}) {
		t.Errorf("another order of keys: %v %v, %v", shape, got, err)
	}
	many := make([]float32, 100_001) // more than is read at once
	for i := range many {
		many[i] = float32(i)
	}
	_, got, err = read(append(Header([]int{1, len(many)}), bits(little, many)...))
	if err != nil || !slices.Equal(got, many) {
		t.Errorf("many values: %v", err)
	}
}

func TestReaderErrors(t *testing.T) {
	header := func(descr, order, shape string) []byte {
		return file(1, "{'descr': "+descr+", 'fortran_order': "+order+", 'shape': "+shape+", }\n", 0, 0, 0, 0)
	}
	good := header("'<f4'", "False", "(1,)")
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"empty":             {nil, "no NumPy file, want one that numpy.save writes (.npy)"},
		"an archive":        {[]byte("PK\x03\x04 and more than eight bytes"), "no NumPy file, want one that numpy.save writes (.npy)"},
		"version":           {append([]byte("\x93NUMPY\x04\x00"), good[8:]...), "version 4 of the NumPy format, want 1 to 3"},
		"no length":         {good[:9], "the file ends in its header"},
		"no header":         {good[:40], "the file ends in its header"},
		"long header":       {[]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), "a header of 4294967295 bytes, want at most 65536"},
		"no dictionary":     {file(1, "numbers\n"), `header "numbers", want descr, fortran_order and shape of a plain array`},
		"structured":        {header("[('a', '<f4')]", "False", "(1,)"), "want descr, fortran_order and shape of a plain array"},
		"Fortran order":     {header("'<f4'", "True", "(1,)"), "an array in Fortran order, want C order: save numpy.ascontiguousarray(x)"},
		"whole numbers":     {header("'<i8'", "False", "(1,)"), `values of type "<i8", want float32, float64, float16 or uint8: save x.astype(numpy.float32)`},
		"objects":           {header("'|O'", "False", "(1,)"), `values of type "|O", want`},
		"negative":          {header("'<f4'", "False", "(-1,)"), "shape (-1,), want whole numbers"},
		"more axes":         {header("'<f4'", "False", "("+strings.Repeat("1,", 33)+")"), "an array of 33 axes, want at most 32"},
		"too many":          {header("'<f4'", "False", "(3037000500, 3037000500, 2)"), "shape [3037000500 3037000500 2], want fewer values"},
		"overflow":          {header("'<f4'", "False", "(4294967296, 4294967296)"), "want fewer values"},
		"overflow, hidden":  {header("'<f4'", "False", "(4294967296, 0, 4294967296)"), "bytes, want"},
		"claims more":       {header("'<f4'", "False", "(1000000000,)"), "want 4000000077 for shape [1000000000]: the file is cut off, or its header is of another one"},
		"more than claimed": {append(slices.Clone(good), 0), "73 bytes, want 72 for shape [1]"},
	} {
		_, _, err := read(test.data)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
	}
}

// TestHalf holds all numbers of 16 bits to npyio's.
func TestHalf(t *testing.T) {
	for i := range 1 << 16 {
		got, want := half(uint16(i)), float16.Float16Frombits(uint16(i)).Float32()
		exponent, fraction := i>>10&0x1f, i&0x3ff
		if exponent == 0 { // npyio 0.14 misreads subnormals; these are by the standard
			want = float32(math.Ldexp(float64(fraction), -24))
			if i>>15 == 1 {
				want = -want
			}
		}
		if got != want && !(exponent == 0x1f && fraction != 0 && math.IsNaN(float64(got))) {
			t.Fatalf("%#04x: %v, want %v", i, got, want)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n", 0, 0, 0, 0))
	f.Add(file(3, "{'descr': '>f2', 'fortran_order': False, 'shape': (2, 1), }\n", 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		shape, values, err := read(data)
		if err == nil && len(values) > len(data) {
			t.Fatalf("%d values of shape %v in %d bytes", len(values), shape, len(data))
		}
	})
}
