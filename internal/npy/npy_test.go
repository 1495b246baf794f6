package npy_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"codeberg.org/sbinet/npyio/npy"

	camnpy "github.com/camlab-go/camlab/internal/npy"
)

// TestHeader has npyio read what follows a header, in shapes of one axis to four.
func TestHeader(t *testing.T) {
	for _, shape := range [][]int{{3}, {2, 3}, {1_000_000, 0}, {2, 1, 3}, {2, 2, 1, 3}} {
		size := 1
		for _, d := range shape {
			size *= d
		}
		values := make([]float32, size)
		for i := range values {
			values[i] = float32(i) - 0.5
		}
		header := camnpy.Header(shape)
		if len(header) != camnpy.HeaderSize {
			t.Errorf("%v: %d bytes, want %d", shape, len(header), camnpy.HeaderSize)
		}
		file, err := binary.Append(header, binary.LittleEndian, values)
		if err != nil {
			t.Fatal(err)
		}
		r, err := npy.NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Header.Descr; !slices.Equal(got.Shape, shape) || got.Type != "'<f4'" || got.Fortran {
			t.Errorf("%v: read as %v", shape, got)
		}
		var got []float32
		if err := r.Read(&got); err != nil || !slices.Equal(got, values) {
			t.Errorf("%v: values %v, %v, want %v", shape, got, err, values)
		}
	}
}

// TestHeaderOf has npyio read other types.
func TestHeaderOf(t *testing.T) {
	file, err := binary.Append(camnpy.HeaderOf("<i8", []int{2}), binary.LittleEndian, []int64{7, -1})
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	if err := npy.Read(bytes.NewReader(file), &got); err != nil || !slices.Equal(got, []int64{7, -1}) {
		t.Errorf("values %v, %v", got, err)
	}
}
